"""Shares and differences of shares: against scipy, published examples, and how often intervals hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nasaudit.measure.proportion import paired_difference, proportion


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_agrees_with_scipy(counts):
    successes, n = counts
    ours = proportion(successes, n)
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=1e-9),
        pytest.approx(theirs.high, abs=1e-9),
    )
    assert ours.low <= ours.value <= ours.high
    assert ours.n == n


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        proportion(successes, n)


def fourfold(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of so many units that succeed twice, only first, only second, never."""
    counts = (both, first, second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


# Published values of Newcombe's method 10 (square-and-add) for paired shares: Fagerland, Lydersen and Laake,
# "Statistical Analysis of Contingency Tables", 2017, chapter 8, on the data of Bentur 2009 and of Cavo 2012.
@pytest.mark.parametrize(
    ("counts", "value", "low", "high"),
    [((1, 1, 7, 12), -0.286, -0.507, -0.026), ((59, 6, 16, 80), -0.0621, -0.1186, -0.0046)],
)
def test_the_interval_of_a_paired_difference_is_the_published_one(counts, value, low, high) -> None:
    found = paired_difference(*fourfold(*counts))
    digits = 3 if value == -0.286 else 4
    assert round(found.value, digits) == value
    assert round(found.low, digits) == low
    assert round(found.high, digits) == high
    assert found.n == sum(counts)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Simulated pairs with a known difference: an interval that ignored the pairing would cover far too often."""
    rng = np.random.default_rng(0)
    chances = np.array([0.86, 0.09, 0.02, 0.03])  # accuracies .95 and .88
    covered, width, unpaired = 0, [], []
    for counts in rng.multinomial(400, chances, size=800):
        first, second = fourfold(*counts)
        found = paired_difference(first, second)
        covered += found.low <= 0.07 <= found.high
        width.append(found.high - found.low)
        one, other = (proportion(int(x.sum()), 400) for x in (first, second))
        unpaired.append(2 * np.hypot((one.high - one.low) / 2, (other.high - other.low) / 2))
    assert 0.93 <= covered / 800 <= 0.98
    assert np.mean(width) < np.mean(unpaired)


def test_no_interval_is_empty_or_beyond_one() -> None:
    for counts in [(10, 0, 0, 0), (0, 0, 0, 10), (0, 10, 0, 0), (5, 0, 0, 5), (1, 0, 0, 0), (0, 1, 0, 0)]:
        found = paired_difference(*fourfold(*counts))
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert found.high > found.low


def test_units_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="got 3 and 2"):
        paired_difference(np.ones(3, bool), np.ones(2, bool))


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [  # the paper's examples of method 10: cells e, f, g, h
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
    ],
)
def test_the_interval_of_a_paired_difference_is_newcombes(table, low, high):
    found = paired_difference(*fourfold(*table))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-4)


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    shares = np.array([0.92, 0.05, 0.02, 0.01])  # true difference .03
    held = 0
    for _ in range(1000):
        cells = rng.multinomial(300, shares)
        found = paired_difference(*fourfold(*cells))
        held += found.low <= 0.03 <= found.high
    assert 0.93 <= held / 1000 <= 0.985


def test_pairs_that_agree_make_a_narrower_interval_than_independent_ones():
    paired = paired_difference(*fourfold(940, 20, 10, 30))
    one, other = proportion(960, 1000), proportion(950, 1000)
    assert paired.value == pytest.approx(0.01)
    assert paired.high - paired.low < 0.8 * np.hypot(one.high - one.low, other.high - other.low)


def test_no_difference_at_all_still_has_an_interval():
    found = paired_difference(*fourfold(100, 0, 0, 0))
    assert found.low < 0 == found.value < found.high
