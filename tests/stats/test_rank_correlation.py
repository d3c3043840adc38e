"""Against scipy, the inverse of the correlation matrix, every order written out, and simulation."""

import doctest
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasaudit.stats import rank_correlation as correlation
from nasaudit.stats.rank_correlation import (
    detectable_correlation,
    smallest_p,
    spearman,
    spearman_interval,
    spearman_test,
)

Array = np.ndarray
whole = st.integers(-3, 3).map(float)
few = st.lists(st.tuples(whole, whole), min_size=5, max_size=6)


def related(rng: np.random.Generator, n: int, rho: float) -> tuple[Array, Array]:
    """Normal values whose rank correlation is `rho`: 6 / pi asin(r / 2) with r that of the values (Kruskal 1958)."""
    r = 2 * np.sin(np.pi * rho / 6)
    x = rng.normal(size=n)
    return x, r * x + np.sqrt(1 - r * r) * rng.normal(size=n)


def three_depths(x: Array) -> Array:
    """As the depths of random cells: 18, 36 and 6 of 60."""
    return np.digitize(x, stats.norm.ppf([0.3, 0.9])).astype(float)


def through_the_inverse(x: Array, y: Array, controls: list[Array]) -> float:
    """The partial correlation from the inverse of the correlation matrix of scipy's ranks."""
    inverse = np.linalg.inv(np.corrcoef([stats.rankdata(side) for side in (x, y, *controls)]))
    return float(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))


def through_recursion(x: Array, y: Array, controls: list[Array]) -> float:
    """Yule's formula, one control at a time."""
    if not controls:
        return float(stats.spearmanr(x, y).statistic)
    *rest, last = controls
    xy, xc, yc = (
        through_recursion(*pair, rest) for pair in ((x, y), (x, last), (y, last))
    )  # fmt: skip
    return (xy - xc * yc) / np.sqrt((1 - xc**2) * (1 - yc**2))


def test_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(correlation)
    assert (found.attempted, found.failed) == (4, 0)


# The correlation -------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(whole, whole), min_size=5, max_size=30))
@settings(max_examples=100, deadline=None)
def test_the_correlation_is_that_of_scipy_with_ties(pairs: list[tuple[float, float]]) -> None:
    x, y = zip(*pairs, strict=True)
    if len(set(x)) == 1 or len(set(y)) == 1:
        with pytest.raises(ValueError, match="expected two measures that vary"):
            spearman(x, y)
    else:
        assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("n", [10, 60])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_partial_correlation_is_that_of_two_other_formulas(n: int, count: int) -> None:
    rng = np.random.default_rng(n + count)
    for _ in range(20):
        controls = list(rng.normal(size=(count, n)).round(1))
        x, y = (sum(controls) + rng.normal(size=n).round(1) for _ in range(2))
        ours = spearman(x, y, controls)
        assert ours == pytest.approx(through_the_inverse(x, y, controls), abs=1e-10)
        assert ours == pytest.approx(through_recursion(x, y, controls), abs=1e-10)


def test_a_control_that_is_constant_or_told_by_another_adds_nothing() -> None:
    x, y, control = np.random.default_rng(0).normal(size=(3, 20))
    alone = spearman(x, y, [control])
    for more in (
        [control, np.ones(20)],
        [np.ones(20), control],
        [control, np.exp(control)],
        [control, -control],
    ):
        assert spearman(x, y, more) == pytest.approx(alone, abs=1e-12)
        assert spearman_test(x, y, more) == spearman_test(x, y, [control])


def test_only_the_order_counts() -> None:
    rng = np.random.default_rng(1)
    x, y = related(rng, 30, 0.5)
    assert spearman_interval(np.exp(x), y**3) == spearman_interval(x, y)
    assert spearman_test(1e9 + x, y) == spearman_test(x, y)
    assert spearman(x, -y) == -spearman(x, y)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (([1, 2, 3, 4], [1, 2, 3, 4], []), "at least 5 architectures"),
        (([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [[1, 2, 3, 5, 4]]), "at least 6 architectures"),
        (([1, 2, 3, 4, 5], [1, 2, 3, 4], []), "one value of each measure"),
        (([1, 2, 3, 4, float("nan")], [1, 2, 3, 4, 5], []), "expected finite values"),
        (([1, 2, 3, 4, 5], [1, 2, 3, 4, float("inf")], []), "expected finite values"),
        (([2, 2, 2, 2, 2], [1, 2, 3, 4, 5], []), "expected two measures that vary"),
        (([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], [[1, 2, 3, 4, 5, 6]]), "beyond what the controls tell"),
    ],
)  # fmt: skip
def test_what_has_no_correlation_is_refused_and_never_nan(
    sides: tuple[list[float], list[float], list[list[float]]], message: str
) -> None:
    for ask in (spearman, spearman_interval, spearman_test):
        with pytest.raises(ValueError, match=message):
            ask(*sides)


# The interval ----------------------------------------------------------------------------------------------------


