"""Cells of a space: drawn at random, derived from weights, and as what is audited. No torch."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from nasaudit.arch import space as arch_space
from nasaudit.spec.genotype import Cell, Edge, Genotype
from nasaudit.spec.searches.space import NONE, SpaceSpec

# A genotype, or a cell of NAS-Bench-201 in its text form.
Cells = Genotype | str
# The nodes of each kind of cell; each has its edges.
Nodes = Mapping[str, Sequence[Sequence[Edge]]]


def cells_of(space: SpaceSpec, nodes: Nodes) -> Cells:
    """The nodes of each kind of cell as what is audited."""
    if space.skeleton == "nasbench201":
        return "+".join(
            "|" + "".join(f"{edge.op}~{edge.source}|" for edge in node) for node in nodes["normal"]
        )
    return Genotype(
        **{
            kind: Cell(nodes=tuple(map(tuple, nodes[kind])), concat=outputs(space, nodes[kind]))
            for kind in ("normal", "reduction")
        }
    )


def outputs(space: SpaceSpec, nodes: Sequence[Sequence[Edge]]) -> tuple[int, ...]:
    """The nodes that make a cell's output: all, or those that no other one reads."""
    own = range(space.inputs, space.inputs + space.nodes)
    if space.concat == "all":
        return tuple(own)
    read = {edge.source for node in nodes for edge in node}
    return tuple(node for node in own if node not in read)


def draw(space: SpaceSpec, random: Random) -> Cells:
    """Cells drawn uniformly: each node's sources, then each edge's op, all independent."""
    return cells_of(space, {kind: draw_nodes(space, random) for kind in space.kinds})


def draw_nodes(space: SpaceSpec, random: Random) -> list[list[Edge]]:
    """The nodes of one cell."""
    ops = space.ops if space.edges is not None else space.primitives
    return arch_space.draw_nodes(random, ops, space.nodes, space.edges, space.inputs)


def strongest(space: SpaceSpec, weights: Sequence[Sequence[float]]) -> list[list[Edge]]:
    """The cell that a mixture stands for (Liu et al. 2019, section 2.4).

    An edge is as strong as its strongest op but `none`; a node keeps its strongest edges, each with that op. Where
    all edges are kept, `none` counts like any other op. The first of equals wins.

    Args:
        space: whose cell.
        weights: [edges][primitives].
    """
    nodes = []
    for node in range(space.inputs, space.inputs + space.nodes):
        best = {}
        for source, position in enumerate(space.edges_into(node)):
            ops = [
                (weight, -number)
                for number, weight in enumerate(weights[position])
                if space.edges is None or space.primitives[number] != NONE
            ]
            weight, number = max(ops)
            best[source] = (weight, space.primitives[-number])
        kept = sorted(best, key=lambda source: (-best[source][0], source))[: space.edges]
        nodes.append([Edge(best[source][1], source) for source in sorted(kept)])
    return nodes


def written(cells: Cells) -> Any:
    """As JSON has it."""
    return cells if isinstance(cells, str) else cells.model_dump(mode="json")


def belongs(space: SpaceSpec, cells: Cells) -> bool:
    """Whether cells are of a space: its nodes, edges, sources and ops."""
    if isinstance(cells, str):
        return space.skeleton == "nasbench201"
    if space.skeleton != "darts":
        return False
    return all(_belongs(space, cell) for cell in (cells.normal, cells.reduction))


def _belongs(space: SpaceSpec, cell: Cell) -> bool:
    if len(cell.nodes) != space.nodes or set(cell.concat) != set(outputs(space, cell.nodes)):
        return False
    for number, node in enumerate(cell.nodes, start=space.inputs):
        sources = [edge.source for edge in node]
        wanted = number if space.edges is None else space.edges
        if len(set(sources)) != len(sources) or len(sources) != wanted:
            return False
        if any(edge.op not in space.primitives for edge in node):
            return False
    return True
