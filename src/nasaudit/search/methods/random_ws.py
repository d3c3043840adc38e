"""Random search with weight sharing: the baseline of all one-shot searches.

Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019. The authors' code:
liamcli/randomNAS_release 6513a0a. Each step draws cells uniformly and trains their path of the supernet alone
(searchers/random_weight_share.py:72-79). Then 1,000 cells are drawn and scored on 10 held-out batches, and the best
10 on all held-out images; once for every 10,000 steps (:81-115).

Deviations: `none` is not drawn, as no cell of a space that keeps some edges has it (the authors draw it,
benchmarks/cnn/darts/darts_wrapper_discrete.py:258-272); the best of all rounds is taken (they train the best of the
first, :160-163); what is scored are plain held-out images, for each sample others, in random order.
"""

from random import Random
from typing import Any

import torch
from torch import Tensor

from nasaudit.data.split import Split
from nasaudit.search.cells import Cells, cells_of, draw_nodes, written
from nasaudit.search.one_shot import Batch
from nasaudit.search.paths import PathSearch, path_of
from nasaudit.search.supernet import Mixture
from nasaudit.spec.genotype import Edge
from nasaudit.spec.searches import RandomWsSpec

Nodes = dict[str, list[list[Edge]]]


class RandomWs(PathSearch[RandomWsSpec]):
    """See the module."""

    def begin(self) -> None:  # noqa: D102
        self.nodes = self.drawn()

    def drawn(self) -> Nodes:
        """Cells of the space, uniformly."""
        random = Random(int(torch.randint(2**62, (), generator=self.generator)))
        return {kind: draw_nodes(self.spec.space, random) for kind in self.spec.space.kinds}

    def mixtures(self) -> dict[str, Mixture]:  # noqa: D102
        return path_of(self.spec.space, self.nodes, self.problem.device)

    def step(self, batch: Batch) -> Tensor:
        """Of the weights of one path."""
        self.nodes = self.drawn()
        return self.weights_step(batch)

    def after_epoch(self) -> None:
        """At last, choose."""
        if self.epoch + 1 < self.epochs:
            return
        spec = self.spec
        steps = self.epochs * (len(self.problem.train) // self.batch_size)
        finalists: list[tuple[float, Nodes]] = []
        for _ in range(max(1, steps // spec.steps_a_round)):
            samples = []
            for number in range(spec.samples):
                nodes = self.drawn()
                samples.append((self.score(nodes, spec.sample_batches * self.batch_size), nodes))
                self.problem.progress(1.0, f"sample {number + 1} of {spec.samples}")
            samples.sort(key=lambda sample: -sample[0])
            for _, nodes in samples[: spec.finalists]:
                finalists.append((self.score(nodes), nodes))
                self.problem.progress(1.0, "the best samples once more")
        reached, self.nodes = max(finalists, key=lambda finalist: finalist[0])
        self.trace[-1] |= {"held_out_accuracy": reached, "cells": written(self.derive())}

    def score(self, nodes: Nodes, images: int | None = None) -> float:
        """The share of held-out images that a path gets right; of some images, drawn at random."""
        self.nodes, split = nodes, self.problem.held_out
        if images is not None:
            split = split.take(torch.randperm(len(split), generator=self.generator)[:images])
        return self.accuracy(split)

    def accuracy(self, split: Split) -> float:
        """With the statistics that BN keeps, as by its authors (darts_wrapper_discrete.py:190), or the batches'.

        Those that it keeps are of the last paths that were trained: with few steps, of any path but the one that is
        scored.
        """
        return self.accuracy_by_batches(split) if self.spec.batch_statistics else super().accuracy(split)

    def derive(self) -> Cells:
        """Before the end, the path that was trained last (darts_wrapper_discrete.py:176)."""
        return cells_of(self.spec.space, self.nodes)

    def said(self) -> dict[str, Any]:
        """There is nothing that is learned beside the weights."""
        return {}

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {
            "nodes": {
                kind: [[tuple(edge) for edge in node] for node in cell] for kind, cell in self.nodes.items()
            }
        }

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        self.nodes = {
            kind: [[Edge(*edge) for edge in node] for node in cell] for kind, cell in state["nodes"].items()
        }
