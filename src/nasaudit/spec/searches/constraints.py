"""Bounds of the shape of cells, as `analysis.topology.shape` measures it, within which a search stays."""

from typing import Annotated

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.searches.space import SpaceSpec
from nasaudit.spec.units import Fractional

Depth = Annotated[int, Field(ge=1)]
Width = Annotated[float, Field(ge=0)]
SHAPES = ("depth", "width", "skip_share")


class Constraints(Spec):
    """Bounds that each cell keeps, the normal and the reduction cell alike; none: no bound."""

    min_depth: Depth | None = None  # edges on the longest path
    max_depth: Depth | None = None
    min_width: Width | None = None  # sum over nodes of the share of their edges that come from a cell input
    max_width: Width | None = None
    min_skip_share: Fractional | None = None  # of the edges
    max_skip_share: Fractional | None = None

    @model_validator(mode="after")
    def _something_is_left(self) -> "Constraints":
        for shape in SHAPES:
            least, most = getattr(self, f"min_{shape}"), getattr(self, f"max_{shape}")
            if least is not None and most is not None and least > most:
                raise SpecError(f"min_{shape}", f"at most {most}, which is max_{shape}", least)
        return self

    @property
    def bounds(self) -> dict[str, float]:
        """Those that are set, by name."""
        return {name: value for name, value in self if value is not None}

    def check(self, space: SpaceSpec) -> None:
        """Refuse what no cell of a space has.

        Raises:
            SpecError: the field is relative to this spec.
        """
        if self.bounds and space.skeleton != "darts":
            raise SpecError(
                "", f"nothing in the space {space.name}, whose cells have no such shape", self.bounds
            )
        for name in ("min_depth", "min_width"):
            value = getattr(self, name)
            if value is not None and value > space.nodes:
                raise SpecError(name, f"at most {space.nodes}, the nodes of a cell of {space.name}", value)
