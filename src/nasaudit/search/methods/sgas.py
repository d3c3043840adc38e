"""SGAS: edges are decided one after the other while the rest is still searched.

Li et al., "SGAS: Sequential Greedy Architecture Search", CVPR 2020. The authors' code: lightaime/sgas 9cfff65, cnn/.
After `first_decision` epochs, and every `decision_every` ones from then on, one edge of each kind of cell is decided:
the one of the highest score gets its strongest op but `none` (train_search.py:86-141). A node with two decided edges
loses its others (model_search.py:171-192). An edge's importance is the weight of all its ops but `none`; its
certainty is 1 minus the entropy of these, normalised; the score is the product of both, each stretched to [0,1] over
all edges, and by criterion 2 times the mean intersection of the weights with those of the last epochs. The batch
grows with each decision (:262-273), as a decided edge computes one op.
"""

import math
from typing import Any

import torch
from torch import Tensor

from nasaudit.errors import InputError
from nasaudit.search.cells import Cells, cells_of
from nasaudit.search.methods.darts import AlphaSearch
from nasaudit.search.supernet import Mixture
from nasaudit.spec.genotype import Edge
from nasaudit.spec.searches import SgasSpec
from nasaudit.spec.searches.space import NONE

UNDECIDED, PRUNED = -1, -2


class Sgas(AlphaSearch[SgasSpec]):
    """Criteria 1 and 2; see the module."""

    def begin(self) -> None:  # noqa: D102
        space = self.spec.space
        if space.edges is None:
            raise InputError(
                f"sgas: expected a space in which a node keeps some of its edges, got {space.name}"
            )
        super().begin()
        self.decided = {kind: [UNDECIDED] * len(space.sources) for kind in space.kinds}
        self.history: dict[str, list[Tensor]] = {kind: [] for kind in space.kinds}

    @property
    def batch_size(self) -> int:
        """It grows with each decision."""
        decided = sum(edge >= 0 for edge in self.decided["normal"])
        return self.spec.batch_size + self.spec.batch_increase * decided

    @property
    def warming(self) -> bool:
        """Nor is there anything to learn for alphas where all edges are decided."""
        return super().warming or all(UNDECIDED not in edges for edges in self.decided.values())

    def mixtures(self) -> dict[str, Mixture]:
        """Decided edges have one op, whose weight is 1; pruned ones nothing."""
        return {kind: self._with_decisions(kind, mixture) for kind, mixture in super().mixtures().items()}

    def _with_decisions(self, kind: str, mixture: Mixture) -> Mixture:
        rows, active = [], []
        for position, decision in enumerate(self.decided[kind]):
            weights = mixture.weights[position]
            if decision == UNDECIDED:
                rows.append(weights)
                active.append(mixture.active[position])
                continue
            fixed = torch.zeros_like(weights)
            if decision >= 0:
                fixed[decision] = 1.0
            rows.append(fixed)
            active.append((decision,) if decision >= 0 else ())
        return Mixture(torch.stack(rows), tuple(active))

    def after_epoch(self) -> None:
        """Decide an edge of each kind, at the epochs that are due."""
        late = self.epoch - self.spec.first_decision
        due = late >= 0 and late % self.spec.decision_every == 0
        for kind in self.alphas:
            score, weights = self.scores(kind)
            undecided = [edge for edge, decision in enumerate(self.decided[kind]) if decision == UNDECIDED]
            if due and undecided:
                edge = max(undecided, key=lambda edge: (float(score[edge]), -edge))
                self._decide(kind, edge, int(weights[edge].argmax()))

    def scores(self, kind: str) -> tuple[Tensor, Tensor]:
        """The score of each edge [edges], and the weights of its ops without `none`, renormalised [edges, ops]."""
        space = self.spec.space
        with torch.no_grad():
            mixed = self.levered(self.alphas[kind].softmax(dim=-1)).cpu()
        ops = mixed[:, [position for position, op in enumerate(space.primitives) if op != NONE]]
        importance = ops.sum(dim=1)
        weights = ops / importance.unsqueeze(1)
        entropy = torch.special.entr(weights).sum(dim=1) / math.log(max(2, weights.shape[1]))
        score = stretched(importance) * stretched(1 - entropy)
        if self.spec.criterion == 2:
            history = self.history[kind]
            stable = torch.zeros(len(weights))
            if history:
                stable = torch.stack([torch.minimum(before, weights).sum(dim=1) for before in history]).mean(
                    dim=0
                )
            self.history[kind] = [*history, weights][-self.spec.history :]
            score = score * stretched(stable)
        return score, weights

    def _decide(self, kind: str, edge: int, op: int) -> None:
        space, decided = self.spec.space, self.decided[kind]
        decided[edge] = space.primitives.index(space.ops[op])
        node = space.sources[edge][0]
        entering = space.edges_into(node)
        if sum(decided[position] >= 0 for position in entering) >= (space.edges or 0):
            for position in entering:
                if decided[position] == UNDECIDED:
                    decided[position] = PRUNED

    def derive(self) -> Cells:
        """What is decided; before the end the rest by importance, as the authors' log has it."""
        space = self.spec.space
        nodes: dict[str, list[list[Edge]]] = {}
        for kind, decided in self.decided.items():
            with torch.no_grad():
                mixed = self.levered(self.alphas[kind].softmax(dim=-1)).cpu()
            nodes[kind] = []
            for node in range(space.inputs, space.inputs + space.nodes):
                entering = space.edges_into(node)
                edges = {
                    edge - entering.start: space.primitives[decided[edge]]
                    for edge in entering
                    if decided[edge] >= 0
                }
                some = [position for position, op in enumerate(space.primitives) if op != NONE]
                open_edges = [edge for edge in entering if decided[edge] == UNDECIDED]
                open_edges.sort(key=lambda edge: -float(mixed[edge, some].sum()))
                for edge in open_edges[: (space.edges or 0) - len(edges)]:
                    edges[edge - entering.start] = space.ops[int(mixed[edge, some].argmax())]
                nodes[kind].append([Edge(edges[source], source) for source in sorted(edges)])
        return cells_of(space, nodes)

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {**super().state(), "decided": self.decided, "history": self.history}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        super().restore(state)
        self.decided, self.history = state["decided"], state["history"]


def stretched(values: Tensor) -> Tensor:
    """To [0,1] over all edges; zeros where all are equal (utils.py:120-128)."""
    span = values.max() - values.min()
    return (values - values.min()) / span if span > 0 else torch.zeros_like(values)
