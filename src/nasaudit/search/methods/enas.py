"""ENAS: a controller that samples paths of shared weights.

Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018. The authors' code:
melodyguan/enas 4bcfd73, src/cifar10/. In an epoch each step draws cells from the controller and trains that path
alone. After it the controller learns by REINFORCE: the reward of cells is the accuracy of their path on one batch of
held-out images, with the statistics of that batch in BN (micro_child.py:804), and a little of the entropy
(micro_controller.py:233-248); 10 samples make a step (scripts/cifar10_micro_search.sh:32-34, as TensorFlow's
SyncReplicasOptimizer averages that many gradients of one worker). Then 10 cells are drawn, and the best on a batch is
what the search has found by now (main.py:309-327).

A source is chosen by attention over the nodes, an op by a softmax; the reduction cell goes on from the LSTM's state
behind the normal cell (micro_controller.py:79-80, :116-229). The separable convolutions begin with a bias of 10,
which saturates tanh: they are preferred at first, and hardly move.

Deviations: the two sources of a node differ, as in all spaces here; there is no auxiliary head and no dropout before
the classifier; BN of searched cells has no scale and shift; Adam's epsilon is not TensorFlow's, which counts for more
in the first steps; the ten last cells are compared on one batch, not each on its own.
"""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from nasaudit.data.split import Split
from nasaudit.search.base import Found, Problem
from nasaudit.search.cells import Cells, cells_of, written
from nasaudit.search.controllers import Controller, Decisions, Walk, reinforced
from nasaudit.search.one_shot import Batch
from nasaudit.search.paths import PathSearch, path_of
from nasaudit.search.supernet import Mixture
from nasaudit.spec.searches import EnasSpec

BETAS, EPSILON = (0.0, 0.999), 1e-3  # of Adam (src/utils.py:218)
SEPARABLE = ("sep_conv_3x3", "sep_conv_5x5")  # whose logits begin higher


class EnasController(Controller):
    """See the module; symbols are those of micro_controller.py:85-229."""

    def __init__(self, spec: EnasSpec, generator: torch.Generator):
        super().__init__(spec.space, spec.controller_size, generator)
        size = spec.controller_size
        self.attend_node, self.attend_state = self._uniform(size, size), self._uniform(size, size)
        self.attend = self._uniform(size)
        self.op_weights = self._uniform(size, len(self.ops))
        liked = torch.tensor([op in SEPARABLE for op in self.ops])
        self.op_bias = nn.Parameter(spec.op_bias * liked.double())
        self.normal_bias = spec.normal_bias * (2 * liked.double() - 1)
        self.tanh_constant, self.op_constant = spec.tanh_constant, spec.tanh_constant / spec.op_tanh_reduce

    def decisions(self) -> Decisions:  # noqa: D102
        space, state = self.space, (self.zeros(), self.zeros())
        nodes = {}
        for kind in space.kinds:
            anchors, keys, cell = list[Tensor](), list[Tensor](), []
            read: Tensor = self.start
            for _ in range(space.inputs):
                state = self.step(read, state)
                anchors.append(self.zeros())
                keys.append(state[1] @ self.attend_node)
            for node in range(space.inputs, space.inputs + space.nodes):
                sources = list(range(node)) if space.edges is None else list[int]()
                for _ in range(space.edges or 0):
                    state = self.step(read, state)
                    query = (torch.stack(keys) + state[1] @ self.attend_state).tanh() @ self.attend
                    left = [source for source in range(node) if source not in sources]
                    sources.append(left[(yield self.tanh_constant * query[left].tanh())])
                    read = anchors[sources[-1]]
                ops = []
                for _ in sources:
                    state = self.step(read, state)
                    logits = self.op_constant * (state[1] @ self.op_weights + self.op_bias).tanh()
                    ops.append((yield logits + self.normal_bias if kind == "normal" else logits))
                    read = self.op_embeddings[ops[-1]]
                cell.append(self.edges(ops, sources))
                state = self.step(read, state)
                anchors.append(state[1])
                keys.append(state[1] @ self.attend_node)
                read = self.start
            nodes[kind] = cell
        return nodes


