"""What poisoning attacks make, and what they may know while they make it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nasaudit.data.split import Split
from nasaudit.data.splits import random_order
from nasaudit.errors import DataError
from nasaudit.progress import Progress, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import ModelPoisoningSpec, PoisoningSpec
from nasaudit.spec.training import TrainingSpec


@dataclass(frozen=True, eq=False)
class Poison:
    """What becomes of some training images.

    Attributes:
        indices: int64 [n], source indices of the poisoned images.
        labels: int64 [n], the labels that they get.
        images: uint8 [n, C, H, W], the pixels that they get; None: their own.
    """

    indices: Tensor
    labels: Tensor
    images: Tensor | None = None

    def on(self, train: Split) -> Split:
        """The training images as a network sees them. An empty poison gives a Split of the same digest."""
        return train.changed(self.indices, self.labels, self.images)


@dataclass(frozen=True, eq=False)
class Aims:
    """The test images that a targeted poison is for, and the class that each is to be taken for.

    Attributes:
        images: the T test images with their own labels.
        classes: int64 [T], the adversarial classes.
    """

    images: Split
    classes: Tensor


@dataclass(frozen=True, eq=False)
class Brew:
    """A poison that was optimised, and how that went.

    Attributes:
        poison: its images are within the spec's epsilon of the clean ones.
        aims: int64 [n], which aim each poison serves.
        matching: float [steps], the loss of the kept restarts by step, mean over the aims, as it was optimised
            (augmented, not rounded).
        before: float [T], the loss of each aim with unchanged images, neither augmented nor rounded.
        after: float [T], the same with the poison as it is stored.
    """

    poison: Poison
    aims: Tensor
    matching: Tensor
    before: Tensor
    after: Tensor


class DataPoisoning(ABC):
    """A poison that is made of the training data alone: every architecture and seed gets the same one."""

    spec: PoisoningSpec

    def __init__(self, spec: PoisoningSpec):
        self.spec = spec

    @abstractmethod
    def poison(self, train: Split, fraction: float) -> Poison:
        """Choose and change round(fraction * N) of the N training images."""


class ModelPoisoning(ABC):
    """A poison that is optimised on the attacker's own model: the recipe is known, the victim's weights are not."""

    spec: ModelPoisoningSpec

    def __init__(self, spec: ModelPoisoningSpec):
        self.spec = spec

    @abstractmethod
    def brew(
        self,
        train: Split,
        aims: Aims,
        surrogate: nn.Module,
        recipe: TrainingSpec,
        fraction: float,
        *,
        seed: int,
        device: str = "cpu",
        progress: Progress = silent,
    ) -> Brew:
        """Choose and change at most fraction * N of the N training images.

        Args:
            train: what the victim will learn from, without the poison.
            aims: the test images to be taken for other classes.
            surrogate: trained on clean data; it is left as it was.
            recipe: of the victim's training, whose augmentation the poison must survive.
            fraction: the budget over all aims.
            seed: decides all randomness.
            device: where the surrogate is.
            progress: called at least once a second with the share that is done.

        Raises:
            DataError: a class has fewer training images than the poison needs.
            NonFiniteError: a gradient of the surrogate is NaN or infinite, or zero everywhere.
        """


def poisoning_order(train: Split, seed: int) -> Tensor:
    """int64 [N]: positions in the order in which they are poisoned: smaller fractions are part of larger ones.

    It hangs on the seed and the number of images alone, not on the architecture.
    """
    return torch.from_numpy(random_order(len(train), "poisoned images", seed))


def choose_aims(test: Split, count: int, seed: int) -> Aims:
    """Draw test images, and for each an adversarial class that is not its own.

    Adversarial classes repeat only where there are more aims than classes. They hang on the seed and the data
    alone.

    Raises:
        DataError: no test image of another class is left for some aim.
    """
    order = torch.from_numpy(random_order(len(test), "targets", seed))
    classes = random_order(test.classes, "adversarial classes", seed)
    adversarial = torch.from_numpy(np.resize(classes, count))
    chosen: list[int] = []
    for wanted in adversarial.tolist():
        free = [k for k in order[test.labels[order] != wanted].tolist() if k not in chosen]
        if not free:
            raise DataError(f"expected {count} test images to target, got {len(test)}: ask for fewer targets")
        chosen.append(free[0])
    return Aims(test.take(torch.tensor(chosen)), adversarial)


def offsets(count: int, classes: int, *purpose: object) -> Tensor:
    """int64 [count] in 1..classes-1, uniform, on every machine alike.

    Args:
        count: how many.
        classes: at least 2.
        purpose: what they are for (a seed): any printable parts.
    """
    words = np.random.PCG64(derive_seed(*purpose)).random_raw(count)
    return torch.from_numpy((1 + words % np.uint64(classes - 1)).astype(np.int64))
