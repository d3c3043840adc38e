"""What can be said of an attack before it runs. Importing this registers every attack; it imports no torch."""

from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.backdoor import BackdoorSpec, BadNetsSpec
from nasaudit.spec.attacks.base import (
    ATTACKS,
    FAMILIES,
    AttackSpec,
    DataFacts,
    Family,
    ThreatModel,
)
from nasaudit.spec.attacks.evasion import L2_GRID, LINF_GRID, EvasionSpec, Goal, Norm, PgdSpec
from nasaudit.spec.attacks.extraction import ExtractionSpec, KnockoffSpec
from nasaudit.spec.attacks.membership import LossThresholdSpec, MembershipSpec
from nasaudit.spec.attacks.poisoning import LabelFlipSpec, PoisoningSpec

__all__ = [
    "ATTACKS",
    "FAMILIES",
    "L2_GRID",
    "LINF_GRID",
    "AnyAttack",
    "AttackSpec",
    "BackdoorSpec",
    "BadNetsSpec",
    "DataFacts",
    "EvasionSpec",
    "ExtractionSpec",
    "Family",
    "Goal",
    "KnockoffSpec",
    "LabelFlipSpec",
    "LossThresholdSpec",
    "MembershipSpec",
    "Norm",
    "PgdSpec",
    "PoisoningSpec",
    "ThreatModel",
]


def _by_name(values: Any) -> Any:
    """Build the spec class that `name` stands for; a bare string is a name with all defaults."""
    if isinstance(values, str):
        values = {"name": values}
    if isinstance(values, dict):
        if not isinstance(values.get("name"), str):
            raise SpecError("name", "the name of an attack", values.get("name"))
        return ATTACKS[values["name"]].parse({**values, "name": ATTACKS.canonical(values["name"])})
    return values


AnyAttack = Annotated[SerializeAsAny[AttackSpec], BeforeValidator(_by_name)]
