"""Evasion by gradients, without an epsilon: attacks that look for the nearest adversarial example."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, ThreatModel
from nasaudit.spec.attacks.evasion_base import EvasionSpec
from nasaudit.spec.units import Epsilon


class NearestSpec(EvasionSpec):
    """What minimal-norm attacks with gradients share."""

    threat_model: ClassVar[ThreatModel] = "white_box"
    minimal: ClassVar[bool] = True

    steps: Annotated[int, Field(ge=1)] = 100  # of the walk
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.05  # share by which the norm changes in a step

    @model_validator(mode="after")
    def _any_confidence(self) -> Self:
        if self.min_confidence > 0:
            raise SpecError(
                "min_confidence", "0: the nearest example lies on the boundary", self.min_confidence
            )
        return self


class DdnSpec(NearestSpec):
    """Rony et al., "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks and Defenses",
    CVPR 2019.
    """  # noqa: D205

    implementation: ClassVar[str] = "nasaudit.attacks.evasion.minimal.ddn:Ddn"
    title: ClassVar[str] = "DDN"
    summary: ClassVar[str] = "the nearest adversarial example in l2, by a norm that grows and shrinks"
    expected_epochs: ClassVar[float] = 2.4

    name: Literal["ddn"] = "ddn"
    norm: Literal["l2"] = "l2"  # the only one that it knows
    initial_norm: Annotated[Epsilon, Field(gt=0)] = 1.0  # of the first perturbation


class FmnSpec(NearestSpec):
    """Pintor, Roli, Brendel and Biggio, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints",
    NeurIPS 2021.
    """  # noqa: D205

    implementation: ClassVar[str] = "nasaudit.attacks.evasion.minimal.fmn:Fmn"
    title: ClassVar[str] = "FMN"
    summary: ClassVar[str] = "the nearest adversarial example in linf or l2, by a ball that grows and shrinks"
    expected_epochs: ClassVar[float] = 2.4

    name: Literal["fmn"] = "fmn"
    step_size: Annotated[Epsilon, Field(gt=0)] = 1.0  # alpha_0, an l2 length


ATTACKS.add("ddn", DdnSpec)
ATTACKS.add("fmn", FmnSpec)
