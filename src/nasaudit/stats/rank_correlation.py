"""Rank correlation over architectures: its size, its interval, its p, and what could have been seen. No torch.

Does a measure of the cell (its depth, the smoothness of its loss) go with how vulnerable the model is? Spearman's
rank correlation asks only that one grows where the other does. Its unit is the architecture, as in
`stats.two_groups`. With controls it is the correlation of what is left of both ranks after a linear regression on
the ranks of the controls: do two cells of the same accuracy and the same FLOPs still differ in the same order?

- Spearman, "The Proof and Measurement of Association between Two Things", American Journal of Psychology 15, 1904.
- Efron, "Better Bootstrap Confidence Intervals", Journal of the American Statistical Association 82, 1987: the BCa
  interval, with the jackknife's acceleration.
- Freedman & Lane, "A Nonstochastic Interpretation of Reported Significance Levels", Journal of Business & Economic
  Statistics 1, 1983: with controls, the residuals are permuted. Without, this is the permutation test of Pitman 1937.
- Bonett & Wright, "Sample Size Requirements for Estimating Pearson, Kendall and Spearman Correlations",
  Psychometrika 65, 2000: the variance of atanh(rho) is (1 + rho^2 / 2) / (n - 3).

Ties have their mean rank. Ranks of a bootstrap draw are not sorted anew: where architecture j was drawn w_j times,
the mean rank of i is sum_j w_j ([x_j < x_i] + [x_j = x_i] / 2) + 1/2, so the ranks of all draws are one matrix
product.

Deviations: a draw in which a side is constant has no correlation; it counts as -1 for the lower end of the interval
and as 1 for the upper one, and where more than 5 % of the draws are such the interval is [-1, 1]. At |rho| = 1 every
draw gives 1 too; the inner end is then Bonett & Wright's for the largest correlation below 1.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations
from math import atanh, lgamma, sqrt, tanh

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from nasaudit.measure.estimate import Estimate, FloatArray
from nasaudit.stats.holm import ALPHA, FEWEST_TESTED, POWER
from nasaudit.stats.permutation import PermutationTest

BOOTSTRAP_DRAWS = 1_999
EXACT_SIZE = 7  # all orders are looked at up to so many architectures, and beyond that ORDER_DRAWS of them
ORDER_DRAWS = 19_999
NOTHING = 1e-10  # share of a variance below which it is rounding

Values = Sequence[float] | FloatArray


def spearman(x: Values, y: Values, controls: Sequence[Values] = ()) -> float:
    """Spearman's rank correlation in [-1, 1]; with controls, the partial one.

    Args:
        x: one value for each architecture, at least FEWEST_TESTED and one more for each control.
        y: the same of another measure.
        controls: the same of measures that are held fixed. One that is constant, or told by the others, adds nothing.

    Raises:
        ValueError: too few values, lengths that differ, a value that is not finite, or nothing is left of a side: it
            is constant, or the controls tell its ranks.

    >>> spearman([1, 2, 3, 4, 5], [1, 4, 9, 16, 25]), spearman([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    (1.0, 0.8)
    >>> round(spearman([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], [[1, 1, 2, 2, 3, 3]]), 12)
    -1.0
    """
    below = _check(x, y, controls)
    value = float(_correlations(below, np.ones((1, len(x))))[0])
    return float(np.clip(round(value, 14), -1, 1))


def spearman_interval(
    x: Values, y: Values, controls: Sequence[Values] = (), *, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> Estimate:
    """The correlation with its 95 % BCa interval over architectures; unit "rho".

    Args:
        x: as in `spearman`.
        y: as in `spearman`.
        controls: as in `spearman`.
        draws: of the bootstrap.
        seed: decides the draws; the same for all measures of the same architectures.

    Raises:
        ValueError: as in `spearman`.
    """
    below = _check(x, y, controls)
    n = len(x)
    value = spearman(x, y, controls)
    if 1 - abs(value) < 1e-9:
        # The end towards 0 is Bonett & Wright's, for the largest rank correlation below 1.
        free = n - len(controls)
        largest = 1 - 12 / (free * (free**2 - 1))
        half = float(ndtri(1 - ALPHA / 2)) * sqrt((1 + largest**2 / 2) / (free - 3))
        low, high = sorted((value, value * tanh(atanh(largest) - half)))
    else:
        low, high = _bca(
            value,
            _correlations(below, _counts(n, draws, seed)),
            _correlations(below, 1 - np.eye(n)),
        )
    return Estimate(value, min(low, value), max(high, value), n, "rho")


def spearman_test(
    x: Values, y: Values, controls: Sequence[Values] = (), *, draws: int = ORDER_DRAWS, seed: int = 0
) -> PermutationTest:
    """Test whether the order of `y` has to do with that of `x`, more than ordering it at random explains.

    A rejection at level alpha also tells the sign (`stats.permutation`). With controls the residuals of the ranks of
    `y` are permuted (Freedman & Lane) and the partial correlation is compared.

    Args:
        x: as in `spearman`.
        y: as in `spearman`.
        controls: as in `spearman`.
        draws: how many random orders where there are more than EXACT_SIZE architectures.
        seed: decides the random orders.

    Raises:
        ValueError: as in `spearman`.
    """
    below = _check(x, y, controls)
    n = len(x)
    ranks = below.sum(axis=1) - n / 2  # [2 + k, n], about their mean
    basis = _basis(ranks[2:])
    left_x, left_y = ranks[:2] - ranks[:2] @ basis @ basis.T
    orders = _orders(n, draws, seed)
    shuffled = left_y[orders]
    sums = shuffled @ left_x
    if len(controls):
        # The variance that a permuted residual has outside of the controls; the observed one has all of its own.
        outside = left_y @ left_y - ((shuffled @ basis) ** 2).sum(axis=1)
        sums *= np.sqrt(left_y @ left_y / np.maximum(outside, NOTHING * (left_y @ left_y)))
    observed = left_x @ left_y
    tie = 1e-9 * sqrt((left_x @ left_x) * (left_y @ left_y))
    least = smallest_p(x, y, draws)
    return PermutationTest.of(sums, observed, tie, smallest_p=least, exact=n <= EXACT_SIZE)


def smallest_p(x: Values, y: Values, draws: int = ORDER_DRAWS) -> float:
    """The least two-sided p that measures with these ties can give, or a little less where both have ties.

    Orders that differ within ties are one: 59 cells of depth 2 and one of depth 3 have 60 places for the odd one.

    >>> round(smallest_p([1, 2, 3, 4, 5], [1, 2, 3, 4, 5]), 4), round(smallest_p([0] * 59 + [1], range(60)), 4)
    (0.0167, 0.0333)
    """
    n = len(x)
    same = max(
        sum(lgamma(count + 1) for count in np.unique(values, return_counts=True)[1]) for values in (x, y)
    )
    resolution = 0.0 if n <= EXACT_SIZE else 2 / (draws + 1)
    return min(1.0, max(resolution, 2 * float(np.exp(same - lgamma(n + 1)))))


def detectable_correlation(
    n: int, *, alpha: float = ALPHA, power: float = POWER, least_p: float = 0.0
) -> float | None:
    """The smallest true |rho| that the permutation test finds with this power.

    The test finds what exceeds c = t / sqrt(n - 2 + t^2), with t the quantile of Student's t of n - 2 degrees of
    freedom at 1 - a / 2; its level a is the largest p within alpha that the test can give. atanh of the measured
    correlation is taken as normal about atanh(rho), with Bonett & Wright's variance; rho solves
    (atanh(rho) - atanh(c)) / sqrt((1 + rho^2 / 2) / (n - 3)) = z_power.

    Args:
        n: architectures.
        alpha: two-sided level of the test.
        power: wished for.
        least_p: that the test can give (`smallest_p`), which ties may raise.

    Returns:
        The correlation, in (0, 1); None where the test never gives a p within alpha.

    Raises:
        ValueError: fewer than FEWEST_TESTED architectures.

    >>> round(detectable_correlation(60), 2), detectable_correlation(5, alpha=0.01)
    (0.36, None)
    """
    if n < FEWEST_TESTED:
        raise ValueError(f"expected at least {FEWEST_TESTED} architectures, got {n}")
    level = _attained(n, alpha)
    if level == 0 or least_p > alpha * (1 + 1e-9):
        return None
    quantile = float(stdtrit(n - 2, 1 - level / 2))
    critical = quantile / sqrt(n - 2 + quantile**2)

    def excess(z: float) -> float:
        return (z - atanh(critical)) / sqrt((1 + tanh(z) ** 2 / 2) / (n - 3)) - float(ndtri(power))

    # Within its factor of at most sqrt(1.5) the variance does not hang on rho, so both ends are safe.
    end = atanh(critical) + 2 * (abs(float(ndtri(power))) + 1) / sqrt(n - 3)
    return tanh(float(brentq(excess, 0.0, end)))  # type: ignore[no-untyped-call]


def _check(x: Values, y: Values, controls: Sequence[Values]) -> FloatArray:
    """The comparisons of all values with each other, checked: float [2 + k, n, n], see `_below`."""
    sides = [np.asarray(values, np.float64) for values in (x, y, *controls)]
    fewest = FEWEST_TESTED + len(controls)
    if any(side.shape != sides[0].shape or side.ndim != 1 for side in sides) or len(sides[0]) < fewest:
        raise ValueError(
            f"expected one value of each measure for at least {fewest} architectures, "
            f"got shapes {[side.shape for side in sides]}"
        )
    if not all(np.isfinite(side).all() for side in sides):
        raise ValueError(f"expected finite values, got {[side.tolist() for side in sides]}")
    below = np.stack([_below(side) for side in sides])
    if np.isnan(_correlations(below, np.ones((1, len(sides[0]))))[0]):
        raise ValueError("expected two measures that vary, beyond what the controls tell; a side does not")
    return below


def _below(values: FloatArray) -> FloatArray:
    """[j, i]: whether j is below i, half where they tie. A sum over j is the mean rank of i, less a half."""
    first, second = values[:, None], values[None, :]
    below: FloatArray = (first < second) + 0.5 * (first == second)
    return below


def _correlations(below: FloatArray, counts: FloatArray) -> FloatArray:
    """The (partial) correlation of each draw: float [draws], nan where a side has nothing left.

    Args:
        below: [2 + k, n, n] of x, y and the controls.
        counts: [draws, n], how often each architecture was drawn.
    """
    size = counts.sum(axis=1)[:, None]
    ranks = np.stack(
        [counts @ side - size / 2 for side in below], axis=1
    )  # [draws, 2 + k, n], about their mean
    products = (ranks * counts[:, None, :]) @ ranks.swapaxes(1, 2)
    whole = np.einsum("dkk->dk", products).copy()
    for k in range(2, len(below)):
        # Sweep out one control: of one that is constant or told by the earlier ones nothing is left to sweep with.
        left = products[:, k, k]
        factor = np.where(left > NOTHING * whole[:, k], 1 / np.where(left > 0, left, 1), 0)
        products = products - factor[:, None, None] * products[:, :, k : k + 1] * products[:, k : k + 1, :]
    variances = np.einsum("dkk->dk", products)[:, :2]
    defined = ((variances > NOTHING * whole[:, :2]) & (whole[:, :2] > 0)).all(axis=1)
    scale = np.sqrt(np.where(defined, variances.prod(axis=1), 1))
    correlations: FloatArray = np.where(defined, products[:, 0, 1] / scale, np.nan)
    return correlations


def _basis(ranks: FloatArray) -> FloatArray:
    """An orthonormal basis of what centred ranks [k, n] span: float [n, at most k]."""
    if not len(ranks):
        return np.zeros((ranks.shape[1], 0))
    _, sizes, rows = np.linalg.svd(ranks, full_matrices=False)
    basis: FloatArray = rows[sizes > sqrt(NOTHING) * max(sizes[0], 1.0)].T
    return basis


def _bca(value: float, drawn: FloatArray, without_one: FloatArray) -> tuple[float, float]:
    """Efron (1987): quantiles of the draws, at levels corrected for bias (z0) and skew (a)."""
    known = drawn[~np.isnan(drawn)]
    if len(known) < (1 - ALPHA) * len(drawn):
        return -1.0, 1.0
    below = np.count_nonzero(known < value - 1e-12) + np.count_nonzero(known <= value + 1e-12)
    z0 = float(ndtri((below / 2 + 0.5) / (len(known) + 1)))
    gaps = np.nanmean(without_one) - np.nan_to_num(without_one, nan=float(np.nanmean(without_one)))
    spread = float((gaps**2).sum())
    a = float((gaps**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    ends = []
    for z, unknown in ((float(ndtri(ALPHA / 2)), -1.0), (float(ndtri(1 - ALPHA / 2)), 1.0)):
        level = float(ndtr(z0 + (z0 + z) / max(1 - a * (z0 + z), 1e-6)))
        ends.append(float(np.quantile(np.nan_to_num(drawn, nan=unknown), level)))
    return ends[0], ends[1]


def _attained(n: int, alpha: float) -> float:
    """The largest p within alpha that n architectures without ties can give, where all orders are looked at."""
    if n > EXACT_SIZE:
        return alpha if alpha * (ORDER_DRAWS + 1) >= 2 else 0.0
    sums = np.sort(_orders(n, 0, 0) @ np.arange(n))
    tails = len(sums) - np.searchsorted(sums, np.unique(sums))  # orders at least as extreme
    ps = 2 * tails / len(sums)
    return float(ps[ps <= alpha * (1 + 1e-9)].max(initial=0.0))


@lru_cache(maxsize=8)
def _counts(n: int, draws: int, seed: int) -> FloatArray:
    """How often each of n architectures is in a bootstrap draw: float [draws, n]."""
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=draws)
    return np.asarray(drawn, dtype=np.float64)


@lru_cache(maxsize=8)
def _orders(n: int, draws: int, seed: int) -> npt.NDArray[np.intp]:
    """Every order of n architectures if there are few, else random ones: int [orders, n]."""
    if n <= EXACT_SIZE:
        return np.array(list(permutations(range(n))), dtype=np.intp)
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(n, dtype=np.intp), (draws, 1)), axis=1)
