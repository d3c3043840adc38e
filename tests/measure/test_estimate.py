import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nasaudit.measure.estimate import Measurement, bootstrap, exact, proportion


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


def test_bootstrap_of_a_mean_has_the_width_of_the_normal_interval():
    sample = np.random.default_rng(0).normal(3, 2, 400)
    ours = bootstrap([sample], lambda units: units.mean(axis=0), "pixels", draws=4000)
    half = 1.96 * sample.std() / 20
    assert ours.value == pytest.approx(sample.mean())
    assert ours.high - ours.low == pytest.approx(2 * half, rel=0.1)
    assert (ours.n, ours.unit) == (400, "pixels")


def test_bootstrap_over_seeds_knows_that_seeds_differ():
    rng = np.random.default_rng(1)
    alike = [rng.normal(0, 1, 200) for _ in range(4)]
    apart = [rng.normal(shift, 1, 200) for shift in (-3, -1, 1, 3)]

    def mean(units):
        return units.mean(axis=0)

    narrow, wide = bootstrap(alike, mean, "x"), bootstrap(apart, mean, "x")
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_bootstrap_needs_units_and_repeats_itself():
    with pytest.raises(ValueError, match="at least one unit"):
        bootstrap([[]], lambda units: units.mean(axis=0), "x")
    one, two = (bootstrap([[1.0, 2.0, 4.0]], lambda units: units.mean(axis=0), "x", seed=3) for _ in range(2))
    assert one == two


def test_an_exact_value_is_its_own_interval_and_settings_are_text():
    assert (exact(5, "parameters").low, exact(5, "parameters").high) == (5, 5)
    assert Measurement("asr", exact(1, "x"), (("steps", 7),)).setting == (("steps", "7"),)
