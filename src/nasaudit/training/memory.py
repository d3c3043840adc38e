"""How much memory a network takes: counted on the CPU while it learns from few images, and scaled to a batch.

A training is done for two steps, with all that its recipe asks for (the optimiser's state, the examples of a defence,
an auxiliary head), and after each op the bytes of all tensors that are alive are counted. What does not hang on the
batch (weights, gradients, state) and what each image adds are told apart by doing so with two numbers of images, op
by op: where few images take the most is not where many do.
"""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from nasaudit.arch.network import build
from nasaudit.data.split import Split
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.loop import fit
from nasaudit.victim.batches import BATCH, in_batches

FEW, MORE = 2, 4  # images; batch normalisation needs more than one
STEPS = 2  # the optimiser has its state from the first one on


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of a network, and of the tensors that are made inside of the block as long as each lives.

    Args:
        network: made before: what initialises weights takes more for an instant.

    Attributes:
        bytes: that are alive, after each op.
    """

    def __init__(self, network: nn.Module):
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes: list[int] = []
        self._now = 0
        self._known: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        for tensor in (*network.parameters(), *network.buffers()):
            self._count(tensor.untyped_storage())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what was asked for, and count what came of it."""
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        self.bytes.append(self._now)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes()

        def ended(_: object) -> None:
            del self._known[key]
            self._now -= size

        self._known[key] = weakref.ref(storage, ended)
        self._now += size


def bytes_of_training(architecture: ArchSpec, training: TrainingSpec, batch: int) -> float:
    """The most bytes that a training holds at once, without its images.

    Args:
        architecture: what is trained.
        training: the recipe.
        batch: images that each step learns from.
    """
    return _most(lambda images: _alive_in_training(architecture, training, images), batch)


def bytes_of_answers(architecture: ArchSpec, batch: int = BATCH) -> float:
    """The most bytes that a network holds at once that answers, weights included.

    Args:
        architecture: of the network.
        batch: images that it is shown at once.
    """
    return _most(lambda images: _alive_in_answers(architecture, images), batch)


def _most(alive: Callable[[int], list[int]], batch: int) -> float:
    """The highest of the lines through what is alive after each op with few images and with more, at a batch."""
    few, more = alive(FEW), alive(MORE)
    if len(few) != len(more):  # other ops for other numbers of images: the peaks are all that can be compared
        few, more = [max(few)], [max(more)]
    times = (batch - FEW) / (MORE - FEW)
    return max(low + times * (high - low) for low, high in zip(few, more, strict=True))


def _alive_in_training(architecture: ArchSpec, training: TrainingSpec, batch: int) -> list[int]:
    recipe = training.model_copy(update={"epochs": 1, "batch_size": batch, "keep": "last"})
    network = build(architecture)
    with Alive(network) as alive:
        fit(network, _images(architecture, batch * STEPS), recipe, seed=0)
    return list(alive.bytes)


def _alive_in_answers(architecture: ArchSpec, batch: int) -> list[int]:
    network = build(architecture).eval()
    with Alive(network) as alive:
        in_batches(network, _images(architecture, batch), "cpu")
    return list(alive.bytes)


def _images(architecture: ArchSpec, count: int) -> Split:
    """Noise of the network's own shape."""
    drawn = torch.randint(
        256, (count, *architecture.input_shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    numbers = torch.arange(count)
    return Split(drawn, numbers % architecture.classes, numbers, architecture.classes)
