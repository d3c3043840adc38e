"""What the example plugins do, with torch."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

import torch
from example_plugin import HalvedSpec, NoisySpec, NudgeSpec, OneByOneSpec, SalientSpec, SignStepSpec
from torch import Tensor, nn

from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.poisoning.base import Aims, Brew, ModelPoisoning, Poison
from nasaudit.data.split import Split
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.progress import Progress, silent
from nasaudit.running.executors.base import Job, RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.search.base import Rounds, SampledSearch
from nasaudit.search.cells import Cells, cells_of, draw, strongest
from nasaudit.search.one_shot import Batch, SupernetSearch
from nasaudit.search.sampled import Ledger
from nasaudit.search.supernet import Mixture, everything
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


class Salient(SupernetSearch[SalientSpec]):
    """All ops count alike; by how much the loss would fall if one counted more, summed over the search."""

    def begin(self) -> None:
        """See `SupernetSearch`."""
        space = self.spec.space
        size, device = (len(space.sources), len(space.primitives)), self.problem.device
        self.weights = {
            kind: torch.full(size, 1 / size[1], device=device, requires_grad=True) for kind in space.kinds
        }
        self.wanted = {kind: torch.zeros(size) for kind in space.kinds}

    def mixtures(self) -> dict[str, Mixture]:
        """See `SupernetSearch`."""
        return {kind: Mixture(even, everything(self.spec.space)) for kind, even in self.weights.items()}

    def step(self, batch: Batch) -> Tensor:
        """See `SupernetSearch`."""
        loss = self.weights_step(batch)
        for kind, even in self.weights.items():
            assert even.grad is not None
            self.wanted[kind] -= even.grad.cpu()
            even.grad = None
        return loss

    def derive(self) -> Cells:
        """See `SupernetSearch`."""
        space = self.spec.space
        return cells_of(space, {kind: strongest(space, rows.tolist()) for kind, rows in self.wanted.items()})

    def state(self) -> dict[str, Any]:
        """See `SupernetSearch`."""
        return {"wanted": self.wanted}

    def restore(self, state: dict[str, Any]) -> None:
        """See `SupernetSearch`."""
        self.wanted = state["wanted"]


class OneByOne(SampledSearch[OneByOneSpec]):
    """The best of some random cells, each asked about when the one before it is trained."""

    def rounds(self, seed: int) -> Rounds:
        """See `SampledSearch`."""
        random, ledger = Random(seed), Ledger(self)
        for _ in range(self.spec.children):
            ledger.add((yield [draw(self.spec.space, random)]))
        return ledger.found(seed)
