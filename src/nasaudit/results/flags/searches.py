"""Searches whose cells have become mostly skips, as DARTS' do when they run for long: they are called collapsed.

Liang et al., "DARTS+: Improved Differentiable Architecture Search with Early Stopping", 2019, stop a search as soon
as the normal cell has two skips. A third of the random cells of the DARTS space have as many, and DARTS' own cells
too, so two are a warning here; a search has collapsed where hardly a random cell of its space has as many.
"""

from collections.abc import Iterator
from math import comb

from nasaudit.results.flags.base import Check, Facts, Remark
from nasaudit.spec.genotype import SKIP, Genotype
from nasaudit.spec.searches.space import SpaceSpec

STOPPING_SKIPS = 2  # DARTS+: the first of its two criteria
RARE = 0.05  # share of random cells that have as many skips


def normal_skips(cells: Genotype | str) -> int:
    """Skips of the normal cell, or of the only one."""
    if isinstance(cells, str):
        return cells.count(f"{SKIP}~")
    return sum(edge.op == SKIP for edge in cells.normal.edges)


def share_with_skips(space: SpaceSpec, skips: int) -> float:
    """The share of the random cells of a space whose normal cell has at least so many skips: exact, a binomial.

    >>> from nasaudit.spec.searches.space import SPACES
    >>> [round(share_with_skips(SPACES["darts"], skips), 3) for skips in (0, 2, 3, 4, 8)]
    [1.0, 0.32, 0.094, 0.018, 0.0]
    """
    edges, ops = edges_of(space), space.primitives if space.edges is None else space.ops
    share = (SKIP in ops) / len(ops)
    return sum(
        comb(edges, count) * share**count * (1 - share) ** (edges - count)
        for count in range(skips, edges + 1)
    )


def edges_of(space: SpaceSpec) -> int:
    """Of one cell."""
    return len(space.sources) if space.edges is None else space.nodes * space.edges


def has_collapsed(space: SpaceSpec, skips: int) -> bool:
    """Whether so many skips in a normal cell are what search made of it, and not chance."""
    return skips >= STOPPING_SKIPS and share_with_skips(space, skips) < RARE


def search_collapsed(facts: Facts) -> Iterator[Remark]:
    """Found cells that are mostly skips."""
    searches = facts.planned.searches
    for name, found in facts.planned.found:
        spec, skips = searches.get(name), normal_skips(found.genotype)
        if spec is not None and has_collapsed(space := spec.space, skips):
            yield Remark(
                f"the search of {name} collapsed: {skips} of the {edges_of(space)} edges of its normal cell are "
                f"skips, as of {share_with_skips(space, skips):.1%} of random cells; search for fewer epochs, or "
                "by a method that holds skips back (p_darts, pc_darts)",
                (name,),
            )


CHECKS: tuple[Check, ...] = (search_collapsed,)
