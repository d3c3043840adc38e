"""The victim of the benchmarks: a trained mini DARTS, kept between runs."""

from pathlib import Path

import torch
from torch import Tensor

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import Network
from nasaudit.data.load import load_data
from nasaudit.data.split import DataBundle
from nasaudit.spec.data import DataSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.remedies.defences import DefenceSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask
from nasaudit.store.artefacts import WEIGHTS
from nasaudit.store.workspace import Workspace
from nasaudit.training.checkpoint import load
from nasaudit.training.work import train_network

DATA = DataSpec(name="mnist5k")


def trained_victim(
    folder: Path, architecture: str = "darts", data: DataSpec = DATA, defences: tuple[DefenceSpec, ...] = ()
) -> tuple[Network, DataBundle]:
    """The network and its data; trained with the default recipe when the folder does not hold it yet.

    Args:
        folder: where trained victims are kept, by the digest of all that made them.
        architecture: a name of the catalogue.
        data: what it is trained on.
        defences: of its training.
    """
    bundle = load_data(data, folder)
    task = TrainTask(
        architecture=resolve(
            ArchChoice(name=architecture), "mini", len(bundle.class_names), bundle.train.shape
        ),
        data=data,
        training=recipe("mini", "sound", data.name, bundle.train.shape[0]).model_copy(
            update={"defences": defences}
        ),
        seed=0,
    )
    own = folder / task.digest()
    weights = own / WEIGHTS
    if not weights.exists():
        own.mkdir(parents=True, exist_ok=True)
        train_network(task, Workspace(own, find=_needs_nothing))
    return load(weights, task.architecture), bundle


def correct_images(network: Network, bundle: DataBundle, count: int) -> tuple[Tensor, Tensor]:
    """The first test images that the network gets right: float32 pixels, and labels."""
    with torch.no_grad():
        pixels = bundle.test.pixels()
        right = torch.cat([network(x).argmax(1) for x in torch.split(pixels, 256)]) == bundle.test.labels
    rows = right.nonzero().squeeze(1)[:count]
    return pixels[rows], bundle.test.labels[rows]


def _needs_nothing(task: object) -> tuple[object, Path]:
    raise LookupError(f"training a victim needs no other task, but asked for {task}")
