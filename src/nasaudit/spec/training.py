"""TrainingSpec: everything that decides how a network is trained, apart from data, network and seed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.defences import AdversarialSpec, PrivateSpec
from nasaudit.spec.units import Fractional

# What defences add, in units of the undefended training's time: measured with mini networks on one core.
INNER_STEP = 0.65  # a step of the inner maximisation, which needs no gradient of the weights
CLEAN_VIEW = 1.0  # TRADES learns from twice as many images
MICROBATCHES = 2.0  # of 8 images; measured: 3 for images of 8x8, where overhead counts most, 1 for 28x28


class TrainingSpec(Spec):
    """A training recipe; the defaults are those of `mini`, `recipes.py` has the others. A study may set any field."""

    epochs: Annotated[int, Field(ge=0)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 64
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 0.002
    momentum: Fractional = 0.9  # of sgd
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    schedule: Literal["cosine", "one_cycle"] = "cosine"
    label_smoothing: Fractional = 0.0
    gradient_clip: Annotated[float, Field(gt=0)] | None = (
        5.0  # L2 norm over all parameters; idle with `private`
    )
    crop: Annotated[int, Field(ge=0)] = 2  # pixels of zero padding for random crops; 0: none
    flip: bool = False  # horizontal, with probability 1/2
    cutout: Annotated[int, Field(ge=0)] = 0  # side of the square that is blanked; 0: none
    auxiliary_weight: Annotated[float, Field(ge=0)] = 0.4  # used when the network has an auxiliary head
    drop_path_schedule: Literal["linear", "constant"] = "linear"  # linear: from 0 to ArchSpec.drop_path
    precision: Literal["fp32", "bf16"] = "fp32"
    # Which epoch's weights are kept. `best_test` picks on test data: protocol `paper` only.
    keep: Literal["last", "best_validation", "best_test"] = "last"
    # Defences, each a switch. Left out of the digest where they are off, so that older records are found.
    adversarial: AdversarialSpec | None = Field(default=None, exclude_if=lambda value: value is None)
    private: PrivateSpec | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _clipped_once(self) -> Self:
        ordinary = type(self).model_fields["gradient_clip"].default
        if self.private is not None and self.gradient_clip not in (None, ordinary):
            raise SpecError(
                "gradient_clip", "nothing beside `private`, whose `clip` takes its place", self.gradient_clip
            )
        return self

    @property
    def expected_time(self) -> float:
        """How many times as long as without its defences a training takes."""
        factor = 1.0
        if self.adversarial is not None:
            factor += INNER_STEP * self.adversarial.steps + CLEAN_VIEW * (self.adversarial.method == "trades")
        return factor + MICROBATCHES * (self.private is not None)

    def undefended(self) -> Self:
        """The same recipe without `adversarial` and `private`: how attackers train models of their own.

        Label smoothing stays: it is a part of ordinary recipes, and who must not have it (a thief, whose targets are
        the victim's answers) leaves it out where the recipe is made. A recipe without defences is returned as it is.
        """
        if self.adversarial is None and self.private is None:
            return self
        return self.model_copy(update={"adversarial": None, "private": None})
