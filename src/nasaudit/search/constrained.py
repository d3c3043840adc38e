"""Cells within bounds of their shape: drawn, or mutated, until they keep them. No torch."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TypeVar

from nasaudit.analysis.topology.shape import topology
from nasaudit.errors import SpecError
from nasaudit.search.cells import Cells, draw
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches.constraints import Constraints
from nasaudit.spec.searches.space import SpaceSpec

MOST_TRIES = 10_000  # a bound that one in a thousand cells keeps is hardly ever taken for one that none does
ROUNDING = 1e-9  # a width of 2/3 + 1/3 is 1

T = TypeVar("T")


def broken(constraints: Constraints, cells: Cells) -> list[str]:
    """The bounds that one of the cells does not keep, by name."""
    if not isinstance(cells, Genotype):
        return []
    shapes = topology(cells).values()
    names = []
    for name, bound in constraints.bounds.items():
        end, _, figure = name.partition("_")
        sign = 1 if end == "max" else -1
        if any(sign * (getattr(shape, figure) - bound) > ROUNDING for shape in shapes):
            names.append(name)
    return names


def until_kept(constraints: Constraints, make: Callable[[], T], cells_of: Callable[[T], Cells]) -> T:
    """The first of what is made whose cells keep all bounds.

    Args:
        constraints: the bounds; without any, what is made first is taken.
        make: makes another one, each time it is called.
        cells_of: its cells.

    Raises:
        SpecError: none of very many does; it names the bound that most of them break.
    """
    broke: Counter[str] = Counter()
    for _ in range(MOST_TRIES):
        made = make()
        names = broken(constraints, cells_of(made))
        if not names:
            return made
        broke.update(names)
    name, times = broke.most_common(1)[0]
    raise SpecError(
        f"constraints.{name}",
        f"a bound that can be kept ({times} of {MOST_TRIES} cells break it, and none keeps all bounds)",
        getattr(constraints, name),
    )


def draw_within(space: SpaceSpec, constraints: Constraints, random: Random) -> Cells:
    """Cells drawn uniformly from those of a space that keep the bounds."""
    return until_kept(constraints, lambda: draw(space, random), lambda cells: cells)
