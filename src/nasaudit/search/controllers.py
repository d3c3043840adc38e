"""Policies over the cells of a space: an LSTM that decides source by source and op by op, and what it learns by.

It computes in float64 on the CPU with its own generator, so that a search that is replayed decides the same.
"""

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nasaudit.search.cells import Nodes
from nasaudit.spec.genotype import Edge
from nasaudit.spec.searches.space import SpaceSpec

INIT = 0.1  # weights begin uniform within it (melodyguan/enas 4bcfd73, micro_controller.py:86)

# Yields the logits of a decision, is sent its outcome, and returns the cells.
Decisions = Generator[Tensor, int, Nodes]


@dataclass(frozen=True)
class Walk:
    """Cells with how a policy came to them.

    Attributes:
        nodes: by kind of cell.
        choices: the outcome of each decision.
        log_prob: of all of them, a scalar.
        entropy: the sum of the entropies of the decisions, a scalar in nats.
    """

    nodes: Nodes
    choices: tuple[int, ...]
    log_prob: Tensor
    entropy: Tensor


class Controller(nn.Module):
    """Root of the policies.

    Args:
        space: whose cells.
        size: numbers in the state of the LSTM, which has one layer and no biases.
        generator: of the initial weights.
    """

    def __init__(self, space: SpaceSpec, size: int, generator: torch.Generator):
        super().__init__()
        self.space, self.size, self._generator = space, size, generator
        # `none` is an op of cells alone that keep every edge.
        self.ops = space.primitives if space.edges is None else space.ops
        self.lstm = self._uniform(2 * size, 4 * size)
        self.start = self._uniform(size)
        self.op_embeddings = self._uniform(len(self.ops), size)

    @abstractmethod
    def decisions(self) -> Decisions:
        """Decide one thing after the other."""

    def sample(self, generator: torch.Generator) -> Walk:
        """Draw cells."""

        def draw(probabilities: Tensor) -> int:
            uniform = torch.rand((), dtype=torch.float64, generator=generator)
            passed = probabilities.detach().cumsum(dim=0) <= uniform
            return min(int(passed.sum()), len(probabilities) - 1)

        return self.walk(draw)

    def score(self, choices: Sequence[int]) -> Walk:
        """The same decisions once more, under the weights as they are now."""
        made = iter(choices)
        return self.walk(lambda _: next(made))

    def walk(self, choose: Callable[[Tensor], int]) -> Walk:
        """Decide by a function of the probabilities of the options."""
        decisions, choices = self.decisions(), list[int]()
        log_prob = entropy = torch.zeros((), dtype=torch.float64)
        logits = next(decisions)
        while True:
            log_probs = logits.log_softmax(dim=-1)
            choices.append(choose(log_probs.exp()))
            log_prob = log_prob + log_probs[choices[-1]]
            entropy = entropy - (log_probs.exp() * log_probs).sum()
            try:
                logits = decisions.send(choices[-1])
            except StopIteration as end:
                return Walk(end.value, tuple(choices), log_prob, entropy)

    def step(self, read: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """One step of the LSTM: (cell, hidden) behind it (src/common_ops.py:5-14)."""
        cell, hidden = state
        into, forget, out, new = (torch.cat([read, hidden]) @ self.lstm).chunk(4)
        cell = into.sigmoid() * new.tanh() + forget.sigmoid() * cell
        return cell, out.sigmoid() * cell.tanh()

    def zeros(self) -> Tensor:
        """[size]."""
        return torch.zeros(self.size, dtype=torch.float64)

    def edges(self, ops: Sequence[int], sources: Sequence[int]) -> list[Edge]:
        """Of a node, by source."""
        return sorted(
            (Edge(self.ops[op], source) for op, source in zip(ops, sources, strict=True)),
            key=lambda edge: edge.source,
        )

    def _uniform(self, *shape: int) -> nn.Parameter:
        drawn = torch.rand(shape, dtype=torch.float64, generator=self._generator)
        return nn.Parameter(INIT * (2 * drawn - 1))


def reinforced(log_prob: Tensor, advantage: float) -> Tensor:
    """A loss whose gradient is that of the expected reward, downwards (Williams 1992): -log p (R - b)."""
    return -log_prob * advantage


def clipped(log_prob: Tensor, old: float, advantage: float, clip: float) -> Tensor:
    """The loss of PPO (Schulman et al. 2017, eq. 7): -min(r A, clamp(r, 1 - clip, 1 + clip) A), r = p / p_old."""
    ratio = (log_prob - old).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
