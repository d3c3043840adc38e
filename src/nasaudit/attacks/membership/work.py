"""The work of a MembershipTask: score members and non-members of a trained victim, and say what came of it."""

import json
from collections.abc import Callable
from typing import cast

import numpy as np
import torch

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, ShadowModels
from nasaudit.attacks.membership.measures import Mask, membership_measurements, roc_curves
from nasaudit.data.load import chosen
from nasaudit.data.shadows import trained_on
from nasaudit.data.split import DataBundle, Split
from nasaudit.measure.estimate import Measurement
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import MembershipSpec
from nasaudit.spec.tasks import MembershipTask, TrainTask
from nasaudit.store.artefacts import CURVES, SCORES, WEIGHTS
from nasaudit.store.workspace import Workspace
from nasaudit.training import checkpoint
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


def measure_membership(task: MembershipTask, workspace: Workspace) -> list[Measurement]:
    """Run the attack on as many training images as test images of a victim.

    Leaves `scores.npz`, one row an image (index: position in the source, member, score), and the ROC curve.
    """
    spec = cast(MembershipSpec, task.attack)
    network, bundle = load_victim(task.victim, workspace)
    images, member = choose_images(bundle, spec, task.victim.data.seed)
    attack = cast(MembershipAttack, load_attack(spec))
    classifier = Classifier(network, task.victim.architecture.classes, workspace.device)
    victim = Oracle(classifier, output=attack.output)
    knowledge = Knowledge(shadow_models(task, bundle, workspace), bundle.pool, task.victim.training)
    scores = attack.score(
        victim, images, knowledge, seed=derive_seed(task.digest()), progress=workspace.progress
    )
    arrays = {"index": images.indices.numpy(), "member": member, "score": scores.score}
    if scores.queries is not None:
        arrays["queries"] = scores.queries
    np.savez(workspace.folder / SCORES, **arrays)  # type: ignore[arg-type]
    (workspace.folder / CURVES).write_text(json.dumps(roc_curves(spec, scores, member)), encoding="utf-8")
    return membership_measurements(spec, scores, member, victim.queries)


def choose_images(bundle: DataBundle, spec: MembershipSpec, data_seed: int) -> tuple[Split, Mask]:
    """As many training images as test images, the same for every architecture, and which of them are members.

    They are the first ones of a random order of each, so that 50 are among the 1,000 of the same seeds; they come
    in the order of the source, which tells nothing of membership that the attack should not know.
    """
    n = spec.count(len(bundle.train), len(bundle.test))
    members = chosen(bundle.train, n, "members", data_seed, spec.seed)
    others = chosen(bundle.test, n, "non-members", data_seed, spec.seed)
    both = members.joined(others)
    order = both.indices.argsort()
    return both.take(order), (order < len(members)).numpy()


def shadow_models(task: MembershipTask, bundle: DataBundle, workspace: Workspace) -> ShadowModels:
    """The attacker's models as the store holds them, each loaded when its turn comes."""

    def loader(shadow: TrainTask) -> Callable[[], Classifier]:
        def load() -> Classifier:
            _, folder = workspace.find(shadow)
            network = checkpoint.load(folder / WEIGHTS, shadow.architecture)
            return Classifier(network, shadow.architecture.classes, workspace.device)

        return load

    def seen(indices: torch.Tensor) -> Mask:
        subset = task.shadows[0].subset if task.shadows else None
        if subset is None:
            return np.zeros((0, len(indices)), dtype=bool)
        return trained_on(bundle, subset.models, subset.seed, indices)

    return ShadowModels([loader(shadow) for shadow in task.shadows], seen)
