"""Where a training can be changed without another loop: what stands at each seam, and what a defence is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nasaudit.spec.training import TrainingSpec

# (logits [N, K], targets [N] or [N, K]) -> scalar loss.
Loss = Callable[[Tensor, Tensor], Tensor]
# (pixels [N, C, H, W], targets, the training's generator) -> the batch that is learned from, perhaps longer.
Prepare = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
# (pixels, targets) of a batch or a part of one -> its loss and share of correct images; adds its gradient to the
# parameters'.
Backward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# (pixels, targets, backward) of a batch -> its loss and share of correct images; the parameters, which have no
# gradient before, then have the one that the optimiser steps by.
Gradient = Callable[[Tensor, Tensor, Backward], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Seams:
    """What a training does with a batch, in this order: change it, compute a loss, make a gradient of that.

    Attributes:
        prepare: see `Prepare`.
        loss: see `Loss`.
        gradient: see `Gradient`.
        generators: that defences draw from; an interrupted training goes on with these as they were.
    """

    prepare: Prepare
    loss: Loss
    gradient: Gradient
    generators: tuple[torch.Generator, ...] = ()


class Defence(ABC):
    """Changes what stands at a seam. It is constructed with its spec, which names the class."""

    @abstractmethod
    def applied(self, seams: Seams, network: nn.Module, training: TrainingSpec, seed: int) -> Seams:
        """The seams of the defended training.

        What it draws, it draws from a generator of its own, which it adds to `generators`: a training sees the images
        in the order and with the augmentation of its undefended twin, and can be interrupted.

        Args:
            seams: of the training without this defence.
            network: that is trained, on its device; modes, statistics and gradients are the training's own.
            training: the recipe.
            seed: of the training.
        """


def as_it_is(pixels: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The Prepare of a training that changes nothing."""
    return pixels, targets


def whole_batch(network: nn.Module, clip: float | None) -> Gradient:
    """The ordinary gradient: of the whole batch, over all parameters no longer than `clip` (None: of any length)."""

    def gradient(pixels: Tensor, targets: Tensor, backward: Backward) -> tuple[Tensor, Tensor]:
        loss, correct = backward(pixels, targets)
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        return loss, correct

    return gradient
