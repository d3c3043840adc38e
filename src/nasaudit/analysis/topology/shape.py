"""The shape of a cell, from its genotype alone. No torch.

Depth and width of a cell as in Shu et al., "Understanding Architectures Learnt by Cell-based Neural
Architecture Search", ICLR 2020, and Pang et al., "On the Security Risks of AutoML", USENIX Security 2022:
cells that search favours are shallow and wide. The op `none` carries nothing, so it is no edge here.
"""

from collections import Counter
from dataclasses import dataclass

from nasaudit.spec.genotype import CELL_INPUTS, OPS, Cell, Edge, Genotype, Node


@dataclass(frozen=True)
class Topology:
    """The shape of one cell.

    Attributes:
        depth: edges on the longest path from a cell input to a node.
        width: sum over nodes of the share of their edges that come from a cell input, at most one a node.
        skips: edges that are `skip_connect`.
        skip_share: skips divided by edges, in [0,1].
        ops: how many edges carry each op, in the order of `OPS`; ops that no edge carries are left out.
    """

    depth: int
    width: float
    skips: int
    skip_share: float
    ops: tuple[tuple[str, int], ...]

    @property
    def edges(self) -> int:
        """All edges of the cell."""
        return sum(count for _, count in self.ops)


def topology(genotype: Genotype) -> dict[str, Topology]:
    """The shapes of both cells, under the keys `normal` and `reduction`."""
    return {
        "normal": cell_topology(genotype.normal),
        "reduction": cell_topology(genotype.reduction),
    }


def skip_share(genotype: Genotype | None) -> float | None:
    """The edges of both cells that are skips, divided by all edges, in [0,1]; None without edges, or cells."""
    shapes = () if genotype is None else topology(genotype).values()
    edges = sum(shape.edges for shape in shapes)
    return sum(shape.skips for shape in shapes) / edges if edges else None


def cell_topology(cell: Cell) -> Topology:
    """The shape of one cell."""
    nodes = [_edges(node) for node in cell.nodes]
    counts = Counter(edge.op for node in nodes for edge in node)
    edges = counts.total()
    skips = counts["skip_connect"]
    return Topology(
        depth=max(depth for depth in node_depths(cell) if depth is not None),
        width=sum(_input_share(node) for node in nodes),
        skips=skips,
        skip_share=skips / edges if edges else 0.0,
        ops=tuple((op, counts[op]) for op in OPS if counts[op]),
    )


def node_depths(cell: Cell) -> list[int | None]:
    """Edges on the longest path from a cell input, for the inputs and then each node; None: no path."""
    depths: list[int | None] = [0] * CELL_INPUTS
    for node in cell.nodes:
        reached = [depth for edge in _edges(node) if (depth := depths[edge.source]) is not None]
        depths.append(max(reached) + 1 if reached else None)
    return depths


def _edges(node: Node) -> tuple[Edge, ...]:
    return tuple(edge for edge in node if edge.op != "none")


def _input_share(node: tuple[Edge, ...]) -> float:
    return sum(edge.source < CELL_INPUTS for edge in node) / len(node) if node else 0.0
