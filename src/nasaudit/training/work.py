"""The work of a TrainTask, and the way back from its record to a network."""

import json
from dataclasses import asdict
from typing import cast

import numpy as np
import torch
from torch import Tensor

from nasaudit.arch.network import Network, build, check
from nasaudit.data.load import load_data
from nasaudit.data.shadows import shadow_train
from nasaudit.data.split import DataBundle, Split
from nasaudit.errors import CheckpointError
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.measure.proportion import proportion
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import PoisoningSpec
from nasaudit.spec.tasks import TrainTask, TrialTask
from nasaudit.store.artefacts import EARLY_WEIGHTS, HISTORY, NOTES, OUTCOMES, POISON, WEIGHTS
from nasaudit.store.workspace import Workspace
from nasaudit.training import checkpoint
from nasaudit.training.bookmark import Bookmark
from nasaudit.training.evaluate import accuracy, predict
from nasaudit.training.loop import fit

# Another machine's rounding may turn a borderline image; more than this share means other weights or data.
ACCURACY_TOLERANCE = 0.005


def train_network(task: TrainTask, workspace: Workspace) -> list[Measurement]:
    """Train, measure the accuracy on all splits; leave weights, history and each test image's outcome."""
    bundle = load_data(task.data, workspace.downloads)
    network = build(task.architecture, derive_seed("weights", task.seed), bundle.train.moments)
    train = training_images(task, bundle, workspace)
    measurements = []
    if task.weights is None:

        def after_epoch(done: int) -> None:
            if done == 1 and task.poison is None and task.subset is None:  # a victim
                early = accuracy(network, bundle.test, workspace.device)
                early_weights.parent.mkdir(exist_ok=True)
                checkpoint.save(network, early_weights, early)

        # Beside the checkpoint: who goes on from a later epoch does not come by here again.
        early_weights = (
            workspace.folder / EARLY_WEIGHTS
            if workspace.checkpoint is None
            else workspace.checkpoint.with_name(f"{workspace.checkpoint.name}-{EARLY_WEIGHTS}")
        )
        bookmark = Bookmark(workspace.checkpoint)
        history = fit(
            network,
            train,
            task.training,
            task.seed,
            {"best_validation": bundle.validation, "best_test": bundle.test}.get(task.training.keep),
            frozen=_frozen(task, train, workspace),
            after_epoch=after_epoch,
            bookmark=bookmark,
            device=workspace.device,
            progress=workspace.progress,
        )
        workspace.earlier.append(bookmark.earlier)
        if early_weights.is_file():
            early_weights.replace(workspace.folder / EARLY_WEIGHTS)
        steps = list(range(1, len(history.loss) + 1))
        (workspace.folder / HISTORY).write_text(json.dumps({"step": steps, **asdict(history)}))
        if history.parts > 1:
            measurements.append(Measurement("batch_parts", exact(history.parts, "parts")))
    else:
        network = checkpoint.load_given(task.weights, network).to(workspace.device)
    for metric, name, split in (
        ("train_accuracy", "train", train),
        ("validation_accuracy", "validation", bundle.validation),
        ("clean_accuracy", "test", bundle.test),
    ):
        # Of given weights whose training images nobody names, what is drawn here as `train` is no such thing.
        unknown = task.weights is not None and task.data.division == "unknown" and name != "test"
        if unknown or not len(split):
            continue
        correct = predict(network, split, workspace.device).argmax(dim=1) == split.labels
        share = proportion(int(correct.sum()), len(split))
        measurements.append(Measurement(metric, share, (("split", name),)))
    # `correct` and `share` are the test split's: it comes last.
    np.savez(workspace.folder / OUTCOMES, correct=correct.numpy(), index=bundle.test.indices.numpy())
    checkpoint.save(network, workspace.folder / WEIGHTS, clean_accuracy=share.value)
    return measurements


def try_network(task: TrialTask, workspace: Workspace) -> list[Measurement]:
    """Try what a user brought; nothing is measured. What there is to say of it is left in NOTES, a line each.

    Raises:
        InputError: the model fails, or the weights do not fit.
    """
    network = check(task.architecture, task.by_pixels, task.by_weights)
    if task.weights is not None:
        notes: list[str] = []
        checkpoint.load_given(task.weights, network, notes.append)
        (workspace.folder / NOTES).write_text("\n".join(notes), encoding="utf-8")
    return []


def training_images(task: TrainTask, bundle: DataBundle, workspace: Workspace) -> Split:
    """What a network learns from: the training split, changed by the poison or replaced by a shadow's subset."""
    if task.subset is not None:
        return shadow_train(bundle, task.subset)
    if task.poison is None:
        return bundle.train
    _, folder = workspace.find(task.poison)
    with np.load(folder / POISON, allow_pickle=False) as poison:
        images = torch.from_numpy(poison["images"]) if "images" in poison else None
        return bundle.train.changed(
            torch.from_numpy(poison["index"]), torch.from_numpy(poison["label"]), images
        )


def _frozen(task: TrainTask, train: Split, workspace: Workspace) -> Tensor | None:
    """Bool [N]: the poisoned images, where the attack has these augmented once alone; else None."""
    if task.poison is None or not cast(PoisoningSpec, task.poison.attack).augmented_once:
        return None
    with np.load(workspace.find(task.poison)[1] / POISON, allow_pickle=False) as poison:
        positions = train.find(torch.from_numpy(poison["index"]))
    return torch.zeros(len(train), dtype=torch.bool).index_fill_(0, positions, True)


def load_victim(task: TrainTask, workspace: Workspace) -> tuple[Network, DataBundle]:
    """The network of a finished TrainTask and its data, after checking that it is as accurate as recorded.

    Raises:
        CheckpointError: the weights do not fit, or the accuracy on the test split is not the recorded one.
    """
    record, folder = workspace.find(task)
    bundle = load_data(task.data, workspace.downloads)
    network = checkpoint.load(folder / WEIGHTS, task.architecture).to(workspace.device)
    recorded = record.measured("clean_accuracy").value
    measured = accuracy(network, bundle.test, workspace.device)
    if abs(measured - recorded) > ACCURACY_TOLERANCE:
        raise CheckpointError(
            f"{folder / WEIGHTS}: expected the recorded accuracy {recorded:.4f} on {task.data.name}, "
            f"measured {measured:.4f}: the weights or the data are not those that were trained"
        )
    return network, bundle
