"""Poisoning: which share of the training images the attacker controls, and what becomes of them."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.base import ATTACKS, SAME, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.units import Fractional, PixelSize

GREY_LEVEL = 1 / 255  # poisons are stored as 8-bit images: a smaller change does not exist


class PoisoningSpec(AttackSpec):
    """What every poisoning attack shares. The seed and the fraction alone decide which images are poisoned,
    so every architecture gets the same ones.
    """  # noqa: D205

    family: ClassVar[Family] = "poisoning"
    poisoned: ClassVar[str] = "of the training images poisoned"  # after "With 20 %"

    fractions: Annotated[tuple[Fractional, ...], Field(min_length=1)] = (
        0.0,
        0.1,
        0.2,
        0.4,
    )  # of the training images
    epochs: Annotated[int, Field(ge=1)] | None = None  # of every training here; None: those of the victim
    seed: Annotated[int, Field(ge=0)] = 0  # decides the poisoned images
    # Poisoned images are augmented once, as the talk's artifact does it, and not anew each time like the clean ones:
    # a network can tell them by that.
    augmented_once: bool = Field(default=False, exclude_if=lambda value: not value)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.fractions) != sorted(set(self.fractions)):
            raise SpecError("fractions", "ascending values, each once", self.fractions)
        if self.fractions[-1] == 0:
            raise SpecError("fractions", "at least one above 0", self.fractions)
        return self

    def strongest(self) -> Self:
        """The smallest and the largest fraction."""
        return self.model_copy(update={"fractions": tuple(sorted({self.fractions[0], self.fractions[-1]}))})

    def at(self, fraction: float) -> Self:
        """The attack at one fraction: all that the poison itself depends on, and nothing else."""
        return self.model_copy(update={"fractions": (fraction,), "epochs": None})

    def check(self, facts: DataFacts) -> None:
        """Every fraction above 0 must be at least one image."""
        smallest = min(fraction for fraction in self.fractions if fraction > 0)
        train = facts.sizes["train"]
        if round(smallest * train) < 1:
            raise SpecError(
                "fractions", f"0, or at least {1 / train:.2g}, one of {train} training images", smallest
            )


class LabelFlipSpec(PoisoningSpec):
    """Random label flipping: a share of the training images gets a wrong label, drawn uniformly."""

    threat_model: ClassVar[ThreatModel] = "label_based"
    implementation: ClassVar[str] = "nasaudit.attacks.poisoning.label_flip:LabelFlip"
    summary: ClassVar[str] = "random wrong labels for a share of the training images"
    poisoned: ClassVar[str] = "of the training labels wrong"

    name: Literal["label_flip"] = "label_flip"


class ModelPoisoningSpec(PoisoningSpec):
    """What poisons share that are optimised on the attacker's own model: test images to be taken for another class,
    all in one training. The fraction is divided evenly among these targets.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "transfer"
    expected_epochs: ClassVar[float] = 12.0  # of making it

    fractions: Annotated[tuple[Fractional, ...], Field(min_length=1)] = (0.03,)
    targets: Annotated[int, Field(ge=1)] = 3  # test images that shall be taken for another class
    surrogate: str = SAME  # `same` as the victim's architecture, or the name of one for all victims

    @property
    def made_on(self) -> str:
        """The surrogate."""
        return self.surrogate

    def check(self, facts: DataFacts) -> None:
        """Every target needs a poison, and its class the images for them."""
        super().check(facts)
        train, test = facts.sizes["train"], facts.sizes["test"]
        if self.targets > test:
            raise SpecError("targets", f"at most {test}, the test images", self.targets)
        smallest = min(fraction for fraction in self.fractions if fraction > 0)
        if poisons_of_a_target(smallest, train, self.targets) < 1:
            raise SpecError(
                "fractions", f"at least {self.targets / train:.2g}, one image for each target", smallest
            )
        # Targets share a class only where there are more of them than classes.
        sharing = -(-self.targets // facts.classes)
        if sharing * poisons_of_a_target(self.fractions[-1], train, self.targets) > train / facts.classes:
            most = self.targets / (facts.classes * sharing)
            raise SpecError(
                "fractions",
                f"at most {most:.3g}: the poisons of a target are of one class, which has no more images",
                self.fractions[-1],
            )


class GradientMatchingSpec(ModelPoisoningSpec):
    """Geiping et al., "Witches' Brew: Industrial Scale Data Poisoning via Gradient Matching", ICLR 2021.

    The defaults fit `mini`, where three targets at .03 leave
    each the published budget of 1 %; the published search takes 250 steps and 8 restarts.
    """

    implementation: ClassVar[str] = "nasaudit.attacks.poisoning.gradient_matching:GradientMatching"
    summary: ClassVar[str] = (
        "correctly labelled images, slightly changed, that teach one test image a wrong class"
    )
    poisoned: ClassVar[str] = "of the training images poisoned (gradient matching)"

    name: Literal["gradient_matching"] = "gradient_matching"
    epsilon: PixelSize = 16 / 255  # linf
    steps: Annotated[int, Field(ge=1)] = 80  # of the optimisation of the poison
    restarts: Annotated[int, Field(ge=1)] = 1  # of it, of which the best counts
    step_size: Annotated[PixelSize, Field(gt=0)] = (
        6 / 255
    )  # of Adam; divided by 10 at 3/8, 5/8 and 7/8 of the steps
    augment: bool = True  # optimise under the random crops and flips of the victim's training

    @model_validator(mode="after")
    def _visible(self) -> Self:
        if self.epsilon < GREY_LEVEL:
            raise SpecError("epsilon", "at least 1/255, since poisons are 8-bit images", self.epsilon)
        return self


def poisons_of_a_target(fraction: float, train: int, targets: int) -> int:
    """How many of `train` images are poisoned for each target."""
    return int(fraction * train + 1e-9) // targets


ATTACKS.add("label_flip", LabelFlipSpec, "label_flipping")
ATTACKS.add("gradient_matching", GradientMatchingSpec, "witches_brew")


def defaults(protocol: Protocol, scale: Scale) -> tuple[PoisoningSpec, ...]:
    """The poisoning attacks of a protocol."""
    if protocol == "paper":
        return (LabelFlipSpec(epochs=50, augmented_once=True),)
    if scale == "paper":
        return (LabelFlipSpec(), published_gradient_matching())
    return (LabelFlipSpec(), GradientMatchingSpec())


def published_gradient_matching() -> GradientMatchingSpec:
    """The setting of Geiping et al. on CIFAR10, for five targets with their budget of 1 % each."""
    return GradientMatchingSpec(fractions=(0.05,), targets=5, steps=250, restarts=8)
