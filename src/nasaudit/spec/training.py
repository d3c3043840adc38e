"""TrainingSpec: everything that decides how a network is trained, apart from data, network and seed."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.remedies.catalogue import AnyDefence
from nasaudit.spec.units import Fractional


class TrainingSpec(Spec):
    """A training recipe; the defaults are those of `mini`, `recipes.py` has the others. A study may set any field."""

    epochs: Annotated[int, Field(ge=0)] = 10
    batch_size: Annotated[int, Field(ge=1)] = 64
    optimizer: Literal["sgd", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 0.002
    momentum: Fractional = 0.9  # of sgd
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    schedule: Literal["cosine", "one_cycle", "constant"] = "cosine"
    label_smoothing: Fractional = 0.0
    # L2 norm over all parameters; idle where a defence makes the gradient.
    gradient_clip: Annotated[float, Field(gt=0)] | None = 5.0
    crop: Annotated[int, Field(ge=0)] = 2  # pixels of zero padding for random crops; 0: none
    flip: bool = False  # horizontal, with probability 1/2
    cutout: Annotated[int, Field(ge=0)] = 0  # side of the square that is blanked; 0: none
    # Colour of that square: the mean of the training pixels, as its authors have it; black in the talk's artifact.
    cutout_fill: Literal["mean", "black"] = Field(default="mean", exclude_if=lambda value: value == "mean")
    auxiliary_weight: Annotated[float, Field(ge=0)] = 0.4  # used when the network has an auxiliary head
    drop_path_schedule: Literal["linear", "constant"] = "linear"  # linear: from 0 to ArchSpec.drop_path
    precision: Literal["fp32", "bf16"] = "fp32"
    # Which epoch's weights are kept. `best_test` picks on test data: protocol `paper` only.
    keep: Literal["last", "best_validation", "best_test"] = "last"
    # By name, or with their fields. Left out of the digest where there is none.
    defences: tuple[AnyDefence, ...] = Field(default=(), exclude_if=lambda value: not value)

    @model_validator(mode="after")
    def _one_at_each_seam(self) -> Self:
        at: dict[str, str] = {}
        for defence in self.defences:
            if defence.seam in at:
                both = [at[defence.seam], defence.name]
                raise SpecError("defences", f"one defence of the {defence.seam} at most", both)
            at[defence.seam] = defence.name
        ordinary = type(self).model_fields["gradient_clip"].default
        if "gradient" in at and self.gradient_clip not in (None, ordinary):
            raise SpecError(
                "gradient_clip",
                f"nothing beside `{at['gradient']}`, which takes its place",
                self.gradient_clip,
            )
        return self

    @property
    def expected_time(self) -> float:
        """How many times as long as without its defences a training takes."""
        return 1.0 + sum(defence.expected_cost for defence in self.defences)

    def undefended(self) -> Self:
        """The same recipe without its defences: how attackers train models of their own.

        Label smoothing stays: it is a part of ordinary recipes, and who must not have it (a thief, whose targets are
        the victim's answers) leaves it out where the recipe is made.
        """
        return self.model_copy(update={"defences": ()})

    def changed(self, fields: Mapping[str, Any], where: str = "") -> Self:
        """This recipe with other fields. Its defences stay, but for those at a seam that a new one takes.

        Args:
            fields: of a recipe, as a user writes them.
            where: prefix of the path in messages.

        Raises:
            SpecError: the recipe that comes of it is none.
        """
        recipe = self.parse({**self.model_dump(), "defences": (), **fields}, where)
        taken = {defence.seam for defence in recipe.defences}
        kept = [defence for defence in self.defences if defence.seam not in taken]
        return self.parse({**recipe.model_dump(), "defences": [*kept, *recipe.defences]}, where)
