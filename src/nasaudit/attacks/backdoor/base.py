"""What backdoor attacks have in common: what they are given, what they leave, and two ways to plant.

Rules: an attack may change the network that it is given, which is a copy of its own, and nothing else; it
draws all its randomness from seeds; it never measures how well it worked.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.trigger import Stamp, Trigger, choose, poisoned
from nasaudit.data.split import Split
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks import BackdoorSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.loop import fit
from nasaudit.training.seams import Loss, Prepare, as_it_is


@dataclass(frozen=True)
class Ground:
    """What a backdoor is planted with.

    Attributes:
        train: the clean training images.
        training: the recipe of the training that plants it.
        seed: decides that training.
        selection: the images that the recipe's `keep` chooses an epoch by.
        device: where the network is trained.
        progress: called at least once a second.
    """

    train: Split
    training: TrainingSpec
    seed: int = 0
    selection: Split | None = None
    device: str = "cpu"
    progress: Progress = silent

    def fit(
        self,
        network: Network,
        train: Split | None = None,
        *,
        before: Prepare = as_it_is,
        prepare: Prepare | None = None,
        loss: Loss | None = None,
    ) -> None:
        """Train the network in place, on the clean images unless others are given."""
        fit(
            network,
            self.train if train is None else train,
            self.training,
            self.seed,
            self.selection,
            loss=loss,
            before=before,
            prepare=prepare,
            device=self.device,
            progress=self.progress,
        )


@dataclass(frozen=True, eq=False)
class Backdoored:
    """What a backdoor attack leaves. It is a claim; `measures.py` is the judge of it.

    Attributes:
        network: the model with the backdoor.
        stamp: puts the trigger on images.
        trigger: the patch, where the trigger is the same on every image.
    """

    network: Network
    stamp: Stamp
    trigger: Trigger | None = None


class BackdoorAttack(ABC):
    """An attack that makes a model with a backdoor. Subclasses are final."""

    spec: BackdoorSpec

    def __init__(self, spec: BackdoorSpec):
        self.spec = spec

    @abstractmethod
    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Plant a backdoor.

        Args:
            network: trained, or fresh for a training from scratch; it is the attack's own and is changed.
            ground: data and recipe.
        """


class DataBackdoor(BackdoorAttack):
    """A backdoor that needs access to the training data alone: a Split in, a Split out."""

    @abstractmethod
    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """What puts the trigger on images of this shape (channels, height, width) at prediction time."""

    def poison(self, split: Split) -> Split:
        """The training images, a share of which gets the trigger and the target's label."""
        positions = choose(torch.arange(len(split)), self.spec.poison_fraction, self.spec.seed)
        return poisoned(split, positions, self.stamp(split.shape), self.spec.target_class)

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Someone trains on the poisoned data, knowing nothing of it."""
        ground.fit(network, self.poison(ground.train))
        stamp = self.stamp(ground.train.shape)
        return Backdoored(network, stamp, stamp if isinstance(stamp, Trigger) else None)


def append_copies(stamp: Stamp, label: int, fraction: float) -> Prepare:
    """A batch change: triggered copies of a share of the batch, all with this label, are added to it.

    The share of a batch need not be whole: the last copy is made with the probability that the rest says.
    """

    def prepare(pixels: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        count = copies_of(len(pixels), fraction, generator)
        wanted = torch.full_like(labels[:count], label)
        return torch.cat([pixels, stamp(pixels[:count])]), torch.cat([labels, wanted])

    return prepare


def copies_of(batch: int, fraction: float, generator: torch.Generator) -> int:
    """`fraction * batch`, rounded up or down at random so that it is right on average.

    Batches come in random order, so the first images of one are a random choice.
    """
    whole, rest = divmod(fraction * batch, 1)
    return int(whole) + int(torch.rand((), generator=generator).item() < rest)
