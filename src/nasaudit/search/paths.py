"""A path of a supernet: the cells of one child as a mixture of zeros and ones, of which nothing else is computed."""

import torch

from nasaudit.search.cells import Nodes, outputs
from nasaudit.search.supernet import Mixture
from nasaudit.spec.searches.space import SpaceSpec


def path_of(space: SpaceSpec, nodes: Nodes, device: str) -> dict[str, Mixture]:
    """The mixture of each kind of cell that is the cell itself.

    Args:
        space: of the supernet.
        nodes: the edges of each node, by kind of cell.
        device: of the weights.
    """
    mixtures = {}
    for kind, cell in nodes.items():
        weights = torch.zeros(len(space.sources), len(space.primitives))
        active: list[tuple[int, ...]] = [()] * len(space.sources)
        for node, edges in enumerate(cell, start=space.inputs):
            for op, source in edges:
                position, number = space.edges_into(node)[source], space.primitives.index(op)
                weights[position, number] = 1.0
                active[position] = (number,)
        ends = outputs(space, cell) if space.concat == "loose" else None
        mixtures[kind] = Mixture(weights.to(device), tuple(active), ends)
    return mixtures
