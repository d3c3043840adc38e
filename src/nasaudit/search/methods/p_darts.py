"""P-DARTS: three stages, each deeper and of fewer ops, with dropout behind skips.

Chen et al., "Progressive Differentiable Architecture Search", ICCV 2019. The authors' code: chenxin061/pdarts
b880e87. Each stage has a new network with new weights and alphas (train_search.py:125); after it, the weakest ops of
each edge are dropped: 8 -> 5 -> 3 -> 1 (:109-110, :174-199). In the last stage `none` goes first (:183, :372-389).
Dropout behind skips falls during a stage (:145, :153-157). The derived normal cell has at most `skips` skips: the
weakest one is struck out, and edges and ops are chosen anew, until it has (:250-262, :405-440).

Deviations: alphas are no parameters of the network here, so the clip of the weights does not see them.
"""

import math
from typing import Any

import torch
from torch import Tensor

from nasaudit.search.cells import Cells, cells_of, strongest
from nasaudit.search.memory import refuse_too_large
from nasaudit.search.methods.darts import AlphaSearch
from nasaudit.search.supernet import Active, MixedOp, everything
from nasaudit.spec.genotype import SKIP, Edge
from nasaudit.spec.searches import PDartsSpec

FALL = 0.2  # of the dropout behind skips, an epoch after the warm-up (train_search.py:144, :156)


class PDarts(AlphaSearch[PDartsSpec]):
    """See the module."""

    def begin(self) -> None:  # noqa: D102
        self.kept: dict[str, Active] = {kind: everything(self.spec.space) for kind in self.spec.space.kinds}
        self._begin_stage()

    def _begin_stage(self) -> None:
        self.make_supernet()
        super().begin()
        self.active = dict(self.kept)
        refuse_too_large(self)

    @property
    def n_cells(self) -> int:
        """Of this stage's supernet."""
        return self.spec.stage_cells[self.stage]

    def learning_rate(self) -> float:
        """A cosine that begins anew with each stage."""
        least = self.spec.min_learning_rate
        turn = 1 + math.cos(math.pi * self.epoch_of_stage / self.spec.epochs)
        return least + (self.spec.learning_rate - least) * turn / 2

    def before_epoch(self) -> None:
        """Set the dropout behind skips."""
        rate, epoch = self.spec.skip_dropout[self.stage], self.epoch_of_stage
        if self.warming:
            rate *= (self.spec.epochs - epoch - 1) / self.spec.epochs
        else:
            rate *= math.exp(-FALL * (epoch - self.spec.warmup_epochs))
        for module in self.supernet.modules():
            if isinstance(module, MixedOp):
                module.skip_dropout.p = rate

    def mixed(self, kind: str) -> Tensor:
        """A softmax over the ops that are left."""
        return self.alphas[kind].masked_fill(~self._mask(kind), -math.inf).softmax(dim=-1)

    def _mask(self, kind: str) -> Tensor:
        space = self.spec.space
        mask = torch.zeros(len(space.sources), len(space.primitives), dtype=torch.bool)
        for position, ops in enumerate(self.active[kind]):
            mask[position, list(ops)] = True
        return mask.to(self.problem.device)

    def after_epoch(self) -> None:
        """At the end of a stage but the last, drop ops and begin the next."""
        if self.epoch_of_stage + 1 < self.spec.epochs or self.epoch + 1 == self.epochs:
            return
        for kind, active in self.active.items():
            weights = self.levered(self.mixed(kind)).tolist()
            keep = self.spec.stage_ops[self.stage + 1]
            self.kept[kind] = tuple(
                tuple(sorted(sorted(ops, key=lambda op, row=row: (-row[op], -op))[:keep]))  # type: ignore[misc]
                for ops, row in zip(active, weights, strict=True)
            )
        self.stage += 1
        self._begin_stage()

    def derive(self) -> Cells:  # noqa: D102
        space = self.spec.space
        with torch.no_grad():
            weights = {kind: self.levered(self.mixed(kind)).tolist() for kind in self.alphas}
        nodes = {kind: strongest(space, rows) for kind, rows in weights.items()}
        if space.edges is not None and SKIP in space.primitives:
            nodes["normal"] = self._with_few_skips(weights["normal"])
        return cells_of(space, nodes)

    def _with_few_skips(self, weights: list[list[float]]) -> list[list[Edge]]:
        """Strike out the weakest skip of the cell and choose anew, until few enough are left."""
        space = self.spec.space
        skip = space.primitives.index(SKIP)
        while True:
            nodes = strongest(space, weights)
            skips = [
                space.edges_into(number)[edge.source]
                for number, node in enumerate(nodes, start=space.inputs)
                for edge in node
                if edge.op == SKIP
            ]
            struck = [edge for edge in skips if weights[edge][skip] > 0]
            if len(skips) <= self.spec.skips or not struck:  # where nothing but skips is left, they stay
                return nodes
            weights[min(struck, key=lambda edge: (weights[edge][skip], edge))][skip] = 0.0

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {**super().state(), "stage": self.stage, "kept": self.kept}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        self.stage, self.kept = state["stage"], state["kept"]
        self._begin_stage()
        super().restore(state)
