"""What all tests share: their level and power, the fewest units they take, and the correction for many. No torch.

Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979.
"""

from collections.abc import Sequence

ALPHA = 0.05
POWER = 0.8
FEWEST = 2  # units, without which values have no spread
FEWEST_TESTED = 5  # architectures or pairs, without which nothing is claimed; one more for each control


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): the i-th smallest of m is multiplied by m - i + 1, never below an earlier one.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(ps)), key=lambda k: ps[k])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[position]))
        adjusted[position] = highest
    return adjusted
