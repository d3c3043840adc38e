import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasaudit.attacks.evasion.measures import area, asr_curve, curve_area, median, median_epsilon
from nasaudit.metrics import bootstrap, exact, proportion
from nasaudit.study.pooling import CurvePool, pool_proportions, pool_values

GRID = (0.1, 0.2, 0.4)


def some_minimal(seed: int, n: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).choice([0.0, *GRID, np.inf], size=n, p=[0.05, 0.3, 0.25, 0.2, 0.2])


minimals = st.lists(st.sampled_from([0.0, *GRID, np.inf]), min_size=1, max_size=30).map(np.array)


@given(minimals)
@settings(max_examples=200, deadline=None)
def test_curves_and_their_figures_equal_those_of_the_attack(minimal: np.ndarray) -> None:
    """The pooled figures must be the very ones that each record has; its curve is counted in another way."""
    curve = asr_curve(minimal, GRID)
    assert area(curve, GRID) == pytest.approx(curve_area(minimal, GRID), abs=1e-12)
    assert median(curve, GRID) == pytest.approx(median_epsilon(minimal, GRID), abs=1e-12)
    pool = CurvePool.of([minimal], GRID)
    np.testing.assert_allclose(pool.curves[0], curve, atol=1e-12)


def test_the_median_by_hand() -> None:
    assert median(np.array([0.0, 0.25, 0.75, 1.0]), GRID) == pytest.approx(0.15)
    assert median(np.array([0.5, 0.6, 0.7, 0.8]), GRID) == 0.0
    assert median(np.array([0.0, 0.1, 0.2, 0.4]), GRID) == 0.4
    assert median(np.array([0.0, 0.5, 0.5, 0.5]), GRID) == pytest.approx(0.1)


@pytest.mark.parametrize("statistic", [(area, curve_area), (median, median_epsilon)])
def test_intervals_agree_with_the_plain_two_level_bootstrap(statistic) -> None:
    """`metrics.bootstrap` draws images one by one; the multinomial draws here have the same distribution."""
    of_curves, of_images = statistic
    samples = [some_minimal(seed) for seed in range(3)]
    ours = CurvePool.of(samples, GRID).statistic(of_curves, "fraction")
    plain = bootstrap(samples, lambda images: np.asarray(of_images(images, GRID)), "fraction", draws=4000)
    assert ours.value == pytest.approx(plain.value, abs=1e-12)
    assert ours.n == plain.n == 240
    width = plain.high - plain.low
    assert ours.low == pytest.approx(plain.low, abs=0.12 * width)
    assert ours.high == pytest.approx(plain.high, abs=0.12 * width)


def test_pooled_shares_agree_with_the_plain_two_level_bootstrap() -> None:
    rng = np.random.default_rng(5)
    samples = [(rng.random(size) < share) for size, share in ((200, 0.8), (300, 0.9), (250, 0.85))]
    ours = pool_proportions([proportion(int(sample.sum()), len(sample)) for sample in samples])
    plain = bootstrap(samples, lambda images: images.mean(axis=0), "fraction", draws=4000)
    assert (ours.value, ours.n) == (pytest.approx(plain.value), 750)
    width = plain.high - plain.low
    assert ours.low == pytest.approx(plain.low, abs=0.1 * width)
    assert ours.high == pytest.approx(plain.high, abs=0.1 * width)


def test_shares_of_the_curve_agree_with_pooled_shares() -> None:
    samples = [some_minimal(seed) for seed in range(3)]
    pool = CurvePool.of(samples, GRID)
    ours = pool.share_at(1)
    direct = pool_proportions([proportion(int((sample <= GRID[1]).sum()), len(sample)) for sample in samples])
    assert ours.value == pytest.approx(direct.value, abs=1e-12)
    assert ours.low == pytest.approx(direct.low, abs=0.03)
    assert ours.high == pytest.approx(direct.high, abs=0.03)
    withstood = pool.share_at(1, withstood=True)
    assert withstood.value == pytest.approx(1 - ours.value)
    assert (withstood.low, withstood.high) == (pytest.approx(1 - ours.high), pytest.approx(1 - ours.low))


def test_the_interval_of_a_pool_covers_the_spread_of_its_seeds() -> None:
    """Seeds that differ far more than images can explain: the interval must know of it."""
    estimates = [proportion(successes, 1000) for successes in (300, 500, 700)]
    pooled = pool_proportions(estimates)
    within = proportion(1500, 3000)
    assert pooled.value == pytest.approx(0.5)
    assert pooled.high - pooled.low > 4 * (within.high - within.low)


def test_one_seed_is_not_changed_by_pooling() -> None:
    one = proportion(97, 100)
    assert pool_proportions([one]) is one
    value = exact(3.0, "steps")
    assert pool_values([value]) is value


def test_single_values_are_pooled_over_seeds() -> None:
    pooled = pool_values([exact(value, "nats") for value in (1.0, 2.0, 6.0)])
    assert (pooled.value, pooled.n, pooled.unit) == (3.0, 3, "nats")
    assert pooled.low == pytest.approx(1.0)
    assert pooled.high == pytest.approx(6.0)


def test_a_share_of_nothing_still_has_an_interval():
    """No image of 48 fell with either seed: Wilson's upper end for 0 of 48 is z^2 / (48 + z^2) = .0741."""
    pooled = CurvePool.of([np.full(48, np.inf)] * 2, GRID).share_at(0)
    assert (pooled.value, pooled.low, pooled.n) == (0, 0, 96)
    assert pooled.high == pytest.approx(1.959964**2 / (48 + 1.959964**2), rel=1e-5)


def test_seeds_that_agree_do_not_pretend_to_more_images_than_there_are():
    """The same 1,000 images twice: the interval is that of 1,000 images, not of 2,000."""
    pooled = pool_proportions([proportion(500, 1000)] * 2)
    alone = proportion(500, 1000)
    assert pooled.low <= alone.low
    assert pooled.high >= alone.high
