"""Intervals against explicit recomputation, and against what they promise."""

import numpy as np
import pytest
from scipy import stats

from nasaudit.stats.jackknife import jackknife


def test_of_a_mean_with_parts_of_one_it_is_the_t_interval_of_the_logarithm():
    """For f(mean) the pseudo-values are written out one by one here."""
    data = np.random.default_rng(0).gamma(3.0, size=12)
    deleted = [np.delete(data, k).mean() for k in range(12)]
    found = jackknife(data.mean(), deleted, "x")
    pseudo = [12 * np.log(data.mean()) - 11 * np.log(value) for value in deleted]
    half = stats.t.ppf(0.975, 11) * np.std(pseudo, ddof=1) / np.sqrt(12)
    assert (found.value, found.n, found.unit) == (data.mean(), 12, "x")
    assert np.log([found.low, found.high]) == pytest.approx(
        [np.log(found.value) - half, np.log(found.value) + half], rel=1e-12
    )


def test_unequal_parts_follow_the_formula_of_busing():
    sizes = np.array([3, 2, 2])
    value, deleted, log = 5.0, np.array([4.0, 5.5, 5.2]), np.log
    centre = 3 * log(value) - sum((1 - m / 7) * log(d) for m, d in zip(sizes, deleted, strict=True))
    variance = 0.0
    for m, d in zip(sizes, deleted, strict=True):
        h = 7 / m
        variance += (h * log(value) - (h - 1) * log(d) - centre) ** 2 / (h - 1) / 3
    found = jackknife(value, deleted, "x", sizes)
    assert found.n == 7
    assert log(found.high) - log(value) == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(variance))


def test_where_something_is_zero_the_interval_is_linear_and_ends_at_zero():
    found = jackknife(1.0, [0.0, 1.0, 2.0], "x")
    half = stats.t.ppf(0.975, 2) * np.sqrt(np.var([3.0, 1.0, -1.0], ddof=1) / 3)
    assert (found.low, found.high) == (0.0, pytest.approx(1 + half))
    nothing = jackknife(0.0, [0.0, 0.0], "x")
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("value", "deleted"),
    [(1.0, [1.0]), (-1.0, [1.0, 2.0]), (float("nan"), [1.0, 2.0]), (1.0, [1.0, float("inf")])],
)
def test_what_has_no_interval_is_refused(value, deleted):
    with pytest.raises(ValueError, match="at least 2 that leave a part out"):
        jackknife(value, deleted, "x")


def test_it_covers_a_variance_as_often_as_it_says():
    """500 samples of 16 normal values: the interval of their variance holds the true one in 90 to 98 %."""
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(500, 16))
    covered = 0
    for sample in samples:
        deleted = [np.delete(sample, k).var(ddof=1) for k in range(16)]
        found = jackknife(sample.var(ddof=1), deleted, "x")
        covered += found.low <= 1 <= found.high
    assert 0.90 <= covered / 500 <= 0.98
