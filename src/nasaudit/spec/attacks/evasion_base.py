"""What every evasion attack shares: a norm, a goal, the epsilons of its security curve."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import AttackSpec, DataFacts, Family
from nasaudit.spec.units import Epsilon, Fractional

Norm = Literal["linf", "l2"]
Goal = Literal["untargeted", "least_likely", "second_likely", "targeted"]
LossName = Literal["ce", "dlr"]

# One grid for all data, by factors of 2: half of the images of an undefended network fall below 1/255 on natural
# images, and near 10/255 on handwritten digits. Bisection takes 4 attacks an image, the first at 2/255.
LINF_GRID: tuple[float, ...] = tuple(2.0**power / 255 for power in range(-4, 7))  # 1/16 to 64 of 255
L2_GRID: tuple[float, ...] = tuple(2.0**power for power in range(-6, 4))  # 1/64 to 8


class EvasionSpec(AttackSpec):
    """What every evasion attack shares: a norm, a goal, the epsilons of its security curve, the images.

    The threat model decides what the attack is given: `white_box` a Classifier; `score_based` an Oracle that
    answers with probabilities; `label_based` and `transfer` an Oracle that answers with the predicted class.
    """

    family: ClassVar[Family] = "evasion"
    needs_split: ClassVar[bool] = False
    # True: the attack looks for the nearest example itself (a MinimalAttack), and the epsilons only say where its
    # success is counted. False: it is run with one epsilon after another.
    minimal: ClassVar[bool] = False
    mixed: ClassVar[bool] = False  # some of its members take no gradient

    norm: Norm = "linf"  # by which the size of a change is measured
    goal: Goal = "untargeted"  # any other class, or a certain one
    target_class: Annotated[int, Field(ge=0)] | None = None  # for the goal `targeted`
    epsilons: tuple[Epsilon, ...] = ()  # ascending; empty: the norm's default grid
    images: Annotated[int, Field(ge=1)] = 500  # the same indices for every architecture, by data seed
    only_correct: bool = False  # protocol `paper`: attack correctly classified images only
    min_confidence: Fractional = 0.0  # protocol `paper`: the target's probability must exceed this

    @model_validator(mode="before")
    @classmethod
    def _default_grid(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("epsilons"):
            norm = values.get("norm", cls.model_fields["norm"].default)
            return {**values, "epsilons": L2_GRID if norm == "l2" else LINF_GRID}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.epsilons) != sorted(set(self.epsilons)):
            raise SpecError("epsilons", "ascending values, each once", self.epsilons)
        if self.epsilons[0] == 0:
            raise SpecError("epsilons", "values above 0: the curve is one over log epsilon", self.epsilons)
        if self.norm == "linf" and self.epsilons[-1] > 1:
            raise SpecError("epsilons", "at most 1 for linf: write 8/255, not 8", self.epsilons[-1])
        if self.min_confidence > 0 and self.threat_model in ("label_based", "transfer"):
            raise SpecError(
                "min_confidence", "0 for an attacker who sees no probabilities", self.min_confidence
            )
        if (self.goal == "targeted") != (self.target_class is not None):
            raise SpecError(
                "target_class", "a class for the goal `targeted`, none otherwise", self.target_class
            )
        return self

    @property
    def needs_recipe(self) -> bool:
        """No: the victim is attacked as it is."""
        return False

    def check(self, facts: DataFacts) -> None:
        """The class to reach must exist."""
        if self.target_class is not None and self.target_class >= facts.classes:
            raise SpecError("target_class", f"a class from 0 to {facts.classes - 1}", self.target_class)

    @property
    def most_steps(self) -> int | None:
        """How many updates an image gets at most; None where steps are no measure of this attack's effort."""
        return None

    @property
    def most_queries(self) -> int | None:
        """How many images the victim answers for each attacked one at most; None without a limit or an Oracle."""
        return None

    def label(self) -> str:
        """E.g. `pgd (linf, untargeted)`."""
        return f"{self.name} ({self.norm}, {self.goal})"
