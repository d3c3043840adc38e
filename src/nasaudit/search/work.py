"""The work of a SearchTask: halve the training images, let the method run, leave what it found."""

from pkgutil import resolve_name
from typing import cast

import torch

from nasaudit.data.load import load_data
from nasaudit.data.split import Split
from nasaudit.measure.estimate import Measurement
from nasaudit.randomness import derive_seed
from nasaudit.search.base import OneShotSearch, Problem
from nasaudit.search.cells import belongs
from nasaudit.search.found import FoundCells
from nasaudit.spec.searches import OneShotSpec
from nasaudit.spec.searches.task import SearchTask
from nasaudit.store.artefacts import FOUND
from nasaudit.store.workspace import Workspace


def search_cells(task: SearchTask, workspace: Workspace) -> list[Measurement]:
    """Search; what is measured of the found cells, their own trainings measure."""
    bundle = load_data(task.data, workspace.downloads)
    train, held_out = halves(task, bundle.train)
    search = cast(OneShotSearch[OneShotSpec], resolve_name(task.search.implementation)(task.search))
    found = search.search(
        Problem(
            train,
            held_out,
            bundle.validation,
            seed=task.seed,
            crop=task.crop,
            flip=task.flip,
            device=workspace.device,
            progress=workspace.progress,
            checkpoint=workspace.checkpoint,
            earlier=workspace.earlier,
        )
    )
    if not belongs(task.search.space, found.cells):
        raise RuntimeError(
            f"{task.search.name} found cells that are not of the space {task.search.space.name}"
        )
    provenance = {**found.provenance, "data": task.data.name, "data_sha256": task.data.fingerprint or ""}
    FoundCells(genotype=found.cells, provenance=provenance, trace=tuple(found.trace)).write(
        workspace.folder / FOUND
    )
    return []


def halves(task: SearchTask, train: Split) -> tuple[Split, Split]:
    """The images of the weights, and those of the mixture."""
    order = torch.arange(len(train))
    if task.split == "random":
        generator = torch.Generator().manual_seed(derive_seed("search halves", task.data.seed))
        order = torch.randperm(len(train), generator=generator)
    else:
        order = train.indices.argsort()
    half = len(train) // 2
    return train.take(order[:half]), train.take(order[half:])
