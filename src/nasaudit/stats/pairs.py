"""The same architectures before and after a change: by how much a measure moved, and what could be seen. No torch.

A change of the cell is an experiment: the same cell with and without it. Its effect is the mean of the differences
within the pairs. Under the null hypothesis a difference is as likely as its negative, so every way to flip the signs
is equally likely. That is the sign-flip test (`stats.permutation` has how its tails are counted):

- Fisher, "The Design of Experiments", 1935, section 21 (Darwin's plants); Pitman, "Significance Tests Which May Be
  Applied to Samples from any Populations", Supplement to the Journal of the Royal Statistical Society 4, 1937.
- "Student", "The Probable Error of a Mean", Biometrika 6, 1908: the interval.

Deviations: none in the formulas. The detectable difference is that of the t-test at the level that the sign-flip test
attains, as in `stats.two_groups`; where few flips are that rare the sign-flip test is the weaker one, and its own
power is simulated.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import floor, sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from nasaudit.measure.estimate import Estimate, FloatArray, exact
from nasaudit.stats.holm import ALPHA, FEWEST, POWER
from nasaudit.stats.permutation import PermutationTest, noncentrality

EXACT_PAIRS = 16  # all 2^n flips are looked at up to so many pairs, and beyond that DRAWS of them
DRAWS = 19_999
# Up to so many flips in a tail, and for so many pairs, the t-test is no stand-in for the sign-flip test.
FEW_FLIPS, FEW_PAIRS = 8, 12
STUDIES = 4_000  # simulated there


def sign_flip_test(differences: Sequence[float], *, draws: int = DRAWS, seed: int = 0) -> PermutationTest:
    """Test whether the mean difference is further from 0 than flipping signs at random explains.

    Args:
        differences: one for each pair, after minus before; at least one.
        draws: how many random flips where there are more than EXACT_PAIRS pairs.
        seed: decides the random flips.

    Raises:
        ValueError: no difference, or one that is not finite.

    >>> sign_flip_test([1.0, 2.0, 3.0, 4.0]).p == 2 / 16, sign_flip_test([0.0, 0.0]).p
    (True, 1.0)
    """
    values = _finite(differences, fewest=1)
    n = len(values)
    return PermutationTest.of(
        _signs(n, draws, seed) @ values,
        values.sum(),
        tie=1e-9 * np.abs(values).sum(),
        smallest_p=smallest_p(n, draws),
        exact=n <= EXACT_PAIRS,
    )


def smallest_p(pairs: int, draws: int = DRAWS) -> float:
    """The least two-sided p that so many pairs can give: all differences of one sign.

    >>> smallest_p(5), smallest_p(10)
    (0.0625, 0.001953125)
    """
    return min(1.0, 2 / _looked_at(pairs, draws))


def mean_of_pairs(differences: Sequence[float], unit: str, confidence: float = 1 - ALPHA) -> Estimate:
    """Mean difference with Student's t-interval.

    Args:
        differences: one for each pair, after minus before; at least 2.
        unit: of the differences.
        confidence: of the interval.

    Raises:
        ValueError: fewer than 2 differences, or one that is not finite.

    >>> mean_of_pairs([1.0, 1.0, 1.0], "nats")
    Estimate(value=1.0, low=1.0, high=1.0, n=3, unit='nats', bound=None)
    """
    values = _finite(differences, fewest=FEWEST)
    n, mean = len(values), float(values.mean())
    spread = float(values.std(ddof=1))
    if spread == 0:
        return exact(mean, unit, n)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread / sqrt(n)
    return Estimate(mean, mean - half, mean + half, n, unit)


def detectable_mean(
    sd: float, pairs: int, *, alpha: float = ALPHA, power: float = POWER, draws: int = DRAWS
) -> float | None:
    """The smallest true mean difference that the sign-flip test finds with this power.

    delta = c sd / sqrt(n), where c is the noncentrality at which a two-sided t-test of n - 1 degrees of freedom has
    the power, at the largest p within alpha that the sign-flip test can give. For normal differences.

    If that p is 2 k / 2^n with a small k, delta is found in simulated studies z_i + delta, z_i normal: a flip of the
    set S beats what is observed if mean_S(z) + delta <= 0, so a study is found where delta exceeds the k-th largest
    of -mean_S(z). For k = 1 all differences must have one sign: delta = sd Phi^-1(power^(1/n)).

    Args:
        sd: standard deviation of the differences.
        pairs: how many.
        alpha: two-sided level of the test.
        power: wished for.
        draws: as in `sign_flip_test`.

    Returns:
        The difference, in the unit of `sd`; None where so few pairs never give a p within alpha.

    >>> round(detectable_mean(1.0, 10), 2), detectable_mean(1.0, 5)
    (1.0, None)
    """
    looked_at = _looked_at(pairs, draws)
    flips = floor(alpha * looked_at / 2 + 1e-9)
    if flips == 0 or pairs < FEWEST:
        return None
    if flips <= FEW_FLIPS and pairs <= FEW_PAIRS:
        return sd * _simulated(pairs, flips, power)
    level = 2 * flips / looked_at
    return noncentrality(pairs - 1, level, power) * sd / sqrt(pairs)


def _finite(differences: Sequence[float], fewest: int) -> FloatArray:
    values = np.asarray(differences, np.float64)
    if len(values) < fewest or not np.isfinite(values).all():
        raise ValueError(
            f"expected at least {fewest} finite difference{'s' * (fewest > 1)}, got {list(differences)}"
        )
    return values


@lru_cache(maxsize=32)
def _simulated(pairs: int, flips: int, power: float) -> float:
    """The mean of normal differences of standard deviation 1 that no more than so many flips beat, mostly."""
    studies = np.random.default_rng(0).normal(size=(STUDIES, pairs))
    chosen = (_signs(pairs, 0, 0) > 0).astype(np.float64)
    chosen = chosen[chosen.any(axis=1)]
    beaten_below = -(studies @ chosen.T) / chosen.sum(axis=1)
    return float(np.quantile(np.partition(beaten_below, -flips, axis=1)[:, -flips], power))


def _looked_at(pairs: int, draws: int) -> int:
    """The denominator of p."""
    return 2**pairs if pairs <= EXACT_PAIRS else draws + 1


@lru_cache(maxsize=8)
def _signs(pairs: int, draws: int, seed: int) -> npt.NDArray[np.int8]:
    """Every way to give signs if there are few, else random ones: int [flips, pairs] of -1 and 1."""
    if pairs <= EXACT_PAIRS:
        bits = np.arange(2**pairs)[:, None] >> np.arange(pairs) & 1
    else:
        bits = np.random.default_rng(seed).integers(2, size=(draws, pairs))
    return (2 * bits - 1).astype(np.int8)
