"""Against enumeration in float64, scipy, published figures, and simulation."""

import doctest
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasaudit.stats import two_groups as statistics
from nasaudit.stats.holm import ALPHA
from nasaudit.stats.two_groups import (
    beside,
    cliffs_delta,
    detectable_difference,
    mean_difference,
    permutation_test,
    pooled_sd,
    smallest_p,
)

few = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=5)


def p_by_hand(first: list[float], second: list[float]) -> float:
    """Twice the smaller tail, over every split, with the difference of means written out."""
    values = [*first, *second]
    observed = np.mean(first) - np.mean(second)
    differences = []
    for chosen in combinations(range(len(values)), len(first)):
        rest = [value for k, value in enumerate(values) if k not in chosen]
        differences.append(np.mean([values[k] for k in chosen]) - np.mean(rest))
    above = np.mean(np.array(differences) >= observed - 1e-12)
    below = np.mean(np.array(differences) <= observed + 1e-12)
    return float(min(1.0, 2 * min(above, below)))


def normal(seed: int, n: int, m: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n) + shift, rng.normal(size=m)


def test_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(statistics)
    assert (found.attempted, found.failed) == (1, 0)


@given(few, few)
@settings(max_examples=150, deadline=None)
def test_p_is_that_of_every_split_looked_at_by_hand(first: list[float], second: list[float]) -> None:
    """Small whole numbers, so that most splits tie."""
    test = permutation_test(first, second)
    assert test.exact
    assert test.p == pytest.approx(p_by_hand(first, second), abs=1e-12)
    assert test.p >= test.smallest_p


@pytest.mark.parametrize(("n", "m"), [(9, 7), (4, 6), (2, 2)])
def test_p_agrees_with_scipy(n: int, m: int) -> None:
    for seed in range(5):
        first, second = normal(seed, n, m, shift=0.8)
        theirs = stats.permutation_test(
            (first, second),
            lambda x, y, axis: x.mean(axis) - y.mean(axis),
            vectorized=True,
            n_resamples=np.inf,
        )
        assert permutation_test(first, second).p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_p_does_not_hang_on_where_zero_is_nor_on_the_order_of_the_groups() -> None:
    first, second = normal(3, 5, 6, shift=1.0)
    p = permutation_test(first, second).p
    assert permutation_test(second, first).p == p
    assert permutation_test(1e6 + 1e-3 * first, 1e6 + 1e-3 * second).p == p


def test_the_smallest_p_is_reached_by_groups_that_do_not_overlap() -> None:
    for n, m in ((9, 7), (4, 4), (2, 3)):
        apart = permutation_test(list(range(100, 100 + n)), list(range(m)))
        assert apart.p == apart.smallest_p == smallest_p(n, m) == pytest.approx(2 / comb(n + m, n))
    assert smallest_p(1, 1) == 1


def test_many_architectures_are_dealt_at_random_and_p_is_never_zero() -> None:
    """Phipson & Smyth: (b + 1) / (m + 1), here with b = 0 in one tail."""
    apart = permutation_test(list(range(100, 115)), list(range(12)), draws=999)
    assert not apart.exact
    assert apart.p == apart.smallest_p == 2 / 1000


def test_random_splits_come_near_the_exact_p(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = normal(1, 9, 7, shift=1.0)
    exact = permutation_test(first, second)
    monkeypatch.setattr(statistics, "EXACT_SPLITS", 1000)
    drawn = permutation_test(first, second, draws=20_000)
    assert exact.exact
    assert not drawn.exact
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p / 10_000))
    assert permutation_test(first, second, draws=500, seed=1) == permutation_test(
        first, second, draws=500, seed=1
    )


@pytest.mark.parametrize("bad", [([], [1.0]), ([1.0], []), ([float("nan")], [1.0]), ([1.0], [float("inf")])])
def test_groups_without_numbers_are_refused(bad: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match="expected two groups of at least 1 finite value"):
        permutation_test(*bad)
    with pytest.raises(ValueError, match="at least 2 finite values each"):
        mean_difference([1.0, 2.0], [1.0], "nats")
    with pytest.raises(ValueError, match="at least 2 finite values each"):
        cliffs_delta([1.0], [1.0, 2.0])


@given(few, few)
@settings(max_examples=100, deadline=None)
def test_cliffs_delta_is_that_of_a_double_loop(first: list[float], second: list[float]) -> None:
    first, second = [*first, 0.0], [*second, 1.0]
    delta = cliffs_delta(first, second)
    count = sum((x > y) - (x < y) for x in first for y in second)
    assert delta.value == pytest.approx(count / (len(first) * len(second)))
    assert -1 <= delta.low <= delta.value <= delta.high <= 1
    mirrored = cliffs_delta(second, first)
    assert (mirrored.low, mirrored.high) == (pytest.approx(-delta.high), pytest.approx(-delta.low))


def test_cliffs_delta_has_the_interval_of_the_r_package_effsize() -> None:
    """The example among its tests: delta -.25, 95 % interval -.7265846 to .3890062."""
    delta = cliffs_delta([10, 10, 20, 20, 20, 30, 30, 30, 40, 50], [10, 20, 30, 40, 40, 50])
    assert delta.value == -0.25
    assert (delta.low, delta.high) == (
        pytest.approx(-0.7265846, abs=5e-8),
        pytest.approx(0.3890062, abs=5e-8),
    )


