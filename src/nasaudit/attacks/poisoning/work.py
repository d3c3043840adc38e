"""The work of a PoisonTask and of a PoisoningTask: make the poison, and say what training on it did."""

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.poisoning.base import Aims, DataPoisoning, ModelPoisoning, choose_aims
from nasaudit.attacks.poisoning.measures import (
    accuracy_measurements,
    matching_measurements,
    setting_of,
    target_measurements,
)
from nasaudit.data.load import load_data
from nasaudit.data.split import DataBundle
from nasaudit.errors import SpecError
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import PoisoningSpec
from nasaudit.spec.tasks import PoisoningTask, PoisonTask, TrainTask
from nasaudit.store.artefacts import CURVES, OUTCOMES, PICTURES, POISON
from nasaudit.store.workspace import Workspace
from nasaudit.training.evaluate import predict
from nasaudit.training.work import load_victim

# How many poisoned images are kept as pictures.
KEPT_PICTURES = 6


def craft_poison(task: PoisonTask, workspace: Workspace) -> list[Measurement]:
    """Make the poison of one fraction.

    Leaves `poison.npz`, one row a poisoned image (index: position in the source, label: the one it gets, and
    images: the pixels it gets, where they change). A poison that was optimised has more in it: aim, which
    target each row serves; and for each target its index, its adversarial class, and the matching loss before
    and after; and matching, by step.

    Raises:
        SpecError: the attack needs a model of the attacker's own, and the task has none.
    """
    spec = cast(PoisoningSpec, task.attack)
    (fraction,) = spec.fractions
    bundle = load_data(task.data, workspace.downloads)
    attack = cast(DataPoisoning | ModelPoisoning, load_attack(spec))
    brewed: dict[str, Any] = {}
    if isinstance(attack, DataPoisoning):
        poison = attack.poison(bundle.train, fraction)
    else:
        if task.surrogate is None:
            raise SpecError("surrogate", f"a trained model to make {spec.name} on", None)
        network, _ = load_victim(task.surrogate, workspace)
        aims = choose_aims(bundle.test, attack.spec.targets, spec.seed)
        brew = attack.brew(
            bundle.train,
            aims,
            network,
            task.surrogate.training,
            fraction,
            seed=derive_seed(task.digest()),
            device=workspace.device,
            progress=workspace.progress,
        )
        poison = brew.poison
        brewed = {
            "aim": brew.aims.numpy(),
            "target": aims.images.indices.numpy(),
            "adversarial_class": aims.classes.numpy(),
            "before": brew.before.numpy(),
            "after": brew.after.numpy(),
            "matching": brew.matching.numpy(),
        }
    if poison.images is not None:
        brewed["images"] = poison.images.numpy()
    np.savez(workspace.folder / POISON, index=poison.indices.numpy(), label=poison.labels.numpy(), **brewed)
    return [Measurement("poisoned_images", exact(len(poison.indices), "images"), setting_of(fraction))]


def measure_poisoning(task: PoisoningTask, workspace: Workspace) -> list[Measurement]:
    """Compare each poisoned training with the clean one; the networks are read, not trained.

    Leaves, for an optimised poison, `curves.json` (`matching`: its loss by step) and `pictures.npz` of the
    largest fraction: uint8 `clean` and `poisoned` [k, C, H, W], their `label` [k], `aimed` [k, C, H, W]: the
    target that each serves, its class `aimed_label` [k], and `reached` bool [k]: whether the target was taken
    for `label`.
    """
    spec = cast(PoisoningSpec, task.attack)
    by_fraction = dict(zip(spec.fractions, task.trainings, strict=True))
    index, clean = _outcomes(task.clean, workspace)
    correct = {}
    for fraction, training in by_fraction.items():
        theirs, correct[fraction] = _outcomes(training, workspace)
        if not np.array_equal(index, theirs):
            raise SpecError("trainings", "the same test images as the clean training", training.label())
    measurements = accuracy_measurements(clean, correct)
    brewed = {
        fraction: training
        for fraction, training in by_fraction.items()
        if training.poison is not None and training.poison.surrogate is not None
    }
    if brewed:
        measurements += _targets(task, brewed, workspace)
    return measurements


def _outcomes(
    training: TrainTask, workspace: Workspace
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Source indices of the test images, and which of them this training gets right."""
    with np.load(workspace.find(training)[1] / OUTCOMES, allow_pickle=False) as outcomes:
        return outcomes["index"], outcomes["correct"]


def _targets(task: PoisoningTask, brewed: dict[float, TrainTask], workspace: Workspace) -> list[Measurement]:
    """What became of the targets; curves and pictures are left in the workspace."""
    network, bundle = load_victim(task.clean, workspace)
    measurements, curves = [], []
    for done, (fraction, training) in enumerate(brewed.items(), start=1):
        assert training.poison is not None
        poison = np.load(workspace.find(training.poison)[1] / POISON, allow_pickle=False)
        targets, classes = torch.from_numpy(poison["target"]), poison["adversarial_class"]
        aims = Aims(bundle.test.take(bundle.test.find(targets)), torch.from_numpy(classes))
        clean, poisoned = (
            predict(model, aims.images, workspace.device).double().softmax(1).numpy()
            for model in (network, load_victim(training, workspace)[0])
        )
        measurements += target_measurements(fraction, clean, poisoned, classes)
        measurements += matching_measurements(fraction, poison["before"], poison["after"])
        losses = poison["matching"].tolist()
        curves.append(
            {
                "name": "matching",
                "setting": dict(setting_of(fraction)),
                "x": [float(step) for step in range(1, len(losses) + 1)],
                "y": losses,
            }
        )
        reached = poisoned.argmax(axis=1) == classes
        _save_pictures(workspace.folder / PICTURES, poison, bundle, aims, reached)
        workspace.progress(done / len(brewed))
    (workspace.folder / CURVES).write_text(json.dumps(curves))
    return measurements


def _save_pictures(
    file: Path,
    poison: np.lib.npyio.NpzFile,
    bundle: DataBundle,
    aims: Aims,
    reached: npt.NDArray[np.bool_],
) -> None:
    """The first poisons of each target, in turns."""
    turn = np.concatenate([np.arange((poison["aim"] == aim).sum()) for aim in range(len(reached))])
    picks = np.lexsort((poison["aim"], turn))[:KEPT_PICTURES]
    aim = poison["aim"][picks]
    positions = bundle.train.find(torch.from_numpy(poison["index"][picks]))
    np.savez(
        file,
        clean=bundle.train.images[positions].numpy(),
        poisoned=poison["images"][picks],
        index=poison["index"][picks],
        label=poison["label"][picks],
        aimed=aims.images.images[torch.from_numpy(aim)].numpy(),
        aimed_label=aims.images.labels[torch.from_numpy(aim)].numpy(),
        reached=reached[aim],
    )
