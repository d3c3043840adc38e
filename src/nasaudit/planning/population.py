"""A population of cells: drawn at random, found by search, and rewired. No torch.

The order is that of the draw, then of the catalogue, and for each of its cells that of `HARDENED`. No two have the
same cells, whatever the order of their edges: the draw leaves out the catalogue's cells and their rewirings, whether
these are asked for or not, and a rewiring that gives what is already there is left out.
"""

from collections.abc import Iterator

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.arch.rewiring import rewire
from nasaudit.arch.space import draw_many, ordered
from nasaudit.errors import SpecError
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.study import ArchChoice, PopulationSpec

# The published rewirings; what a plugin adds is tried on the cells of a study that asks for it.
HARDENED = ("deepen", "drop_skips", "both")
JOINT = "+"  # between the name of a cell and how it was rewired


def population(spec: PopulationSpec | None) -> list[ArchChoice]:
    """The architectures that a study's population stands for; none without one.

    Raises:
        SpecError: the fields ask for no architecture at all.
    """
    if spec is None:
        return []
    hardened = list(_hardened())
    known = [*_catalogue().values(), *(choice.genotype for choice in hardened if choice.genotype)]
    choices = [
        ArchChoice(name=f"cell-{k:03}", genotype=genotype, group="random")
        for k, genotype in enumerate(draw_many(spec.cells, spec.seed, without=known))
    ]
    if spec.published:
        choices += [ArchChoice(name=name) for name in _found_by_search()]
    if spec.hardened:
        choices += hardened
    if not choices:
        raise SpecError("population", "cells, published or hardened ones", spec.model_dump())
    return choices


def hardened_name(original: str, how: str) -> str:
    """What rows call a cell that was rewired.

    >>> hardened_name("darts", "deepen")
    'darts+deepen'
    """
    return f"{original}{JOINT}{how}"


def _catalogue() -> dict[str, Genotype]:
    return {name: genotype for name in CATALOGUE if (genotype := CATALOGUE[name].genotype) is not None}


def _found_by_search() -> dict[str, Genotype]:
    return {name: genotype for name, genotype in _catalogue().items() if CATALOGUE[name].group == "nas"}


def _hardened() -> Iterator[ArchChoice]:
    """Every rewiring of the normal cell that gives a new one.

    The catalogue's own hardened cells are not among them: two of these replace a skip otherwise than the rule
    does, and every cell is rewired by one rule here.
    """
    originals = _found_by_search()
    seen = {ordered(genotype) for genotype in originals.values()}
    for name, original in originals.items():
        for how in HARDENED:
            genotype = rewire(original, how)
            if ordered(genotype) not in seen:
                seen.add(ordered(genotype))
                yield ArchChoice(name=hardened_name(name, how), genotype=genotype, group="hardened")