def test_groups_that_do_not_overlap_still_leave_doubt() -> None:
    """Feng & Cliff: (k - t^2) / (k + t^2); by hand for 3 and 3, t with 4 degrees of freedom is 2.776445."""
    delta = cliffs_delta([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
    assert (delta.value, delta.high) == (1, 1)
    assert delta.low == pytest.approx((3 - 2.776445**2) / (3 + 2.776445**2), rel=1e-6)


def test_the_difference_has_welchs_interval() -> None:
    for seed in range(4):
        first, second = normal(seed, 9, 7, shift=0.5)
        ours = mean_difference(first, 3 * second, "nats")
        theirs = stats.ttest_ind(first, 3 * second, equal_var=False).confidence_interval(0.95)
        assert ours.value == pytest.approx(first.mean() - 3 * second.mean())
        assert (ours.low, ours.high, ours.n) == (pytest.approx(theirs.low), pytest.approx(theirs.high), 16)


def test_groups_without_spread_have_no_interval() -> None:
    same = mean_difference([1.0, 1.0], [1.0, 1.0, 1.0], "fraction")
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert permutation_test([1.0, 1.0], [1.0, 1.0, 1.0]).p == 1


def test_pooled_sd_is_that_of_the_t_test() -> None:
    first, second = normal(0, 9, 7)
    t = stats.ttest_ind(first, second).statistic
    assert (first.mean() - second.mean()) / t == pytest.approx(
        pooled_sd(first, second) * np.sqrt(1 / 9 + 1 / 7)
    )


def test_the_detectable_difference_has_the_power_of_the_noncentral_t() -> None:
    """Both tails of scipy's noncentral t, at the level that 11440 splits attain: 2 * floor(.05 * 5720) / 11440."""
    delta = detectable_difference(2.0, 9, 7)
    noncentrality = delta / (2.0 * np.sqrt(1 / 9 + 1 / 7))
    critical = stats.t.ppf(1 - 0.05 / 2, 14)
    power = stats.nct.sf(critical, 14, noncentrality) + stats.nct.cdf(-critical, 14, noncentrality)
    assert power == pytest.approx(0.8, abs=1e-5)


def test_no_difference_can_be_seen_where_the_smallest_p_is_too_large() -> None:
    assert detectable_difference(1.0, 3, 3) is None  # .1 at best
    assert detectable_difference(1.0, 4, 4) is not None  # 2/70
    assert detectable_difference(1.0, 4, 4, alpha=ALPHA / 5) is None
    assert detectable_difference(1.0, 1, 200) is None


def rejections(seed: int, n: int, m: int, shift: float, studies: int, copies: int = 1) -> float:
    """Share of made-up studies with p <= .05; `copies` near-equal trainings of each architecture, taken as models."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(studies, n + m))
    values[:, :n] += shift
    values = np.repeat(values, copies, axis=1) + 0.3 * (copies > 1) * rng.normal(
        size=(studies, copies * (n + m))
    )
    return float(
        np.mean([permutation_test(row[: copies * n], row[copies * n :]).p <= ALPHA for row in values])
    )


def test_without_a_difference_one_study_in_twenty_finds_one() -> None:
    """1,500 studies: the binomial's standard error at .05 is .0056."""
    assert rejections(0, 9, 7, 0.0, 1500) == pytest.approx(0.05, abs=0.018)


def test_the_defect_of_taking_seeds_for_models_would_be_seen() -> None:
    assert rejections(0, 4, 4, 0.0, 500) <= 0.05
    assert rejections(0, 4, 4, 0.0, 300, copies=2) > 0.12


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "m", "alpha", "least"),
    [(9, 7, 0.05, 0.78), (9, 7, 0.01, 0.78), (5, 4, 0.05, 0.78), (4, 4, 0.05, 0.70)],
)
def test_the_detectable_difference_is_found_four_times_in_five(
    n: int, m: int, alpha: float, least: float
) -> None:
    """4,000 studies: standard error .0063. With 4 and 4 only the most extreme split counts, which costs power."""
    rng = np.random.default_rng(8)
    delta = detectable_difference(1.0, n, m, alpha=alpha)
    values = rng.normal(size=(4000, n + m))
    values[:, :n] += delta
    found = np.mean([permutation_test(row[:n], row[n:]).p <= alpha + 1e-12 for row in values])
    assert least < found < 0.82


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(9, 7), (4, 4), (2, 2)])
def test_the_intervals_cover_the_truth(n: int, m: int) -> None:
    """Normal groups one standard deviation apart: delta is 2 Phi(1 / sqrt 2) - 1."""
    truth = 2 * stats.norm.cdf(1 / np.sqrt(2)) - 1
    covered = {"difference": 0, "delta": 0}
    for seed in range(2000):
        first, second = normal(seed, n, m, shift=1.0)
        difference, delta = mean_difference(first, second, ""), cliffs_delta(first, second)
        covered["difference"] += difference.low <= 1 <= difference.high
        covered["delta"] += delta.low <= truth <= delta.high
    assert min(covered.values()) / 2000 > 0.935


def test_a_single_value_beside_others_has_students_interval() -> None:
    others = [0.2, 0.25, 0.21, 0.3]
    found = beside([0.4], others, "fraction")
    reference = stats.ttest_ind([0.4], others, equal_var=True).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    mirrored = beside(others, [0.4], "fraction")
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_two_of_each_have_welchs_interval_and_one_of_each_none() -> None:
    assert beside([0.1, 0.2], [0.3, 0.5], "x") == mean_difference([0.1, 0.2], [0.3, 0.5], "x")
    assert beside([0.1], [0.3], "x") is None
    with pytest.raises(ValueError, match="at least 1"):
        beside([], [0.3, 0.4], "x")
