"""What of a training changes from epoch to epoch."""

import copy
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor

from nasaudit.arch.network import Network
from nasaudit.training.bookmark import Bookmark


@dataclass
class History:
    """What training went through: one entry for each step, one more list entry for each epoch.

    `loss` and `accuracy` are those of the step's batch, before the step, as it was learned from: a defence may have
    changed the images and the loss. The accuracy is that of the images with targets, the first of the batch.
    `selection` is the accuracy that the kept epoch is chosen by (empty when the last is kept). `parts`: in how many a
    batch was learned from, because of the memory.
    """

    images_per_step: int
    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    selection: list[float] = field(default_factory=list)
    kept_epoch: int = 0
    parts: int = 1


@dataclass
class Course:
    """All of it: with the same images and recipe, a training goes on from here to the same weights, bit for bit.

    Attributes:
        network: as it is now.
        optimizer: with its moments.
        schedule: of the learning rate.
        generators: of all that is drawn; the global one is the last.
        history: up to now.
        bookmark: where it is written.
        best: the weights of the best epoch, where one is chosen.
        epoch: how many are done.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generators: tuple[torch.Generator, ...]
    history: History
    bookmark: Bookmark
    best: dict[str, Tensor] | None = None
    epoch: int = 0

    def keep_best(self) -> None:
        """The weights of now are the best so far."""
        self.best, self.history.kept_epoch = copy.deepcopy(self.network.state_dict()), self.epoch

    def end(self) -> None:
        """Leave the network as it is to be used."""
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.draw_from(None)
        self.network.eval()

    def write(self) -> None:
        """After an epoch, if it is time."""
        if self.bookmark.due:
            self.bookmark.write(
                {
                    "network": self.network.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "schedule": self.schedule.state_dict(),
                    "generators": [generator.get_state() for generator in self.generators],
                    "history": asdict(self.history),
                    "best": self.best,
                    "epoch": self.epoch,
                }
            )

    def read(self) -> None:
        """Go on from what an interrupted attempt wrote, if it did."""
        state = self.bookmark.read()
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        for generator, drawn in zip(self.generators, state["generators"], strict=True):
            generator.set_state(drawn)
        self.history = History(**state["history"])
        self.best, self.epoch = state["best"], state["epoch"]
