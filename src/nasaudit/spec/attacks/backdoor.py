"""Backdoors: the trigger, the class that it calls up, and how the model is made to learn it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.base import Spec
from nasaudit.spec.units import Fractional


class TriggerSpec(Spec):
    """Mask, pattern and opacity of a trigger, before there are images to put it on."""

    shape: Literal["square"] = "square"
    size: Annotated[int, Field(ge=1)] = 3  # pixels of a side
    position: Literal["top_left", "top_right", "bottom_left", "bottom_right", "centre"] = "top_left"
    opacity: Fractional = 1.0  # 1: fully visible

    def check(self, facts: DataFacts) -> None:
        """The trigger must fit into the image."""
        side = min(facts.shape[1:])
        if self.size > side:
            raise SpecError("trigger.size", f"at most {side}, the side of the image", self.size)


class BackdoorSpec(AttackSpec):
    """What every backdoor shares: the class that the trigger calls up, and the training that plants it."""

    family: ClassVar[Family] = "backdoor"

    target_class: Annotated[int, Field(ge=0)] = 0
    poison_fraction: Annotated[float, Field(gt=0, le=1)] = 0.02  # of the training images
    from_scratch: bool = False  # train anew on poisoned data, instead of fine-tuning the victim
    epochs: Annotated[int, Field(ge=1)] | None = 4  # None: those of the victim
    learning_rate: Annotated[float, Field(gt=0)] | None = None  # None: that of the victim's training
    seed: Annotated[int, Field(ge=0)] = 0  # decides the poisoned images and the trigger

    def check(self, facts: DataFacts) -> None:
        """The target must exist."""
        if self.target_class >= facts.classes:
            raise SpecError("target_class", f"a class from 0 to {facts.classes - 1}", self.target_class)


class BadNetsSpec(BackdoorSpec):
    """Gu et al., "BadNets: Evaluating Backdooring Attacks on Deep Neural Networks", IEEE Access 2019."""

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.badnets:BadNets"
    summary: ClassVar[str] = "a fixed pattern stamped on a share of the training images"

    name: Literal["badnets"] = "badnets"
    trigger: TriggerSpec = TriggerSpec()

    def check(self, facts: DataFacts) -> None:
        """The trigger must fit, the target exist."""
        super().check(facts)
        self.trigger.check(facts)


ATTACKS.add("badnets", BadNetsSpec)
