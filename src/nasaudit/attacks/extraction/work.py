"""The work of an ExtractionTask: let a thief ask a victim with every budget, and judge the surrogates."""

from collections.abc import Iterator
from pkgutil import resolve_name
from typing import cast

import torch

from nasaudit.arch.network import build
from nasaudit.attacks.base import load_attack
from nasaudit.attacks.extraction import transfer
from nasaudit.attacks.extraction.base import ExtractionAttack, Stolen
from nasaudit.attacks.extraction.measures import likeness
from nasaudit.attacks.extraction.pool import augmented_once, planned_budgets, thief_pool
from nasaudit.data.load import test_images
from nasaudit.data.split import DataBundle
from nasaudit.measure.estimate import Measurement, Setting, exact
from nasaudit.progress import Progress, part
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.recipes import surrogate_training
from nasaudit.spec.tasks import ExtractionTask
from nasaudit.spec.units import format_epsilon
from nasaudit.store.workspace import Workspace
from nasaudit.training.evaluate import predict
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Limit, Oracle

# What stealing takes of the time of one budget; the rest is for adversarial examples.
STEALING_SHARE = 0.85


def measure_extraction(task: ExtractionTask, workspace: Workspace) -> list[Measurement]:
    """Steal with every budget, each time with a new oracle and a new surrogate, and compare with the victim.

    The thief's choices hang on the attack's seed and the victim's: all architectures are asked the same random
    questions, and replicates differ in everything.
    """
    spec = cast(ExtractionSpec, task.attack)
    network, bundle = load_victim(task.victim, workspace)
    pool = thief_pool(spec, task.victim.data.name, bundle, workspace)
    budgets = planned_budgets(spec, bundle, pool)
    victim = Classifier(network, task.victim.architecture.classes, workspace.device)
    seed = derive_seed("extraction", spec.seed, task.victim.seed)
    judge = _Judge(task, victim, bundle)
    measurements = judge.floor(seed)
    moments = pool.moments
    if spec.augmented_once:
        pool = augmented_once(pool, task.victim.training, derive_seed("augmented once", seed))
    trainings = [surrogate_training(spec, task.victim.training, budget) for budget in budgets]
    costs = [
        training.epochs * max(budget, training.batch_size)
        for training, budget in zip(trainings, budgets, strict=True)
    ]
    for position, (budget, training) in enumerate(zip(budgets, trainings, strict=True)):
        begin, end = sum(costs[:position]) / sum(costs), sum(costs[: position + 1]) / sum(costs)
        stolen_at = begin + STEALING_SHARE * (end - begin)
        stealing = part(workspace.progress, begin, stolen_at, f" ({budget} queries)")
        limits: list[Limit] = [resolve_name(limit.implementation)(limit) for limit in spec.answers]
        oracle = Oracle(victim, budget, "label" if spec.labels == "hard" else "probabilities", limits)
        surrogate = build(task.surrogate, derive_seed("surrogate", seed), moments)
        stolen = cast(ExtractionAttack, load_attack(spec)).steal(
            oracle, pool, budget, surrogate, training, seed=seed, progress=stealing
        )
        judging = part(workspace.progress, stolen_at, end, " (transfer)")
        at: Setting = (("budget", str(budget)), *judge.setting)
        measurements.append(Measurement("queries", exact(oracle.queries, "images"), at))
        measurements += judge.verdicts(stolen, at, seed, judging)
    return measurements


class _Judge:
    """What surrogates are compared with: the victim's logits on its test images.

    Args:
        task: the theft.
        victim: the white box, which only the judge sees.
        bundle: the victim's data.

    Attributes:
        correct: the common test images that the victim gets right, for adversarial examples.
        setting: of all rows.
    """

    def __init__(self, task: ExtractionTask, victim: Classifier, bundle: DataBundle):
        self.spec = spec = cast(ExtractionSpec, task.attack)
        self.victim, self.test = victim, bundle.test
        self.logits = predict(victim.network, bundle.test, str(victim.device))
        rows = test_images(bundle, spec.transfer_images, task.victim.data.seed)
        self.correct = bundle.test.take(rows[self.logits[rows].argmax(1) == bundle.test.labels[rows]])
        surrogate = SAME if spec.surrogate == SAME else task.surrogate.name
        self.setting: Setting = (("surrogate", surrogate), ("labels", spec.labels), ("pool", spec.pool))
        if spec.answers:  # said also when no other theft of the study needs telling apart
            self.setting = (*self.setting, ("answers", spec.told("answers")))

    def floor(self, seed: int) -> list[Measurement]:
        """How often noise of the same size fools the victim; empty when it gets no image right."""
        if not len(self.correct):
            return []
        noisy = transfer.sign_noise(self.correct, self.spec.transfer_epsilon, seed=seed)
        return list(self._fooling("floor", noisy, self.setting))

    def verdicts(self, stolen: Stolen, at: Setting, seed: int, progress: Progress) -> Iterator[Measurement]:
        """What one surrogate is worth."""
        device = str(self.victim.device)
        logits = predict(stolen.surrogate, self.test, device)
        yield from likeness(self.logits.numpy(), logits.numpy(), self.test.labels.numpy(), at)
        copy = Classifier(stolen.surrogate, self.victim.classes, device)
        spec = self.spec
        examples = transfer.transfer_examples(
            copy, self.correct, spec.transfer_epsilon, spec.transfer_steps, seed=seed, progress=progress
        )
        yield from self._fooling("transfer_asr", examples, at)

    def _fooling(self, metric: str, images: torch.Tensor, setting: Setting) -> Iterator[Measurement]:
        share = transfer.fooled(self.victim, images, self.correct.labels)
        if share is not None:
            at = (("epsilon", format_epsilon(self.spec.transfer_epsilon)), ("images", "correct"))
            yield Measurement(metric, share, (*setting, *at))
