"""AutoAttack, and the attack that it brought along: minimal-norm FAB."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, DataFacts, ThreatModel
from nasaudit.spec.attacks.black_box import SquareSpec
from nasaudit.spec.attacks.evasion_base import EvasionSpec, LossName
from nasaudit.spec.attacks.white_box import ApgdSpec

AUTHORS_TARGETS = 9  # classes that AutoAttack's targeted attacks go to
COSTLY_IMAGES = 100  # each that withstands costs about 10,000 forward passes at every epsilon


class FabSpec(EvasionSpec):
    """Croce and Hein, "Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack", ICML 2020."""

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.fab:Fab"
    title: ClassVar[str] = "FAB"
    summary: ClassVar[str] = "the nearest adversarial example, by projections onto linear boundaries"
    expected_epochs: ClassVar[float] = 50.0
    minimal: ClassVar[bool] = True

    name: Literal["fab"] = "fab"
    images: Annotated[int, Field(ge=1)] = COSTLY_IMAGES
    steps: Annotated[int, Field(ge=1)] = 100  # of each start
    target_classes: Annotated[int, Field(ge=1)] = AUTHORS_TARGETS  # all, where the data have fewer
    alpha_max: Annotated[float, Field(ge=0, le=1)] = 0.1  # largest share of the way back to the image
    eta: Annotated[float, Field(ge=1)] = 1.05  # how far beyond the linear boundary
    beta: Annotated[float, Field(gt=0, le=1)] = 0.9  # share of the change that is kept after a success

    @model_validator(mode="after")
    def _any_wrong_class(self) -> Self:
        if self.goal != "untargeted":
            raise SpecError("goal", "`untargeted`: it tries the likeliest wrong classes by itself", self.goal)
        if self.min_confidence > 0:
            raise SpecError(
                "min_confidence", "0: the nearest example lies on the boundary", self.min_confidence
            )
        return self


class AutoAttackSpec(EvasionSpec):
    """Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
    Attacks", ICML 2020, in its `standard` version.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.ensemble:Ensemble"
    title: ClassVar[str] = "AutoAttack"
    summary: ClassVar[str] = (
        "Auto-PGD, targeted Auto-PGD, targeted FAB and 5,000 queries of Square, on what is left"
    )
    expected_epochs: ClassVar[float] = 150.0
    mixed: ClassVar[bool] = True

    name: Literal["autoattack"] = "autoattack"
    images: Annotated[int, Field(ge=1)] = COSTLY_IMAGES
    steps: Annotated[int, Field(ge=1)] = 100  # of Auto-PGD and of FAB, towards each class
    target_classes: Annotated[int, Field(ge=1)] = AUTHORS_TARGETS  # all, where the data have fewer
    queries: Annotated[int, Field(ge=1)] = 5000  # of Square
    loss: LossName = "dlr"  # of the targeted Auto-PGD; `ce` for data with fewer than four classes

    @model_validator(mode="after")
    def _untargeted(self) -> Self:
        if self.goal != "untargeted":
            raise SpecError("goal", "`untargeted`: AutoAttack measures robust accuracy", self.goal)
        if self.min_confidence > 0:
            raise SpecError("min_confidence", "0: any wrong class counts", self.min_confidence)
        return self

    @property
    def members(self) -> tuple[EvasionSpec, ...]:
        """In the authors' order and with their settings: p = .8 for Square in both norms, halved as if of 10,000."""
        targets = {"norm": self.norm, "steps": self.steps, "target_classes": self.target_classes}
        return (
            ApgdSpec(norm=self.norm, loss="ce", steps=self.steps),
            ApgdSpec(loss=self.loss, **targets),
            FabSpec(**targets),
            SquareSpec(norm=self.norm, queries=self.queries, p_init=0.8, schedule_queries=10_000),
        )

    def check(self, facts: DataFacts) -> None:
        """What each member checks."""
        super().check(facts)
        for member in self.members:
            member.check(facts)


ATTACKS.add("fab", FabSpec)
ATTACKS.add("autoattack", AutoAttackSpec)
