"""The loop that all methods with a supernet share. A method says how ops are mixed, and what a step and an epoch do.

An epoch takes the images of the weights' half once, in batches; beside each goes a batch of the mixture's half, drawn
anew (quark0/darts f276dd3, cnn/train_search.py:147-155). After each epoch the whole state is written to the
checkpoint, from which an interrupted search goes on to the same cells.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from nasaudit.containment import contained
from nasaudit.data.augment import augment
from nasaudit.data.split import Split
from nasaudit.errors import InputError, NonFiniteError
from nasaudit.randomness import derive_seed
from nasaudit.search.base import Found, OneShotSearch, Problem
from nasaudit.search.cells import Cells, written
from nasaudit.search.memory import refuse_too_large
from nasaudit.search.supernet import Mixture, Supernet
from nasaudit.spec.searches import OneShotSpec
from nasaudit.training.bookmark import Bookmark

Batch = tuple[Tensor, Tensor]  # pixels [n, C, H, W] in [0,1], labels [n]
S = TypeVar("S", bound=OneShotSpec)


class SupernetSearch(OneShotSearch[S]):
    """Root of the methods that descend on the weights of a supernet.

    Attributes:
        supernet: as it is now.
        optimizer: of its weights.
        epoch: that is under way, from 0.
    """

    supernet: Supernet
    optimizer: torch.optim.Optimizer
    parts = 1  # of the channels, of which ops read the first
    stage = 0  # that is under way; each has `epochs` epochs

    # What a method says.

    @abstractmethod
    def begin(self) -> None:
        """Make what the method has beside the supernet: alphas and their optimiser, a controller."""

    @abstractmethod
    def mixtures(self) -> dict[str, Mixture]:
        """How the ops are mixed in the next forward pass; drawn anew each time by methods that draw."""

    @abstractmethod
    def derive(self) -> Cells:
        """The cells that the state stands for."""

    @abstractmethod
    def step(self, batch: Batch) -> Tensor:
        """One step of the search; returns the loss of the weights' batch."""

    def before_epoch(self) -> None:
        """What hangs on the epoch."""

    def after_epoch(self) -> None:
        """What is pruned, decided or widened."""

    def forward(self, pixels: Tensor, mixtures: dict[str, Mixture] | None = None) -> Tensor:
        """Logits of the supernet under a mixture; None: that of now."""
        logits: Tensor = self.supernet(pixels, self.mixtures() if mixtures is None else mixtures)
        return logits

    def most_kept(self, batch: Batch) -> Tensor:
        """Of what a step differentiates, that whose graph keeps most."""
        return self.forward(batch[0])

    def said(self) -> dict[str, Any]:
        """What the trace keeps of the state: e.g. the weights of each op."""
        return {
            "weights": {
                kind: mixture.weights.detach().cpu().tolist() for kind, mixture in self.mixtures().items()
            }
        }

    def state(self) -> dict[str, Any]:
        """Everything that changes, beside supernet and optimiser: for `torch.save`."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of `state`."""

    @property
    def n_cells(self) -> int:
        """Of the supernet."""
        return self.spec.n_cells

    @property
    def batch_size(self) -> int:
        """Of weights and of the mixture."""
        return self.spec.batch_size

    @property
    def epoch_of_stage(self) -> int:
        """From 0; a method without stages has one."""
        return self.epoch - self.stage * self.spec.epochs

    @property
    def warming(self) -> bool:
        """Whether the mixture stands still in this epoch: at the beginning of each stage."""
        return self.epoch_of_stage < self.spec.warmup_epochs

    @property
    def epochs(self) -> int:
        """Of the whole search."""
        return self.spec.all_epochs

    def learning_rate(self) -> float:
        """Of the weights in this epoch: a cosine over the search."""
        least = self.spec.min_learning_rate
        return (
            least + (self.spec.learning_rate - least) * (1 + math.cos(math.pi * self.epoch / self.epochs)) / 2
        )

    # What they share.

    def search(self, problem: Problem) -> Found:  # noqa: D102
        self._check(problem)
        self.problem = problem
        with contained(derive_seed("search", self.spec.name, problem.seed), quiet=False):
            return self._search()

    def _search(self) -> Found:
        problem = self.problem
        self.generator = torch.Generator().manual_seed(derive_seed("search batches", problem.seed))
        self.epoch, self.stage, self.trace = 0, 0, list[dict[str, Any]]()
        self.make_supernet()
        self.begin()
        refuse_too_large(self)
        bookmark = Bookmark(problem.checkpoint, spacing=0)
        if (state := bookmark.read()) is not None:
            self._go_on(state)
        problem.earlier.append(bookmark.earlier)
        while self.epoch < self.epochs:
            self._run_epoch()
            self.after_epoch()
            self.epoch += 1
            if bookmark.due:
                bookmark.write(self._state())
        told: dict[str, object] = {
            "epochs": self.epochs,
            "images": len(problem.train) + len(problem.held_out),
        }
        if self.spec.levers:
            told["levers"] = ", ".join(self.spec.levers)
        return Found(self.derive(), self.provenance(problem.seed, **told), self.trace)

    def make_supernet(self) -> None:
        """A new supernet and its optimiser, by the settings as they are now."""
        spec, problem = self.spec, self.problem
        self.supernet = Supernet(
            spec.space,
            spec.init_channels,
            self.n_cells,
            problem.train.shape,
            problem.train.classes,
            problem.moments,
            self.parts,
        )
        self.supernet.to(problem.device).to(memory_format=torch.channels_last)
        self.optimizer = self.make_optimizer()

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Of the weights."""
        spec = self.spec
        return torch.optim.SGD(
            self.supernet.parameters(), spec.learning_rate, spec.momentum, weight_decay=spec.weight_decay
        )

    def loss(self, batch: Batch) -> Tensor:
        """Cross entropy under a mixture."""
        return nn.functional.cross_entropy(self.forward(batch[0]), batch[1])

    def clear_gradients(self) -> None:
        """Of the weights, before a step."""
        self.optimizer.zero_grad(set_to_none=True)

    def weights_step(self, batch: Batch) -> Tensor:
        """One step of the weights; returns the loss before it."""
        self.clear_gradients()
        loss = self.loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.supernet.parameters(), self.spec.gradient_clip)
        self.optimizer.step()
        return loss.detach()

    def batch(self, split: Split, positions: Tensor) -> Batch:
        """Images as they are learned from."""
        problem = self.problem
        images = augment(split.images[positions], self.generator, problem.crop, problem.flip, 0)
        pixels = images.to(torch.float32, memory_format=torch.channels_last).div_(255)
        return pixels.to(problem.device), split.labels[positions].to(problem.device)

    def held_out(self) -> Batch:
        """A fresh batch of the mixture's half."""
        split = self.problem.held_out
        order = torch.randperm(len(split), generator=self.generator)
        return self.batch(split, order[: self.batch_size])

    @torch.no_grad()
    def accuracy(self, split: Split) -> float:
        """Share of images that the supernet gets right under the mixture of now."""
        self.supernet.eval()
        right = 0
        for positions in torch.split(torch.arange(len(split)), 256):
            logits = self.forward(split.pixels(positions).to(self.problem.device))
            right += int((logits.argmax(dim=1).cpu() == split.labels[positions]).sum())
        self.supernet.train()
        return right / len(split)

    def _run_epoch(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.before_epoch()
        self.supernet.train()
        train = self.problem.train
        size = min(self.batch_size, len(train))
        batches = torch.randperm(len(train), generator=self.generator)[: len(train) // size * size].view(
            -1, size
        )
        losses = []
        for number, positions in enumerate(batches):
            loss = self.step(self.batch(train, positions)).item()
            if not math.isfinite(loss):
                raise NonFiniteError(
                    f"the loss of the supernet became {loss} in epoch {self.epoch + 1}; expected a finite one: lower "
                    f"learning_rate (now {self.spec.learning_rate:g})"
                )
            losses.append(loss)
            self.problem.progress(
                (self.epoch + (number + 1) / len(batches)) / self.epochs,
                f"epoch {self.epoch + 1}/{self.epochs}, loss {loss:.3f}",
            )
        entry = {"epoch": self.epoch + 1, "loss": sum(losses) / len(losses)}
        entry |= {
            "held_out_accuracy": self.accuracy(self.problem.held_out),
            "cells": written(self.derive()),
            **self.said(),
        }
        self.trace.append(entry)

    def _check(self, problem: Problem) -> None:
        size = min(len(problem.train), len(problem.held_out))
        if size < self.spec.batch_size:
            raise InputError(
                f"{self.spec.name}: expected at least {self.spec.batch_size} images, a batch, in each half of the "
                f"training images, got {size}; lower batch_size, or bring more images"
            )

    def _state(self) -> dict[str, Any]:
        return {
            "supernet": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "method": self.state(),
            "epoch": self.epoch,
            "trace": self.trace,
            "batches": self.generator.get_state(),
            "draws": torch.get_rng_state(),
        }

    def _go_on(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.trace = state["epoch"], state["trace"]
        self.restore(state["method"])  # may make another supernet
        self.supernet.load_state_dict(state["supernet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["batches"])
        torch.set_rng_state(state["draws"])