def test_ranks_of_a_draw_are_those_of_scipy() -> None:
    """The matrix product stands for ranking each draw anew."""
    rng = np.random.default_rng(2)
    x, y, control = rng.normal(size=(3, 12)).round()
    counts = rng.multinomial(12, np.full(12, 1 / 12), size=50).astype(float)
    below = np.stack([correlation._below(side) for side in (x, y, control)])
    for draw, ours, partial in zip(
        counts, correlation._correlations(below[:2], counts), correlation._correlations(below, counts), strict=True
    ):  # fmt: skip
        chosen = np.repeat(np.arange(12), draw.astype(int))
        assert ours == pytest.approx(stats.spearmanr(x[chosen], y[chosen]).statistic, abs=1e-12)
        theirs = through_the_inverse(x[chosen], y[chosen], [control[chosen]])
        assert partial == pytest.approx(theirs, abs=1e-9)


def test_the_interval_is_near_that_of_scipy() -> None:
    x, y = related(np.random.default_rng(3), 40, 0.6)
    theirs = stats.bootstrap(
        (x, y), lambda a, b: stats.spearmanr(a, b).statistic, paired=True, vectorized=False,
        n_resamples=1999, method="BCa", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    ours = spearman_interval(x, y)
    assert (ours.low, ours.high) == (
        pytest.approx(theirs.low, abs=0.03),
        pytest.approx(theirs.high, abs=0.03),
    )
    assert (ours.n, ours.unit) == (40, "rho")
    assert spearman_interval(x, y) == ours


def test_a_perfect_order_is_no_certainty() -> None:
    x = np.arange(8.0)
    up, down = spearman_interval(x, x), spearman_interval(x, -x)
    assert (up.value, up.high) == (1, 1)
    assert 0.5 < up.low < 0.9
    assert (down.low, down.high) == (-1, -up.low)
    assert spearman_interval(x[:5], x[:5]).low < 0  # five architectures say next to nothing


def test_a_measure_that_hangs_on_one_architecture_leaves_everything_open() -> None:
    """More than a third of all draws are without the odd one: there is no correlation in them."""
    odd = spearman_interval([0, 0, 0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6, 7, 8])
    assert (odd.low, odd.high) == (-1, 1)


def covered(n: int, rho: float, studies: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    ends = [spearman_interval(*related(rng, n, rho)) for _ in range(studies)]
    return float(np.mean([end.low <= rho <= end.high for end in ends]))


@pytest.mark.parametrize(("n", "rho"), [(12, 0.5), (40, -0.8)])
def test_the_interval_covers_the_truth(n: int, rho: float) -> None:
    assert covered(n, rho, studies=250, seed=n) > 0.92


@pytest.mark.slow
@pytest.mark.parametrize("n", [12, 20, 60])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_interval_covers_the_truth_in_95_percent(n: int, rho: float) -> None:
    """1,500 studies: standard error .0056."""
    assert 0.93 < covered(n, rho, studies=1500, seed=7) < 0.99


@pytest.mark.slow
@pytest.mark.parametrize("r", [0.0, 0.5])
def test_the_partial_interval_covers_the_partial_of_a_large_sample(r: float) -> None:
    def draw(n: int, rng: np.random.Generator) -> tuple[Array, Array, list[Array]]:
        a, b, x, noise = rng.normal(size=(4, n))
        return x + a + b / 2, r * x + np.sqrt(1 - r * r) * noise + a + b / 2, [a, b]

    truth = through_the_inverse(*draw(300_000, np.random.default_rng(0)))
    rng = np.random.default_rng(1)
    ends = [spearman_interval(*draw(60, rng)) for _ in range(1500)]
    assert 0.93 < np.mean([end.low <= truth <= end.high for end in ends]) < 0.98


# The test --------------------------------------------------------------------------------------------------------


@given(few)
@settings(max_examples=25, deadline=None)
def test_p_is_that_of_every_order_looked_at_by_hand(pairs: list[tuple[float, float]]) -> None:
    """Small whole numbers, so that most orders tie."""
    x, y = (np.array(side) for side in zip(*pairs, strict=True))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    ranks_x, ranks_y = stats.rankdata(x), stats.rankdata(y)
    found = np.array([np.corrcoef(ranks_x, order)[0, 1] for order in permutations(ranks_y)])
    observed = np.corrcoef(ranks_x, ranks_y)[0, 1]
    tails = np.mean(found >= observed - 1e-9), np.mean(found <= observed + 1e-9)
    test = spearman_test(x, y)
    assert test.exact
    assert test.p == pytest.approx(min(1, 2 * min(tails)), abs=1e-12)
    assert test.p >= smallest_p(x, y) - 1e-12


def test_random_orders_come_near_the_p_of_students_t() -> None:
    rng = np.random.default_rng(5)
    for rho in (0.0, 0.2, 0.3):
        x, y = related(rng, 60, rho)
        test = spearman_test(x, y)
        assert not test.exact
        assert test.p == pytest.approx(stats.spearmanr(x, y).pvalue, abs=0.02)
        assert test == spearman_test(x, y)


def test_p_is_never_zero_and_the_smallest_is_reached() -> None:
    x = np.arange(30.0)
    assert spearman_test(x, x, draws=999).p == smallest_p(x, x, draws=999) == 2 / 1000
    assert spearman_test(x[:6], -x[:6]).p == pytest.approx(2 / 720)
    odd = [0] * 59 + [1]  # it can lie in 60 places
    assert spearman_test(odd, range(60)).p == pytest.approx(2 / 60, abs=0.008)


@pytest.mark.parametrize("n", [12, 60])
def test_the_partial_test_permutes_residuals_as_written_out(n: int) -> None:
    """Freedman & Lane literally: permute residuals, add the fit, correlate what is left after regressing again."""
    rng = np.random.default_rng(n)
    controls = rng.normal(size=(2, n))
    x, y = controls.sum(axis=0) + rng.normal(size=(2, n))
    design = np.column_stack([np.ones(n), *(stats.rankdata(control) for control in controls)])

    def left(values: Array) -> Array:
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    ranks_x, ranks_y = stats.rankdata(x), stats.rankdata(y)
    fit = ranks_y - left(ranks_y)
    found = []
    for order in correlation._orders(n, 400, 0):
        found.append(np.corrcoef(left(ranks_x), left(fit + left(ranks_y)[order]))[0, 1])
    observed = np.corrcoef(left(ranks_x), left(ranks_y))[0, 1]
    tails = [np.sum(np.array(found) >= observed) + 1, np.sum(np.array(found) <= observed) + 1]
    expected = min(1, 2 * min(tails) / 401)
    assert spearman_test(x, y, list(controls), draws=400).p == pytest.approx(expected, abs=1e-12)


def rejected(n: int, rho: float, alpha: float, studies: int, seed: int, tied: bool = False) -> float:
    rng = np.random.default_rng(seed)
    pairs = (related(rng, n, rho) for _ in range(studies))
    return float(
        np.mean([spearman_test(three_depths(x) if tied else x, y).p <= alpha + 1e-12 for x, y in pairs])
    )


@pytest.mark.slow
@pytest.mark.parametrize(("n", "tied"), [(8, False), (20, False), (60, False), (60, True)])
def test_the_level_holds(n: int, tied: bool) -> None:
    """3,000 studies: standard error .004."""
    assert rejected(n, 0.0, 0.05, studies=3000, seed=n, tied=tied) < 0.063


@pytest.mark.slow
@pytest.mark.parametrize(("weight", "most"), [(0.0, 0.065), (0.5, 0.075)])
def test_the_level_of_the_partial_test_holds_while_the_controls_explain_up_to_a_third(
    weight: float, most: float
) -> None:
    """Beyond, ranks leave some of a control behind, and the test sees it: docs/claims.md says how much."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(2000):
        a, b, x, y = rng.normal(size=(4, 60))
        found.append(spearman_test(x + weight * (a + b), y + weight * (a + b), [a, b]).p <= 0.05)
    assert np.mean(found) < most


# What could have been seen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "alpha"), [(60, 0.05 / 15), (10, 0.05)])
def test_the_detectable_correlation_is_found_four_times_in_five(n: int, alpha: float) -> None:
    rho = detectable_correlation(n, alpha=alpha)
    assert rho is not None
    assert 0.74 < rejected(n, rho, alpha, studies=300, seed=12) < 0.86


@pytest.mark.slow
@pytest.mark.parametrize(("n", "alpha", "least"), [(60, 0.05, 0.78), (60, 0.05 / 15, 0.78), (10, 0.05, 0.76)])
def test_the_detectable_correlation_is_found_as_often_as_promised(n: int, alpha: float, least: float) -> None:
    """4,000 studies: standard error .0063."""
    rho = detectable_correlation(n, alpha=alpha)
    assert rho is not None
    assert least < rejected(n, rho, alpha, studies=4000, seed=13) < 0.82


def test_what_no_test_can_find_is_not_promised() -> None:
    assert detectable_correlation(5, alpha=0.01) is None  # 2 / 120 is the least
    odd = smallest_p([0] * 29 + [1], range(30))
    assert detectable_correlation(30, least_p=odd) is None  # 2 / 30 is the least
    assert detectable_correlation(60, alpha=0.05 / 1000) is None  # 2 / 20,000 is the least
    with pytest.raises(ValueError, match="at least 5"):
        detectable_correlation(4)


def test_more_architectures_and_a_looser_level_find_less() -> None:
    sizes = [detectable_correlation(n) or 1 for n in (8, 20, 60, 200)]
    levels = [detectable_correlation(60, alpha=alpha) or 1 for alpha in (0.001, 0.01, 0.05)]
    assert sizes == sorted(sizes, reverse=True)
    assert levels == sorted(levels, reverse=True)
