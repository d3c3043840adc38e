"""What the example plugins do, with torch."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from example_plugin import HalvedSpec, NoisySpec, NudgeSpec, SignStepSpec
from torch import Tensor, nn

from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.poisoning.base import Aims, Brew, ModelPoisoning, Poison
from nasaudit.data.split import Split
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.progress import Progress, silent
from nasaudit.running.executors.base import Job, RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.spec.tasks import VictimAnalysisTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.training.seams import Defence, Seams
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier


class SignStep(EvasionAttack[Classifier]):
    """x + epsilon sign(gradient of the loss)."""

    def __init__(self, spec: SignStepSpec):
        self.spec = spec

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        images = attempt.images.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(attempt.objective.loss(victim(images)).sum(), images)
        moved = (attempt.images + epsilon * gradient.sign()).clamp(0, 1)
        with torch.no_grad():
            broken = attempt.objective.reached(victim(moved))
        steps = torch.where(broken, 1, -1)
        return Perturbed(moved, steps, gradient.abs().flatten(1).amax(1))


class Nudge(ModelPoisoning):
    """The first images of the wanted class, a little brighter where the model's gradient is positive."""

    def __init__(self, spec: NudgeSpec):
        self.spec = spec

    def brew(
        self,
        train: Split,
        aims: Aims,
        surrogate: nn.Module,
        recipe: TrainingSpec,
        fraction: float,
        *,
        seed: int,
        device: str = "cpu",
        progress: Progress = silent,
    ) -> Brew:
        """See `ModelPoisoning`."""
        each = int(fraction * len(train)) // len(aims.classes)
        rows = torch.cat([(train.labels == wanted).nonzero().flatten()[:each] for wanted in aims.classes])
        pixels = train.pixels(rows).to(device).requires_grad_(True)
        (gradient,) = torch.autograd.grad(surrogate(pixels).square().sum(), pixels)
        images = (train.images[rows].int() + 4 * gradient.sign().cpu().int()).clamp(0, 255).to(torch.uint8)
        loss = torch.zeros(len(aims.classes))
        poison = Poison(train.indices[rows], train.labels[rows], images)
        served = torch.arange(len(aims.classes)).repeat_interleave(each)
        return Brew(poison, served, matching=torch.zeros(1), before=loss, after=loss)


def measure_weights(task: VictimAnalysisTask, workspace: Workspace) -> list[Measurement]:
    """`weight_length` of a victim."""
    network, _ = load_victim(task.victim, workspace)
    length = sum(float(weights.detach().square().sum()) for weights in network.parameters()) ** 0.5
    return [Measurement("weight_length", exact(length, "length"))]


class Noisy(Defence):
    """Uniform noise on the pixels of each batch."""

    def __init__(self, spec: NoisySpec):
        self.spec = spec

    def applied(self, seams: Seams, network: nn.Module, training: TrainingSpec, seed: int) -> Seams:
        """See `Defence`."""
        noise = torch.Generator().manual_seed(seed)

        def prepare(pixels: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels, targets = seams.prepare(pixels, targets, generator)
            return (pixels + 0.05 * torch.rand(pixels.shape, generator=noise)).clamp(0, 1), targets

        return replace(seams, prepare=prepare)


class Halved:
    """Half of what the victim says, and half of chance."""

    def __init__(self, spec: HalvedSpec):
        self.spec = spec

    def __call__(self, probabilities: Tensor) -> Tensor:
        """See `victim.oracle.Limit`."""
        return probabilities / 2 + 0.5 / probabilities.shape[1]


class InTurn(Serial):
    """One job after the other, with a list of them."""

    submitted: ClassVar[list[str]] = []

    def __init__(self, context: RunContext, devices: Sequence[str]):
        super().__init__(context, devices)

    def submit(self, job: Job) -> None:
        """Note the task."""
        self.submitted.append(job.task.label())
        super().submit(job)
