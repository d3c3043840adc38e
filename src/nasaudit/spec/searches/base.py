"""SearchSpec: a method with its settings, on a space."""

from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from nasaudit.errors import SpecError
from nasaudit.registry import Registry
from nasaudit.spec.arch import Group, Scale
from nasaudit.spec.named import NamedSpec
from nasaudit.spec.searches.space import SPACES, AnySpace

# `one_shot`: one task owns a supernet; `sampled`: the children that it asks for are tasks of the study.
Shape = Literal["one_shot", "sampled"]


class SearchSpec(NamedSpec):
    """Root of all search methods. Defaults are the published ones, which the scale `paper` takes.

    Attributes:
        shape: how its work becomes tasks.
        source: the publication.
        group: of the cells that it finds, where groups are compared.
        at_scale: defaults of the other scales, where they differ.
    """

    shape: ClassVar[Shape]
    source: ClassVar[str]
    group: ClassVar[Group] = "nas"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {}

    space: AnySpace = SPACES["darts"]  # what is searched

    @property
    def is_a_draw(self) -> bool:
        """Whether what it finds was chosen among nothing: a random cell, beside which others are judged."""
        return False

    @property
    def secure(self) -> bool:
        """Whether what it finds is to be secure: by several objectives, or by levers."""
        return False

    @model_validator(mode="before")
    @classmethod
    def _one_shot_is_of_one_objective(cls, values: Any) -> Any:
        for field in ("objectives", "front", "accuracy_drop", "constraints"):
            if isinstance(values, dict) and field in values and field not in cls.model_fields:
                raise SpecError(
                    field,
                    f"nothing of {cls.title}, which trains all cells of its space at once (amoebanet and random "
                    "train each child, attack it and choose)",
                    values[field],
                )
        return values

    def at(self, scale: Scale) -> Self:
        """The same with the defaults of a scale in the place of fields that nobody set."""
        changes = {
            field: value
            for field, value in self.at_scale.get(scale, {}).items()
            if field not in self.model_fields_set
        }
        # Validated anew, and with every field said: two scales of one method never are one spec by accident.
        return self.parse({**self.model_dump(), **changes}, self.name) if changes else self


SEARCHES: Registry[type[SearchSpec]] = Registry("search", "nasaudit.searches", plugin_base=SearchSpec)
