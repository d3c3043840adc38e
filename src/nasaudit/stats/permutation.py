"""What every permutation test does with its statistics, and what the t-test beside it could see. No torch.

Two-sided p is twice the smaller tail, at most 1; a tail counts the orders (splits, flips) whose statistic is at least
as extreme as the observed one, which is among them. So a rejection at level alpha also tells the direction, with an
error of at most alpha / 2, also where the distribution is skewed.

Phipson & Smyth, "Permutation P-values Should Never Be Zero", Statistical Applications in Genetics and Molecular
Biology 9, 2010: p = (b + 1) / (m + 1) where the orders are drawn and not all looked at.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from nasaudit.measure.estimate import FloatArray


@dataclass(frozen=True)
class PermutationTest:
    """What a permutation test found.

    Attributes:
        p: two-sided.
        smallest_p: the least that `p` could have been with as many units.
        exact: whether every order was looked at.
    """

    p: float
    smallest_p: float
    exact: bool

    @classmethod
    def of(
        cls, statistics: FloatArray, observed: float, tie: float, *, smallest_p: float, exact: bool
    ) -> "PermutationTest":
        """Count the tails.

        Args:
            statistics: one for each order, the observed one among them if all are looked at.
            observed: the statistic as it was measured.
            tie: statistics that are nearer to the observed one are the same.
            smallest_p: see above.
            exact: see above.
        """
        drawn = 0 if exact else 1
        tails = np.count_nonzero(statistics >= observed - tie), np.count_nonzero(statistics <= observed + tie)
        return cls(min(1.0, 2 * (int(min(tails)) + drawn) / (len(statistics) + drawn)), smallest_p, exact)


def noncentrality(freedom: int, level: float, power: float) -> float:
    """At which a two-sided t-test has the power: P(T'_c > t_(1 - level/2)); the other tail is too small to count."""
    return float(nctdtrinc(freedom, 1 - power, stdtrit(freedom, 1 - level / 2)))
