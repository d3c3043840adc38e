"""A path of a supernet: the cells of one child as a mixture of zeros and ones, of which nothing else is computed."""

from typing import TypeVar

import torch

from nasaudit.data.split import Split
from nasaudit.search.cells import Nodes, outputs
from nasaudit.search.one_shot import Batch, SupernetSearch
from nasaudit.search.supernet import Mixture
from nasaudit.spec.searches import OneShotSpec
from nasaudit.spec.searches.space import SpaceSpec

S = TypeVar("S", bound=OneShotSpec)


class PathSearch(SupernetSearch[S]):
    """Root of the methods whose steps train one path alone.

    The weights of other paths go on by momentum and decay, as in the authors' code: there a gradient is zeros where
    nothing came (melodyguan/enas 4bcfd73, micro_child.py: all ops are computed, and one is taken; liamcli/
    randomNAS_release 6513a0a, darts_wrapper_discrete.py:156 under torch 0.3). If they stood still until they are met
    again, their momentum would be of a network that is long gone.
    """

    def clear_gradients(self) -> None:  # noqa: D102
        for weight in self.supernet.parameters():
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad.zero_()

    @torch.no_grad()
    def path_accuracy(self, batch: Batch) -> float:
        """Of the path of now, with the statistics of the batch."""
        return float((self.forward(batch[0]).argmax(dim=1) == batch[1]).double().mean())

    @torch.no_grad()
    def accuracy_by_batches(self, split: Split) -> float:
        """Of the path of now, in batches about as large as those of the weights, with their statistics."""
        right = 0.0
        for positions in torch.arange(len(split)).tensor_split(max(1, len(split) // self.batch_size)):
            pixels = split.pixels(positions).to(self.problem.device)
            labels = split.labels[positions].to(self.problem.device)
            right += self.path_accuracy((pixels, labels)) * len(positions)
        return right / len(split)


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
