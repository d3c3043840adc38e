"""The work of an EvasionTask: attack a trained victim's test images, and say what came of it."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import EvasionAttack, MinimalAttack, open_access
from nasaudit.attacks.evasion.curve import SecurityCurve, predict, security_curve
from nasaudit.attacks.evasion.measures import (
    curve_measurements,
    effort_measurements,
    output_disagreement,
    skip_gain,
    spent_queries,
    steps_of_failure,
    zero_gradient_share,
)
from nasaudit.data.load import test_images
from nasaudit.data.split import DataBundle, Split
from nasaudit.measure.estimate import Measurement
from nasaudit.progress import Progress, part, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import EvasionSpec, TransferSpec
from nasaudit.spec.tasks import EvasionTask
from nasaudit.store.artefacts import EVASION, EXAMPLES
from nasaudit.store.workspace import Workspace
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

AnyAttack = (
    EvasionAttack[Classifier] | EvasionAttack[Oracle] | MinimalAttack[Classifier] | MinimalAttack[Oracle]
)

# How many adversarial examples are kept as pictures.
KEPT_EXAMPLES = 8


def measure_evasion(task: EvasionTask, workspace: Workspace) -> list[Measurement]:
    """Run the attack's security curve on a victim's test images; one that favours skips also without doing so.

    Leaves `evasion.npz`, one row an image (index: position in the source, label, correct, minimal_epsilon,
    steps and queries: see `SecurityCurve`, target, and prediction: the class of the adversarial example, or of the
    clean image where none was found), and `examples.npz` (see `results.schema.Examples`).
    """
    spec = cast(EvasionSpec, task.attack)
    network, bundle = load_victim(task.victim, workspace)
    tools: tuple[object, ...] = ()
    twice = isinstance(spec, TransferSpec) and spec.skip_gamma != 1
    if task.surrogate is not None:
        surrogate, _ = load_victim(task.surrogate, workspace)
        tools = (Classifier(surrogate, task.surrogate.architecture.classes, workspace.device),)
    judge = Classifier(network, task.victim.architecture.classes, workspace.device, folding=False)
    chosen = choose_images(bundle, spec, judge, task.victim.data.seed)
    attack = cast(AnyAttack, load_attack(spec, *tools))
    seed = derive_seed(task.digest())
    progress = part(workspace.progress, 0, 0.5 if twice else 1)
    curve, measurements = run_attack(attack, network, judge, chosen, seed=seed, progress=progress)
    correct = (curve.clean_prediction.cpu() == chosen.labels).numpy()
    if twice:
        by_plain = cast(AnyAttack, load_attack(spec.model_copy(update={"skip_gamma": 1.0}), *tools))
        progress = part(workspace.progress, 0.5, 1)
        plain, _ = run_attack(by_plain, network, judge, chosen, seed=seed, progress=progress)
        minimal, others = (each.minimal_epsilon.cpu().numpy() for each in (curve, plain))
        measurements += skip_gain(spec, minimal, others, correct)
    np.savez(
        workspace.folder / EVASION,
        index=chosen.indices.numpy(),
        label=chosen.labels.numpy(),
        correct=correct,
        minimal_epsilon=curve.minimal_epsilon.cpu().numpy(),
        steps=curve.steps.cpu().numpy(),
        queries=curve.queries.cpu().numpy(),
        target=curve.target.cpu().numpy(),
        prediction=curve.prediction.cpu().numpy(),
    )
    _save_examples(workspace.folder / EXAMPLES, chosen, correct, curve)
    return measurements


def run_attack(
    attack: AnyAttack,
    network: nn.Module,
    judge: Classifier,
    chosen: Split,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[SecurityCurve, list[Measurement]]:
    """Run one attack on these images, and say what came of it.

    Args:
        attack: with the spec that the figures are named by.
        network: the victim.
        judge: the same, unfolded.
        chosen: the images to attack.
        seed: decides the attack's random choices.
        progress: called with the share done.
    """
    spec = attack.spec
    classifier = Classifier(network, judge.classes, judge.device)
    pixels, labels = chosen.tensors(judge.device)
    curve = security_curve(
        cast(EvasionAttack[Classifier], attack),
        cast(Classifier, open_access(spec, classifier)),  # one of the two kinds; the attack takes the same
        judge,
        pixels,
        labels,
        indices=chosen.indices.to(judge.device),
        seed=seed,
        progress=progress,
    )
    correct = (curve.clean_prediction.cpu() == chosen.labels).numpy()
    minimal, steps = curve.minimal_epsilon.cpu().numpy(), curve.steps.cpu().numpy()
    queries = curve.queries.cpu().numpy()
    measurements = curve_measurements(spec, minimal, steps, correct, steps_of_failure=steps_of_failure(spec))
    if curve.pivot is None:
        measurements += spent_queries(spec, queries, correct)
    else:
        pivot_steps, pivot_queries = curve.pivot_steps.cpu().numpy(), curve.pivot_queries.cpu().numpy()
        measurements += effort_measurements(spec, curve.pivot, pivot_steps, pivot_queries, correct)
    measurements += zero_gradient_share(spec, curve.first_gradient.cpu().numpy())
    first, second = predict(judge, pixels), predict(judge, pixels)
    differ = (~torch.isclose(first, second, rtol=1e-3, atol=1e-4)).any(1).cpu().numpy()  # beyond rounding
    return curve, measurements + output_disagreement(spec, differ)


def choose_images(bundle: DataBundle, spec: EvasionSpec, judge: Classifier, data_seed: int) -> Split:
    """The test images to attack: the same for every architecture, in an order that the data seed decides.

    With `only_correct` they are the first ones of that order that the victim gets right. Images of the class
    that a `targeted` attack wants are left out: they would count as broken before the attack.
    """
    test = bundle.test
    order = test.take(test_images(bundle, len(test), data_seed))
    wanted = order.labels != spec.target_class if spec.target_class is not None else order.labels >= 0
    if spec.only_correct:
        predicted = predict(judge, order.pixels().to(judge.device)).argmax(1).cpu()
        wanted &= predicted == order.labels
    return order.take(wanted.nonzero().squeeze(1)[: spec.images])


def _save_examples(file: Path, chosen: Split, correct: np.ndarray, curve: SecurityCurve) -> None:
    """Broken images from the most to the least vulnerable, evenly spread over their order."""
    minimal = curve.minimal_epsilon.cpu().numpy()
    candidates = np.flatnonzero(correct & (minimal > 0) & np.isfinite(minimal))
    ranked = candidates[np.argsort(minimal[candidates], kind="stable")]
    picks = (
        ranked[np.unique(np.linspace(0, len(ranked) - 1, KEPT_EXAMPLES).round().astype(int))]
        if len(ranked)
        else ranked
    )
    rows = torch.from_numpy(picks)
    np.savez(
        file,
        clean=chosen.images[rows].numpy(),
        adversarial=curve.images.cpu()[rows].contiguous().numpy(),
        index=chosen.indices[rows].numpy(),
        label=chosen.labels[rows].numpy(),
        prediction=curve.prediction.cpu()[rows].numpy(),
        epsilon=minimal[picks],
    )
