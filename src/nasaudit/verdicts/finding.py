"""What a difference between two models says, by its interval. No torch."""

from nasaudit.measure.catalogue import Worse
from nasaudit.results.base import Span
from nasaudit.results.verdict_models import Finding


def finding_of(change: Span, worse: Worse | None) -> Finding:
    """What a difference says by its interval.

    Args:
        change: after minus before.
        worse: which way the figure is worse for the defender; None: not known.
    """
    if change.low == change.value == change.high == 0:
        return "same"
    if not (change.low > 0 or change.high < 0):
        return "undecided"
    higher = change.low > 0
    if worse is None:
        return "higher" if higher else "lower"
    return "worse" if higher == (worse == "higher") else "better"
