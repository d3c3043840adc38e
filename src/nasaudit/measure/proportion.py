"""Intervals of a share of successes, and of the difference of two on the same units. No torch."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nasaudit.measure.estimate import Estimate

Outcomes = npt.NDArray[np.bool_]


def proportion(successes: int, n: int, unit: str = "fraction", confidence: float = 0.95) -> Estimate:
    """Share of successes with Wilson's score interval (Wilson 1927), which holds near 0 and 1.

    Raises:
        ValueError: `n` is 0, or `successes` is not within 0..n.

    >>> share = proportion(0, 100)
    >>> share.value, share.low, round(share.high, 4)
    (0.0, 0.0, 0.037)
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n > 0, got {successes} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == n else float(centre + half)
    return Estimate(share, low, high, n, unit)


def paired_difference(first: Outcomes, second: Outcomes, confidence: float = 0.95) -> Estimate:
    """Share of successes in `first` minus that in `second`, both of the same units.

    Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired data",
    Statistics in Medicine 17, 1998, method 10: the distances of both shares to the ends of their Wilson intervals,
    added like correlated errors, with a continuity correction in their correlation. It holds where the difference is
    small, and does not collapse to a point when no unit differs.

    Args:
        first: bool [n].
        second: bool [n], the same units in the same order.
        confidence: of the interval.

    Raises:
        ValueError: no unit, or not as many in both.
    """
    if len(first) != len(second):
        raise ValueError(f"expected the same units twice, got {len(first)} and {len(second)}")
    n, both = len(first), int((first & second).sum())
    ours, theirs = int(first.sum()), int(second.sum())
    phi, spread = 0.0, ours * (n - ours) * theirs * (n - theirs)
    if spread:
        excess: float = both * (n - ours - theirs + both) - (ours - both) * (theirs - both)
        phi = (max(excess - n / 2, 0.0) if excess > 0 else excess) / sqrt(spread)

    def half(near: float, far: float) -> float:
        # Rounding may take a vanishing square below zero.
        return sqrt(max(0.0, near * near - 2 * phi * near * far + far * far))

    mine, other = (proportion(successes, n, confidence=confidence) for successes in (ours, theirs))
    difference = (ours - theirs) / n
    below = half(mine.value - mine.low, other.high - other.value)
    above = half(mine.high - mine.value, other.value - other.low)
    return Estimate(difference, difference - below, difference + above, n, "fraction")
