"""Two groups of architectures compared: which is more vulnerable, by how much, and what could be seen. No torch.

The unit is the architecture, never the image nor the training: all models are attacked with the same images, and
the trainings of one architecture are alike, so neither is a replicate of "an architecture designed by NAS". Under
the null hypothesis the group is a label without meaning, so every way to deal the labels to the architectures is
equally likely. That is the permutation test (`stats.permutation` has how its tails are counted):

- Fisher, "The Design of Experiments", 1935; Pitman, "Significance Tests Which May Be Applied to Samples from any
  Populations", Supplement to the Journal of the Royal Statistical Society 4, 1937.
- Welch, "The Generalization of 'Student's' Problem when Several Different Population Variances are Involved",
  Biometrika 34, 1947.
- Cliff, "Dominance Statistics: Ordinal Analyses to Answer Ordinal Questions", Psychological Bulletin 114, 1993, and
  "Ordinal Methods for Behavioral Data Analysis", 1996; interval as Feng & Cliff, "Monte Carlo Evaluation of
  Ordinal d with Improved Confidence Interval", Journal of Modern Applied Statistical Methods 3, 2004.

Deviations: none in the formulas. The detectable difference is that of the t-test at the level that the permutation
test attains, because the permutation test's own power has no closed form; the tests compare the two by simulation.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import comb, floor, sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from nasaudit.measure.estimate import Estimate, FloatArray, exact
from nasaudit.stats.holm import ALPHA, FEWEST, POWER
from nasaudit.stats.permutation import PermutationTest, noncentrality

EXACT_SPLITS = 200_000  # all splits are looked at up to so many, and beyond that DRAWS of them
DRAWS = 99_999

Values = Sequence[float]


def permutation_test(first: Values, second: Values, *, draws: int = DRAWS, seed: int = 0) -> PermutationTest:
    """Test whether the means of two groups differ by more than dealing the labels at random explains.

    Args:
        first: one value for each architecture, at least one.
        second: the same of the other group.
        draws: how many random splits where there are more than EXACT_SPLITS.
        seed: decides the random splits.

    Raises:
        ValueError: a group is empty or a value is not finite.
    """
    values = _finite(first, second)
    chosen = len(first)
    # The difference of means grows with the sum of the first group, so sums are compared: centred, to lose no digits.
    centred = values - values.mean()
    observed = centred[:chosen].sum()
    tie = 1e-9 * np.abs(centred).max()
    all_splits = comb(len(values), chosen) <= EXACT_SPLITS
    if all_splits:
        sums = centred[_splits(len(values), chosen)].sum(axis=1)
    else:
        rng = np.random.default_rng(seed)
        parts = np.array_split(np.arange(draws), draws // 10_000 + 1)
        sums = np.concatenate(
            [rng.permuted(np.tile(centred, (len(part), 1)), axis=1)[:, :chosen].sum(axis=1) for part in parts]
        )
    least = smallest_p(len(first), len(second), draws)
    return PermutationTest.of(sums, observed, tie, smallest_p=least, exact=all_splits)


def smallest_p(n_first: int, n_second: int, draws: int = DRAWS) -> float:
    """The least two-sided p that groups of these sizes can give: twice one split among all.

    >>> smallest_p(2, 2), round(smallest_p(9, 7), 6)
    (0.3333333333333333, 0.000175)
    """
    return min(1.0, 2 / _looked_at(n_first, n_second, draws))


def mean_difference(first: Values, second: Values, unit: str, confidence: float = 1 - ALPHA) -> Estimate:
    """Mean of `first` minus mean of `second` with Welch's t-interval: the spreads of the groups need not be equal.

    Args:
        first: one value for each architecture, at least 2.
        second: the same of the other group.
        unit: of the values.
        confidence: of the interval.

    Raises:
        ValueError: a group has fewer than 2 values or one is not finite.
    """
    _finite(first, second, fewest=FEWEST)
    difference = float(np.mean(first) - np.mean(second))
    parts = [float(np.var(group, ddof=1)) / len(group) for group in (first, second)]
    variance = sum(parts)
    if variance == 0:
        return exact(difference, unit, len(first) + len(second))
    freedom = variance**2 / sum(
        part**2 / (len(group) - 1) for part, group in zip(parts, (first, second), strict=True)
    )
    half = float(stdtrit(freedom, 0.5 + confidence / 2)) * sqrt(variance)
    return Estimate(difference, difference - half, difference + half, len(first) + len(second), unit)


def beside(first: Values, second: Values, unit: str, confidence: float = 1 - ALPHA) -> Estimate | None:
    """Mean of `first` minus mean of `second`, also where one of them has a single value.

    Welch's interval where both have two values or more. With a single value in one group Student's, whose spread is
    that of the other group: x - mean +- t s sqrt(1 + 1 / m), the interval of where one more value of that group
    would lie. None where both have a single value, as nothing is known of the spread.

    Args:
        first: one value for each architecture, at least 1.
        second: the same of the other group.
        unit: of the values.
        confidence: of the interval.

    Raises:
        ValueError: a group is empty or a value is not finite.
    """
    _finite(first, second)
    n, m = len(first), len(second)
    if min(n, m) >= FEWEST:
        return mean_difference(first, second, unit, confidence)
    if n == m:
        return None
    difference = float(np.mean(first) - np.mean(second))
    half = float(stdtrit(n + m - 2, 0.5 + confidence / 2)) * pooled_sd(first, second) * sqrt(1 / n + 1 / m)
    return Estimate(difference, difference - half, difference + half, n + m, unit)


def cliffs_delta(first: Values, second: Values, confidence: float = 1 - ALPHA) -> Estimate:
    """Cliff's d: how much more often a value of `first` is the higher one of a pair than the lower one, in [-1, 1].

    d = mean of d_ij = sign(x_i - y_j). Its variance is Cliff's unbiased estimate (1993), at least
    (1 - d^2) / (n m - 1); the interval is the asymmetric one of Cliff (1996) with the quantile of Student's t of
    n + m - 2 degrees of freedom (Feng & Cliff 2004). Where the groups do not overlap the variance is 0, and the
    inner end is theirs for that case: (k - t^2) / (k + t^2) with k the size of the smaller group.

    Args:
        first: one value for each architecture, at least 2.
        second: the same of the other group.
        confidence: of the interval.

    Raises:
        ValueError: a group has fewer than 2 values or one is not finite.
    """
    _finite(first, second, fewest=FEWEST)
    n, m = len(first), len(second)
    dominance = np.sign(np.subtract.outer(np.asarray(first, float), np.asarray(second, float)))
    d = float(dominance.mean())
    quantile = float(stdtrit(n + m - 2, 0.5 + confidence / 2))
    if abs(d) == 1:
        smaller = min(n, m)
        inner = (smaller - quantile**2) / (smaller + quantile**2)
        low, high = sorted((d, d * inner))
    else:
        rows = m**2 * ((dominance.mean(axis=1) - d) ** 2).sum()
        columns = n**2 * ((dominance.mean(axis=0) - d) ** 2).sum()
        unbiased = (rows + columns - ((dominance - d) ** 2).sum()) / (n * m * (n - 1) * (m - 1))
        spread = quantile**2 * float(max(unbiased, (1 - d**2) / (n * m - 1)))
        # Feng & Cliff (2004), equation 5: stays within [-1, 1].
        half = sqrt(spread * ((1 - d**2) ** 2 + spread))
        scale = 1 - d**2 + spread
        low, high = max(-1.0, (d - d**3 - half) / scale), min(1.0, (d - d**3 + half) / scale)
    return Estimate(d, low, high, n + m, "delta")


def pooled_sd(first: Values, second: Values) -> float:
    """The standard deviation within the groups, from both of them."""
    squares = sum(float(np.var(group)) * len(group) for group in (first, second))
    return sqrt(squares / (len(first) + len(second) - 2))


def detectable_difference(
    sd: float,
    n_first: int,
    n_second: int,
    *,
    alpha: float = ALPHA,
    power: float = POWER,
    draws: int = DRAWS,
) -> float | None:
    """The smallest true difference of means that the permutation test finds with this power.

    delta = c sd sqrt(1 / n + 1 / m), where c is the noncentrality at which a two-sided t-test of n + m - 2 degrees
    of freedom has the power: P(T'_c > t_(1 - a/2)) = power; the other tail is too small to count. Its level a is
    the largest p within alpha that the permutation test can give. For normal values with one spread; `sd` is
    mostly an estimate, and so is delta. With 4 architectures or fewer in a group the power is a little less.

    Args:
        sd: standard deviation within a group (`pooled_sd`).
        n_first: architectures in one group.
        n_second: architectures in the other.
        alpha: two-sided level of the test.
        power: wished for.
        draws: as in `permutation_test`.

    Returns:
        The difference, in the unit of `sd`; None where groups so small never give a p within alpha.
    """
    looked_at = _looked_at(n_first, n_second, draws)
    level = 2 * floor(alpha * looked_at / 2 + 1e-9) / looked_at
    if level == 0 or n_first < FEWEST or n_second < FEWEST:
        return None
    freedom = n_first + n_second - 2
    return noncentrality(freedom, level, power) * sd * sqrt(1 / n_first + 1 / n_second)


def _finite(first: Values, second: Values, fewest: int = 1) -> FloatArray:
    values = np.concatenate([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    if min(len(first), len(second)) < fewest or not np.isfinite(values).all():
        raise ValueError(
            f"expected two groups of at least {fewest} finite value{'s' * (fewest > 1)} each, "
            f"got {list(first)} and {list(second)}"
        )
    return values


def _looked_at(n_first: int, n_second: int, draws: int) -> int:
    """The denominator of p."""
    splits = comb(n_first + n_second, n_first)
    return splits if splits <= EXACT_SPLITS else draws + 1


@lru_cache(maxsize=4)
def _splits(n: int, chosen: int) -> npt.NDArray[np.int16]:
    """Every way to choose: int [comb(n, chosen), chosen]. Kept, as the families of a study have the same sizes."""
    return np.array(list(combinations(range(n), chosen)), dtype=np.int16)
