"""The work of a BackdoorTask: plant a backdoor in a copy of a victim, and measure what came of it."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nasaudit.arch.network import build
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, Ground
from nasaudit.attacks.backdoor.measures import Predictions, backdoor_measurements
from nasaudit.attacks.backdoor.trigger import stamped
from nasaudit.attacks.base import load_attack
from nasaudit.data.load import test_images
from nasaudit.data.split import DataBundle, Split
from nasaudit.measure.estimate import Measurement
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import BackdoorSpec
from nasaudit.spec.recipes import backdoor_training
from nasaudit.spec.tasks import BackdoorTask
from nasaudit.store.artefacts import PICTURES
from nasaudit.store.workspace import Workspace
from nasaudit.training.evaluate import predict
from nasaudit.training.work import load_victim

KEPT_PICTURES = 6  # images of other classes than the target, the first of the study's order


def measure_backdoor(task: BackdoorTask, workspace: Workspace) -> list[Measurement]:
    """Plant the backdoor and measure it on the test images.

    Leaves `pictures.npz`, one row an image: uint8 `clean` and `triggered` [k, C, H, W], `index` (in the source),
    `label`, `victim` (what the model without the backdoor takes the triggered image for), `clean_prediction` and
    `prediction` (what the one with it takes the clean and the triggered image for). Where the trigger is the same on
    every image, also float32 `mask` [1, H, W] and `pattern` [C, H, W], and `opacity`.
    """
    spec = cast(BackdoorSpec, task.attack)
    victim, bundle = load_victim(task.victim, workspace)
    attack = cast(BackdoorAttack, load_attack(spec))
    training = backdoor_training(spec, task.victim.training)
    # The attack may change a fresh network with the victim's first weights, or a copy of the victim. The seed of a
    # fine-tuning is the same for all backdoors of a victim, so that sweeps differ in nothing else.
    if spec.from_scratch:
        seed = task.victim.seed
        network = build(task.victim.architecture, derive_seed("weights", seed), bundle.train.moments)
    else:
        seed, network = derive_seed("backdoor", task.victim.seed, spec.seed), copy.deepcopy(victim)
    ground = Ground(
        train=bundle.train,
        training=training,
        seed=seed,
        selection={"best_validation": bundle.validation, "best_test": bundle.test}.get(training.keep),
        device=workspace.device,
        progress=workspace.progress,
    )
    backdoored = attack.plant(network, ground)
    triggered = bundle.test.with_images(stamped(bundle.test.images, backdoored.stamp))
    before, after = (
        Predictions(
            *(predict(model, split, workspace.device).argmax(1).numpy() for split in (bundle.test, triggered))
        )
        for model in (victim, backdoored.network)
    )
    _save_pictures(
        workspace.folder / PICTURES, bundle, task.victim.data.seed, spec, backdoored, triggered, before, after
    )
    return backdoor_measurements(
        bundle.test.labels.numpy(), spec.target_class, before, after, paper_rule=spec.paper_rule
    )


def _save_pictures(
    file: Path,
    bundle: DataBundle,
    data_seed: int,
    spec: BackdoorSpec,
    backdoored: Backdoored,
    triggered: Split,
    before: Predictions,
    after: Predictions,
) -> None:
    """The first images of the study's order whose class is not the target: none is picked by its outcome."""
    order = test_images(bundle, len(bundle.test), data_seed)
    rows = order[bundle.test.labels[order] != spec.target_class][:KEPT_PICTURES]
    arrays: dict[str, npt.NDArray[Any]] = {
        "clean": bundle.test.images[rows].numpy(),
        "triggered": triggered.images[rows].contiguous().numpy(),
        "index": bundle.test.indices[rows].numpy(),
        "label": bundle.test.labels[rows].numpy(),
        "victim": before.triggered[rows],
        "clean_prediction": after.clean[rows],
        "prediction": after.triggered[rows],
        "target": np.array(spec.target_class),
    }
    trigger = backdoored.trigger
    if trigger is not None:
        arrays |= {"mask": trigger.mask.cpu().numpy(), "pattern": trigger.pattern.cpu().numpy()}
        arrays["opacity"] = np.array(trigger.opacity)
    np.savez(file, **arrays)  # type: ignore[arg-type]
