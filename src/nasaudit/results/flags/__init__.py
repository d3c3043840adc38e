"""What a reader must know before believing a number. Each kind of flag is one function, of one file a family."""

from nasaudit.results.flags import analyses, backdoor, evasion, extraction, general, membership, poisoning
from nasaudit.results.flags.base import Check, Facts, flags_of
from nasaudit.results.flags.general import ACCURACY_GAP, FEW_SEEDS
from nasaudit.results.schema import Flag

__all__ = ["ACCURACY_GAP", "FEW_SEEDS", "Facts", "raise_flags"]

CHECKS: tuple[Check, ...] = (
    *general.CHECKS,
    *evasion.CHECKS,
    *poisoning.CHECKS,
    *backdoor.CHECKS,
    *extraction.CHECKS,
    *membership.CHECKS,
    *analyses.CHECKS,
)


def raise_flags(facts: Facts) -> list[Flag]:
    """All flags, the most serious kinds first."""
    return flags_of(facts, CHECKS)
