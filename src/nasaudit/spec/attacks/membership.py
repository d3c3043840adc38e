"""Membership inference: how many members and non-members are told apart, and at what cost in shadow models."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, DataFacts, Family, ThreatModel

SpecFpr = Annotated[float, Field(gt=0, lt=1)]


class MembershipSpec(AttackSpec):
    """What every membership attack shares: as many members as non-members, the same transform for both."""

    family: ClassVar[Family] = "membership"

    examples: Annotated[int, Field(ge=1)] = 1000  # members, and as many non-members (test images)
    fprs: Annotated[tuple[SpecFpr, ...], Field(min_length=1)] = (0.001, 0.01)  # at which the TPR is measured
    seed: Annotated[int, Field(ge=0)] = 0  # decides which members

    def check(self, facts: DataFacts) -> None:
        """There must be enough of both, and enough non-members to see the smallest false positive rate."""
        most = min(facts.sizes["train"], facts.sizes["test"])
        if self.examples > most:
            raise SpecError(
                "examples", f"at most {most} (training images: members; test: non-members)", self.examples
            )
        if min(self.fprs) * self.examples < 1:
            raise SpecError(
                "fprs",
                f"at least 1/{self.examples}, one false positive among the non-members",
                min(self.fprs),
            )


class LossThresholdSpec(MembershipSpec):
    """Yeom et al., "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", CSF 2018."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.membership.loss_threshold:LossThreshold"
    summary: ClassVar[str] = "members have a smaller loss"

    name: Literal["loss_threshold"] = "loss_threshold"


ATTACKS.add("loss_threshold", LossThresholdSpec)
