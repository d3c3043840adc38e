"""Poisoning: which share of the training images the attacker controls, and what becomes of them."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, Family, ThreatModel
from nasaudit.spec.units import Fractional


class PoisoningSpec(AttackSpec):
    """What every poisoning attack shares. The seed and the fraction alone decide which images are poisoned,
    so every architecture gets the same ones.
    """  # noqa: D205

    family: ClassVar[Family] = "poisoning"

    fractions: Annotated[tuple[Fractional, ...], Field(min_length=1)] = (
        0.0,
        0.1,
        0.2,
        0.4,
    )  # of the training images
    epochs: Annotated[int, Field(ge=1)] | None = None  # of every training here; None: those of the victim
    seed: Annotated[int, Field(ge=0)] = 0  # decides the poisoned images

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.fractions) != sorted(set(self.fractions)):
            raise SpecError("fractions", "ascending values, each once", self.fractions)
        return self

    def at(self, fraction: float) -> Self:
        """The attack at one fraction: all that the poison itself depends on, and nothing else."""
        return self.model_copy(update={"fractions": (fraction,), "epochs": None})


class LabelFlipSpec(PoisoningSpec):
    """Random label flipping: a share of the training images gets a wrong label, drawn uniformly."""

    threat_model: ClassVar[ThreatModel] = "label_based"
    implementation: ClassVar[str] = "nasaudit.attacks.poisoning.label_flip:LabelFlip"
    summary: ClassVar[str] = "random wrong labels for a share of the training images"

    name: Literal["label_flip"] = "label_flip"


ATTACKS.add("label_flip", LabelFlipSpec, "label_flipping")
