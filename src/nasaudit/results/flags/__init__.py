"""What a reader must know before believing a number. Each kind of flag is one function, of one file a family."""

from collections.abc import Mapping, Sequence

from nasaudit.results.flags import (
    analyses,
    backdoor,
    evasion,
    extraction,
    general,
    membership,
    poisoning,
    searches,
)
from nasaudit.results.flags.base import Check, Facts, flags_of
from nasaudit.results.flags.general import ACCURACY_GAP, FEW_SEEDS
from nasaudit.results.schema import Flag
from nasaudit.spec.attacks import Family

__all__ = ["ACCURACY_GAP", "FEW_SEEDS", "Facts", "concerning", "raise_flags"]

# Of the checks of one family of attacks.
OF_FAMILY: Mapping[Family, tuple[Check, ...]] = {
    "evasion": evasion.CHECKS,
    "poisoning": poisoning.CHECKS,
    "backdoor": backdoor.CHECKS,
    "extraction": extraction.CHECKS,
    "membership": membership.CHECKS,
}
CHECKS: tuple[Check, ...] = (
    *general.CHECKS,
    *searches.CHECKS,
    *(check for checks in OF_FAMILY.values() for check in checks),
    *analyses.CHECKS,
)


def raise_flags(facts: Facts) -> list[Flag]:
    """All flags, the most serious kinds first."""
    return flags_of(facts, CHECKS)


def concerning(flags: Sequence[Flag], family: Family) -> list[Flag]:
    """Those of the flags that are about the figures of one family."""
    kinds = {check.__name__ for check in OF_FAMILY[family]}
    return [flag for flag in flags if flag.kind in kinds]
