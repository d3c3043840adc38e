"""The DARTS search space, its size, and cells drawn from it. No torch.

Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, section 2.1: a cell has four nodes, each node
adds up two edges from different earlier nodes or cell inputs, each edge carries one of seven ops (`none` is an op
of the supernet alone), and the cell's output concatenates all nodes. A genotype is two such cells.

Node k chooses two of k + 2 sources and an op for each, so the space has prod_k C(k + 2, 2) * 7^2 cells for
k = 0..3, which is 180 * 7^8 = 1,037,664,180 (the paper's 10^9), and that squared genotypes.

A draw is uniform over the space: each node's pair of sources, then each edge's op, all independent. Two cells that
differ in the numbering of their nodes alone compute the same and are both in the space, as in the paper's count.
(The talk's own random cell has a node that reads one source twice, so it was drawn with replacement.)
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from math import comb, prod
from random import Random

from nasaudit.errors import SpecError
from nasaudit.spec.genotype import CELL_INPUTS, Cell, Edge, Genotype

NODES = 4
EDGES_OF_A_NODE = 2
SPACE_OPS: tuple[str, ...] = (
    "skip_connect",
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


def count_cells(nodes: int = NODES, ops: int = len(SPACE_OPS)) -> int:
    """Different cells of a space with that many nodes and ops, two edges a node.

    >>> count_cells(nodes=1), count_cells(nodes=2, ops=3)
    (49, 243)
    """
    return prod(comb(k + CELL_INPUTS, EDGES_OF_A_NODE) * ops**EDGES_OF_A_NODE for k in range(nodes))


def count_genotypes() -> int:
    """Different genotypes of the space: a normal and a reduction cell, each any cell."""
    return count_cells() ** 2


@lru_cache(maxsize=1024)  # of a few genotypes it is asked for again and again
def ordered(genotype: Genotype) -> Genotype:
    """The same genotype with each node's edges ordered by source: cells differ only if these do."""
    return Genotype(normal=_ordered(genotype.normal), reduction=_ordered(genotype.reduction))


def draw(random: Random) -> Genotype:
    """A genotype drawn uniformly, its edges ordered by source."""
    return Genotype(normal=_draw_cell(random), reduction=_draw_cell(random))


def draw_many(genotypes: int, seed: int, without: Collection[Genotype] = ()) -> list[Genotype]:
    """Different genotypes, drawn uniformly.

    Args:
        genotypes: how many; the first ones are the same for any number of them.
        seed: of the draw.
        without: genotypes that are not drawn, whatever the order of their edges.

    Raises:
        SpecError: the space does not have so many.
    """
    left = count_genotypes() - len(without)
    if genotypes > left:
        raise SpecError("cells", f"at most {left}, the genotypes of the space", genotypes)
    random, drawn = Random(seed), dict[Genotype, None]()
    excluded = {ordered(genotype) for genotype in without}
    while len(drawn) < genotypes:
        genotype = draw(random)
        if genotype not in excluded:
            drawn.setdefault(genotype)
    return list(drawn)


def draw_nodes(
    random: Random,
    ops: Sequence[str] = SPACE_OPS,
    nodes: int = NODES,
    edges: int | None = EDGES_OF_A_NODE,
    inputs: int = CELL_INPUTS,
) -> list[list[Edge]]:
    """The nodes of one cell, drawn uniformly; `edges` of each node, or None for one from every earlier node."""
    drawn = []
    for node in range(inputs, inputs + nodes):
        sources = range(node) if edges is None else sorted(random.sample(range(node), edges))
        drawn.append([Edge(random.choice(ops), source) for source in sources])
    return drawn


def _draw_cell(random: Random) -> Cell:
    nodes = tuple(map(tuple, draw_nodes(random)))
    return Cell(nodes=nodes, concat=tuple(range(CELL_INPUTS, CELL_INPUTS + NODES)))


def _ordered(cell: Cell) -> Cell:
    nodes = tuple(tuple(sorted(node, key=lambda edge: (edge.source, edge.op))) for node in cell.nodes)
    return Cell(nodes=nodes, concat=tuple(sorted(cell.concat)))