class Enas(PathSearch[EnasSpec]):
    """See the module."""

    def search(self, problem: Problem) -> Found:
        """The controller learns from the last images of the half that other methods hold out."""
        total = len(problem.train) + len(problem.held_out)
        kept = max(1, round(self.spec.held_out_share * total))
        order = torch.arange(len(problem.held_out))
        train = problem.train.joined(problem.held_out.take(order[:-kept]))
        return super().search(replace(problem, train=train, held_out=problem.held_out.take(order[-kept:])))

    def begin(self) -> None:  # noqa: D102
        self.controller = EnasController(self.spec, self.generator)
        self.controller_optimizer = torch.optim.Adam(
            self.controller.parameters(), self.spec.controller_learning_rate, BETAS, EPSILON
        )
        self.baseline = 0.0
        self._draw()
        self.best = self.walk

    def make_optimizer(self) -> torch.optim.Optimizer:
        """With Nesterov's momentum (src/utils.py:213-214)."""
        spec = self.spec
        return torch.optim.SGD(
            self.supernet.parameters(),
            spec.learning_rate,
            spec.momentum,
            weight_decay=spec.weight_decay,
            nesterov=spec.momentum > 0,
        )

    def learning_rate(self) -> float:
        """Cosines, each longer than the one before (src/utils.py:162-183)."""
        spec, epoch, length = self.spec, self.epoch, self.spec.first_restart
        while epoch >= length:
            epoch, length = epoch - length, length * spec.restart_factor
        least = spec.min_learning_rate
        return least + (spec.learning_rate - least) * (1 + math.cos(math.pi * epoch / length)) / 2

    def mixtures(self) -> dict[str, Mixture]:  # noqa: D102
        return path_of(self.spec.space, self.walk.nodes, self.problem.device)

    def step(self, batch: Batch) -> Tensor:
        """Of the weights of one path."""
        with torch.no_grad():
            self._draw()
        return self.weights_step(batch)

    def after_epoch(self) -> None:
        """The controller's turn."""
        spec, rewards, entropies, walks = self.spec, list[float](), list[float](), list[Walk]()
        for number in range(0 if self.warming else spec.controller_steps):
            self.controller_optimizer.zero_grad(set_to_none=True)
            for _ in range(spec.controller_samples):
                self._draw()
                walks.append(self.walk)
                entropies.append(float(self.walk.entropy.detach()))
                rewards.append(self.path_accuracy(self._batch()) + spec.entropy_weight * entropies[-1])
                # The mean moves before it is taken off (micro_controller.py:241-248).
                self.baseline += (1 - spec.baseline_decay) * (rewards[-1] - self.baseline)
                loss = reinforced(self.walk.log_prob, rewards[-1] - self.baseline)
                (loss / spec.controller_samples).backward()  # type: ignore[no-untyped-call]
            self.controller_optimizer.step()
            self.problem.progress(
                (self.epoch + 1) / self.epochs,
                f"epoch {self.epoch + 1}/{self.epochs}, step {number + 1} of the controller",
            )
        batch, best = self._batch(), -1.0
        for _ in range(spec.candidates):
            self._draw()
            walks.append(self.walk)
            if (reached := self.path_accuracy(batch)) > best:
                best, self.best = reached, self.walk
        self.trace[-1] |= {
            "cells": written(self.derive()),
            "mean_reward": sum(rewards) / len(rewards) if rewards else None,
            "entropy": sum(entropies) / len(entropies) if entropies else float(self.walk.entropy.detach()),
            "baseline": self.baseline,
            "weights": self._shares(walks),
        }

    def said(self) -> dict[str, Any]:
        """Nothing before the controller's turn."""
        return {}

    def accuracy(self, split: Split) -> float:  # noqa: D102
        return self.accuracy_by_batches(split)

    def derive(self) -> Cells:
        """The best of the last candidates."""
        return cells_of(self.spec.space, self.best.nodes)

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {
            "controller": self.controller.state_dict(),
            "controller_optimizer": self.controller_optimizer.state_dict(),
            "baseline": self.baseline,
            "best": list(self.best.choices),
        }

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        self.controller.load_state_dict(state["controller"])
        self.controller_optimizer.load_state_dict(state["controller_optimizer"])
        self.baseline = state["baseline"]
        self.best = self.controller.score(state["best"])

    def _draw(self) -> None:
        self.walk = self.controller.sample(self.generator)

    def _batch(self) -> Batch:
        """Held-out images as they are, drawn anew (micro_child.py:773-804)."""
        split = self.problem.held_out
        positions = torch.randperm(len(split), generator=self.generator)[: self.batch_size]
        return split.pixels(positions).to(self.problem.device), split.labels[positions].to(
            self.problem.device
        )

    def _shares(self, walks: list[Walk]) -> dict[str, Any]:
        """How many of the walks have each op at each edge, [edges, primitives] by kind of cell."""
        paths = [path_of(self.spec.space, walk.nodes, "cpu") for walk in walks]
        return {
            kind: torch.stack([path[kind].weights for path in paths]).mean(dim=0).tolist()
            for kind in self.spec.space.kinds
        }
