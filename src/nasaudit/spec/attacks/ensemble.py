"""Several evasion attacks as one: each member gets the images that all earlier ones left standing."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, DataFacts, ThreatModel
from nasaudit.spec.attacks.black_box import SquareSpec
from nasaudit.spec.attacks.evasion import ApgdSpec, EvasionSpec
from nasaudit.spec.named import by_name

AnyMember = Annotated[SerializeAsAny[EvasionSpec], BeforeValidator(by_name(ATTACKS))]
# What an ensemble decides for all its members.
SHARED = ("norm", "goal", "target_class", "epsilons", "images", "only_correct", "min_confidence")


class EnsembleSpec(EvasionSpec):
    """The idea of AutoAttack (Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of
    Diverse Parameter-free Attacks", ICML 2020): attacks that fail for different reasons, one after the other.

    Norm, goal, epsilons and images are the ensemble's, whatever a member says of them.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.ensemble:Ensemble"
    summary: ClassVar[str] = "Auto-PGD with two losses and the Square attack, each on what the others left"
    expected_epochs: ClassVar[float] = 9.0

    name: Literal["ensemble"] = "ensemble"
    members: Annotated[tuple[AnyMember, ...], Field(min_length=1)] = (
        ApgdSpec(loss="ce"), ApgdSpec(loss="dlr"), SquareSpec(),
    )  # fmt: skip

    @model_validator(mode="after")
    def _alike(self) -> Self:
        """Members get what the ensemble decides; those that cannot be a member are refused."""
        shared = {field: getattr(self, field) for field in SHARED}
        alike = []
        for position, member in enumerate(self.members):
            if member.minimal or member.made_on is not None or isinstance(member, EnsembleSpec):
                raise SpecError(
                    f"members[{position}]",
                    "an attack with a given epsilon, on the victim itself",
                    member.name,
                )
            alike.append(type(member).parse({**member.model_dump(), **shared}, f"members[{position}]"))
        # The usual way to complete a frozen model while it is made.
        object.__setattr__(self, "members", tuple(alike))
        return self

    def check(self, facts: DataFacts) -> None:
        """What each member checks."""
        super().check(facts)
        for member in self.members:
            member.check(facts)


ATTACKS.add("ensemble", EnsembleSpec, "auto_attack")
