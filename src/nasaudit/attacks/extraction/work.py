"""The work of an ExtractionTask: let a thief ask a victim with every budget, and judge the surrogates."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch

from nasaudit.arch.network import build
from nasaudit.attacks.base import load_attack
from nasaudit.attacks.extraction import transfer
from nasaudit.attacks.extraction.base import ExtractionAttack, Stolen, part
from nasaudit.attacks.extraction.measures import Setting, likeness
from nasaudit.attacks.extraction.pool import moments, planned_budgets, thief_pool
from nasaudit.data import test_images
from nasaudit.data.split import DataBundle, Split
from nasaudit.measure.estimate import Estimate, Measurement, exact
from nasaudit.progress import Progress
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.attacks.extraction import surrogate_training
from nasaudit.spec.tasks import ExtractionTask
from nasaudit.store.workspace import Workspace
from nasaudit.training.evaluate import predict
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

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
    judge = _Judge.of(task, victim, bundle)
    found = judge.floor(seed)
    trainings = [surrogate_training(spec, task.victim.training, budget) for budget in budgets]
    costs = [
        training.epochs * max(budget, training.batch_size)
        for training, budget in zip(trainings, budgets, strict=True)
    ]
    for position, (budget, training) in enumerate(zip(budgets, trainings, strict=True)):
        start, length = sum(costs[:position]) / sum(costs), costs[position] / sum(costs)
        stealing = part(workspace.progress, start, STEALING_SHARE * length, f"{budget} queries: ")
        oracle = Oracle(
            victim,
            budget,
            "label" if spec.labels == "hard" else "probabilities",
            decimals=spec.decimals,
            top_k=spec.top_k,
        )
        surrogate = build(task.surrogate, derive_seed("surrogate", seed), moments(pool.images))
        stolen = cast(ExtractionAttack, load_attack(spec)).steal(
            oracle, pool, budget, surrogate, training, seed=seed, progress=stealing
        )
        judging = part(
            workspace.progress, start + STEALING_SHARE * length, (1 - STEALING_SHARE) * length, "transfer: "
        )
        at: Setting = (("budget", str(budget)), *judge.setting)
        found.append(Measurement("queries", exact(oracle.queries, "images"), at))
        found += judge.verdicts(stolen, at, seed, judging)
    return found


@dataclass(frozen=True, eq=False)
class _Judge:
    """What surrogates are compared with.

    Attributes:
        victim: the white box, which only the judge sees.
        test: the victim's test images.
        logits: float32 [N, classes], the victim's.
        correct: the common test images that the victim gets right, for adversarial examples.
        setting: of all rows.
    """

    victim: Classifier
    test: Split
    logits: torch.Tensor
    correct: Split
    setting: Setting

    @classmethod
    def of(cls, task: ExtractionTask, victim: Classifier, bundle: DataBundle) -> "_Judge":
        spec = cast(ExtractionSpec, task.attack)
        logits = predict(victim.network, bundle.test, str(victim.device))
        rows = test_images(bundle, spec.transfer_images, task.victim.data.seed)
        rows = rows[logits[rows].argmax(1) == bundle.test.labels[rows]]
        surrogate = SAME if spec.surrogate == SAME else task.surrogate.name
        # Said where it was so, also when no other theft of the study needs telling apart.
        shortened = tuple(
            (field, str(value))
            for field, value in (("decimals", spec.decimals), ("top_k", spec.top_k))
            if value is not None
        )
        setting = (("surrogate", surrogate), ("labels", spec.labels), ("pool", spec.pool), *shortened)
        return cls(victim, bundle.test, logits, bundle.test.take(rows), setting)

    def floor(self, seed: int) -> list[Measurement]:
        """How often noise of the same size fools the victim; empty when it gets no image right."""
        noisy = transfer.sign_noise(self.correct, seed=seed) if len(self.correct) else self.correct.pixels()
        share = transfer.fooled(self.victim, noisy, self.correct.labels)
        return list(_some("floor", share, (*self.setting, *transfer.SETTING)))

    def verdicts(self, stolen: Stolen, at: Setting, seed: int, progress: Progress) -> Iterator[Measurement]:
        """What one surrogate is worth."""
        device = str(self.victim.device)
        logits = predict(stolen.surrogate, self.test, device)
        yield from likeness(self.logits.numpy(), logits.numpy(), self.test.labels.numpy(), at)
        copy = Classifier(stolen.surrogate, self.victim.classes, device)
        examples = transfer.transfer_examples(copy, self.correct, seed=seed, progress=progress)
        share = transfer.fooled(self.victim, examples, self.correct.labels)
        yield from _some("transfer_asr", share, (*at, *transfer.SETTING))


def _some(metric: str, share: Estimate | None, setting: Setting) -> Iterator[Measurement]:
    if share is not None:
        yield Measurement(metric, share, setting)
