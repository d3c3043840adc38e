"""Extraction: how many images the thief may ask about, where they come from, and what is trained on the answers."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.data import Role

SAME = "same"  # the surrogate has the victim's architecture


class ExtractionSpec(AttackSpec):
    """What every extraction attack shares: budgets, pool, answers, and the surrogate."""

    family: ClassVar[Family] = "extraction"

    budgets: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (750,)
    pool: Literal["pool", "train"] = "pool"  # `train`: the victim's own training images (protocol `paper`)
    labels: Literal["soft", "hard"] = "soft"  # probabilities, or the predicted class alone
    surrogate: str = SAME  # `same`, or the name of one architecture for all victims
    epochs: Annotated[int, Field(ge=1)] = 25
    seed: Annotated[int, Field(ge=0)] = 0  # decides the queries, the surrogate's weights and its training

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.budgets) != sorted(set(self.budgets)):
            raise SpecError("budgets", "ascending values, each once", self.budgets)
        return self

    def check(self, facts: DataFacts) -> None:
        """No budget may exceed the pool."""
        role: Role = self.pool
        if self.budgets[-1] > facts.sizes[role]:
            raise SpecError(
                "budgets", f"at most {facts.sizes[role]}, the images of the pool `{role}`", self.budgets[-1]
            )


class KnockoffSpec(ExtractionSpec):
    """Orekondy et al., "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.extraction.knockoff:Knockoff"
    summary: ClassVar[str] = "train a surrogate on the victim's answers to random queries"

    name: Literal["knockoff"] = "knockoff"


ATTACKS.add("knockoff", KnockoffSpec, "knockoff_nets")
