"""Evasion: several attacks as one, and what the family's name stands for."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.autoattack import AutoAttackSpec
from nasaudit.spec.attacks.base import ATTACKS, SAME, DataFacts, ThreatModel
from nasaudit.spec.attacks.black_box import HopSkipJumpSpec, NesSpec, SquareSpec
from nasaudit.spec.attacks.evasion_base import EvasionSpec
from nasaudit.spec.attacks.minimal import DdnSpec, FmnSpec
from nasaudit.spec.attacks.white_box import ApgdSpec, FgsmSpec, PgdSpec, TransferSpec
from nasaudit.spec.named import ByName

AnyMember = Annotated[SerializeAsAny[EvasionSpec], BeforeValidator(ByName(ATTACKS))]
# What an ensemble decides for all its members.
SHARED = ("norm", "goal", "target_class", "epsilons", "images", "only_correct", "min_confidence")


class EnsembleSpec(EvasionSpec):
    """The idea of AutoAttack (Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of
    Diverse Parameter-free Attacks", ICML 2020) for a quick look: attacks that fail for different reasons.

    Norm, goal, epsilons and images are the ensemble's, whatever a member says of them.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.ensemble:Ensemble"
    summary: ClassVar[str] = "Auto-PGD with two losses and the Square attack, each on what the others left"
    expected_epochs: ClassVar[float] = 9.0
    mixed: ClassVar[bool] = True

    name: Literal["ensemble"] = "ensemble"
    # Attacks, each on the images that those before it left.
    members: Annotated[tuple[AnyMember, ...], Field(min_length=1)] = (
        ApgdSpec(loss="ce"), ApgdSpec(loss="dlr"), SquareSpec(),
    )  # fmt: skip

    @model_validator(mode="after")
    def _alike(self) -> Self:
        """Members get what the ensemble decides; those that cannot be a member are refused."""
        shared = {field: getattr(self, field) for field in SHARED}
        alike = []
        for position, member in enumerate(self.members):
            if member.made_on is not None or isinstance(member, EnsembleSpec | AutoAttackSpec):
                raise SpecError(f"members[{position}]", "one attack, on the victim itself", member.name)
            alike.append(type(member).parse({**member.model_dump(), **shared}, f"members[{position}]"))
        # The usual way to complete a frozen model while it is made.
        object.__setattr__(self, "members", tuple(alike))
        return self

    def check(self, facts: DataFacts) -> None:
        """What each member checks."""
        super().check(facts)
        for member in self.members:
            member.check(facts)


ATTACKS.add("ensemble", EnsembleSpec)

# Attacks that cost much for each image try few epsilons of the grid on fewer images, by factors of 4: the two small
# ones tell networks trained on natural images apart, the two large ones those trained on digits. The third, which the
# field quotes most, is tried on every image; two or three attacks an image.
FEW = (0.5 / 255, 2 / 255, 8 / 255, 32 / 255)


def defaults(protocol: Protocol, scale: Scale) -> tuple[EvasionSpec, ...]:
    """The evasion attacks of a protocol: at `sound` every access that an attacker may have."""
    if protocol == "paper":
        return (paper_pgd(), paper_nes())
    # Queries: of score-based attacks a fifth of their authors' budgets or more, since flags rest on them (Square:
    # 5,000 in AutoAttack; NES: 10,000 in the authors' code); at mini on fewer images, so that they take no longer.
    costly, queried = (50, 25) if scale == "mini" else (100, 100)
    # Beside a training at `paper` AutoAttack costs little; beside one of a smaller network as much, or more.
    quick = EnsembleSpec(
        members=(ApgdSpec(loss="ce", steps=40), ApgdSpec(loss="dlr", steps=40), SquareSpec()),
        epsilons=FEW,
        images=queried,
    )
    return (
        # The two security curves that comparisons rest on. The same at both scales: the grid suits an undefended
        # network of any size.
        PgdSpec(),
        PgdSpec(goal="least_likely"),
        # Does a stronger attack, or one that needs no gradient, find what PGD does not?
        quick if scale != "paper" else AutoAttackSpec(epsilons=FEW, images=queried),
        FgsmSpec(),
        # The nearest examples: medians that hang on no grid.
        FmnSpec(steps=60, images=2 * costly),
        DdnSpec(steps=60, images=2 * costly),
        TransferSpec(),
        # Do its skip connections make an architecture easier to attack by a twin of it?
        TransferSpec(surrogate=SAME, skip_gamma=0.5),
        NesSpec(epsilons=(8 / 255,), images=queried),
        SquareSpec(epsilons=FEW, images=queried),
        # Sees labels alone, so the rule of score-based attacks is not for it.
        HopSkipJumpSpec(iterations=5, images=costly),
    )


def paper_pgd() -> PgdSpec:
    """The PGD of the talk's artifact: one epsilon, towards the least likely class, with a confidence rule."""
    return PgdSpec(
        goal="least_likely",
        epsilons=(8 / 255,),
        step_size=2 / 255,
        steps=7,
        random_start=False,
        images=1000,
        only_correct=True,
        min_confidence=0.99,
    )


def paper_nes() -> NesSpec:
    """The NES of the talk's artifact: towards the second most likely class, 50 pairs a step, no confidence rule."""
    return NesSpec(
        goal="second_likely",
        epsilons=(8 / 255,),
        step_size=2 / 255,
        steps=7,
        samples=100,
        sigma=1e-3,
        momentum=0.0,
        plateau_length=None,
        images=1000,
        only_correct=True,
    )
