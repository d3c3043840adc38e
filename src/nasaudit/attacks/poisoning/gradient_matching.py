"""Witches' Brew: poisons whose gradient on a clean model points where that of the target does.

Geiping, Fowl, Huang, Czaja, Taylor, Moeller and Goldstein, "Witches' Brew: Industrial Scale Data Poisoning via
Gradient Matching", ICLR 2021.

Access: the training data, a budget of images in it, and the victim's architecture and recipe; not its weights.
The attacker trains a surrogate on clean data. Labels stay correct and pixels stay within epsilon.

Idea: a network that is trained on the poison should take a target x^t for the class y^adv. Instead of looking
through a whole training, it is enough that each step on the poison is also a step on the target: that both
gradients point the same way. For P images x_i of the class y^adv, changed by Delta_i, and the surrogate's
weights theta, Algorithm 1 minimises

    B(Delta) = 1 - <g^t, g> / (|g^t| |g|),   g^t = grad_theta L(F(x^t, theta), y^adv),
                                             g   = 1/P sum_i grad_theta L(F(x_i + Delta_i, theta), y_i)

over |Delta_i|_inf <= epsilon and x_i + Delta_i in [0,1], from a random start, by Adam on the sign of its
gradient, with the images augmented anew in each step by the (differentiable) crops and flips of the victim's
training. Of several restarts the one that matches best is kept. More than 512 images are matched batch by
batch.

Deviations: poisons are rounded to 8 bits before a restart is chosen and before they are stored. Several targets
are attacked in one training, each with its own class, its own images and an equal part of the budget, where the
paper's main experiments have one target a training: success rates then rest on more than one image, and the
poisons may disturb each other. Crops and flips are those of nasaudit, by whole pixels. There is one surrogate,
without ensembling or retraining (the paper's base setting).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from nasaudit.attacks.poisoning.base import Aims, Brew, ModelPoisoning, Poison, poisoning_order
from nasaudit.data.augment import augment
from nasaudit.data.split import Split
from nasaudit.errors import DataError, NonFiniteError
from nasaudit.progress import Progress, part, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import GradientMatchingSpec
from nasaudit.spec.attacks.poisoning import poisons_of_a_target
from nasaudit.spec.training import TrainingSpec

BATCH = 512  # images whose gradients are matched at once, as in the paper
DECAYS = (3 / 8, 5 / 8, 7 / 8)  # shares of the steps after which the step size falls to a tenth


class Surrogate:
    """A frozen copy of the attacker's model that gives gradients of its weights."""

    def __init__(self, network: nn.Module):
        self.network = copy.deepcopy(network).eval().requires_grad_(True)
        first = next(self.network.parameters())
        self.dtype, self.device = first.dtype, first.device

    def gradient(self, pixels: Tensor, classes: Tensor, create_graph: bool = False) -> list[Tensor]:
        """Of the mean cross entropy with respect to the weights: one tensor for each that takes part."""
        loss = nn.functional.cross_entropy(self.network(pixels), classes)
        weights = tuple(self.network.parameters())
        gradients = torch.autograd.grad(loss, weights, create_graph=create_graph, allow_unused=True)
        return [gradient for gradient in gradients if gradient is not None]


def mismatch(gradient: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """B: one minus the cosine of the angle between two gradients, a scalar in [0, 2].

    Raises:
        NonFiniteError: one of them is zero, NaN or infinite.
    """
    along = torch.stack([(g * w).sum() for g, w in zip(gradient, wanted, strict=True)]).sum()
    square, wanted_square = (torch.stack([(g * g).sum() for g in each]).sum() for each in (gradient, wanted))
    loss = 1 - along / (square * wanted_square).sqrt()
    if not torch.isfinite(loss):
        raise NonFiniteError(
            "a gradient of the attacker's model is zero, NaN or infinite: it has no direction to match; train "
            "the model less, or with weight decay"
        )
    return loss


@dataclass(frozen=True, eq=False)
class _Goal:
    """One aim on one surrogate: uint8 images [P, C, H, W], their class [P], and g^t."""

    images: Tensor
    classes: Tensor
    wanted: list[Tensor]


@final
class GradientMatching(ModelPoisoning):
    """Witches' Brew."""

    spec: GradientMatchingSpec

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
        """See `ModelPoisoning`. Each aim gets floor(fraction * N / T) images of its adversarial class."""
        chosen = self.choose(train, aims, fraction)
        model = Surrogate(surrogate)
        images, matching, before, after = [], [], [], []
        restarts = self.spec.restarts
        runs = len(chosen) * restarts
        for number, positions in enumerate(chosen):
            target = aims.images.pixels(slice(number, number + 1)).to(model.device, model.dtype)
            goal = _Goal(
                train.images[positions].to(model.device),
                train.labels[positions].to(model.device),
                model.gradient(target, aims.classes[number : number + 1].to(model.device)),
            )
            tried = [
                self._optimise(
                    model,
                    goal,
                    recipe,
                    torch.Generator().manual_seed(derive_seed("brew", seed, number, restart)),
                    part(progress, run / runs, (run + 1) / runs),
                )
                for restart, run in enumerate(range(number * restarts, (number + 1) * restarts))
            ]
            judged = [self._stored_mismatch(model, goal, poisoned) for poisoned, _ in tried]
            best = judged.index(min(judged))
            before.append(self._stored_mismatch(model, goal, goal.images))
            after.append(judged[best])
            images.append(tried[best][0].cpu())
            matching.append(tried[best][1])
        sizes = torch.tensor([len(positions) for positions in chosen])
        return Brew(
            poison=Poison(
                train.indices[torch.cat(chosen)], train.labels[torch.cat(chosen)], torch.cat(images)
            ),
            aims=torch.arange(len(chosen)).repeat_interleave(sizes),
            matching=torch.stack(matching).mean(0),
            before=torch.tensor(before),
            after=torch.tensor(after),
        )

    def choose(self, train: Split, aims: Aims, fraction: float) -> list[Tensor]:
        """Positions of the images to poison for each aim: disjoint, of its class, nested across fractions.

        Raises:
            DataError: a class has fewer images than are needed.
        """
        count = poisons_of_a_target(fraction, len(train), len(aims.classes))
        order = poisoning_order(train, self.spec.seed)
        chosen = []
        for number, wanted in enumerate(aims.classes.tolist()):
            # Aims of the same class take turns, so that each has its own images whatever the fraction.
            same = (aims.classes == wanted).nonzero().squeeze(1).tolist()
            mine = order[train.labels[order] == wanted][same.index(number) :: len(same)][:count]
            if len(mine) < count or count == 0:
                raise DataError(
                    f"expected {count or 'some'} training images of class {wanted} for each target, got "
                    f"{len(mine)}: change fractions ({fraction:g}) or targets ({len(aims.classes)})"
                )
            chosen.append(mine)
        return chosen

    def _optimise(
        self,
        model: Surrogate,
        goal: _Goal,
        recipe: TrainingSpec,
        generator: torch.Generator,
        report: Progress,
    ) -> tuple[Tensor, Tensor]:
        """Algorithm 1 without its restarts: the poison as uint8 [P, C, H, W], and the loss of each step."""
        spec = self.spec
        clean = goal.images.to(model.dtype) / 255
        lower, upper = (
            (clean - spec.epsilon).clamp_min(0) - clean,
            (clean + spec.epsilon).clamp_max(1) - clean,
        )
        start = torch.rand(clean.shape, generator=generator).to(clean)
        delta = (lower + start * (upper - lower)).requires_grad_(True)
        optimiser = torch.optim.Adam([delta], lr=spec.step_size)
        milestones = [round(share * spec.steps) for share in DECAYS]
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones, gamma=0.1)
        losses, batches = [], torch.split(torch.arange(len(clean)), BATCH)
        for step in range(spec.steps):
            gradient, value = torch.zeros_like(delta), 0.0  # of B, mean over batches, by Delta
            for rows in batches:
                change = delta[rows].detach().requires_grad_(True)
                pixels = clean[rows] + change
                if spec.augment:
                    pixels = augment(pixels, generator, recipe.crop, recipe.flip, 0)
                pixels = pixels.contiguous(memory_format=torch.channels_last)
                loss = mismatch(model.gradient(pixels, goal.classes[rows], create_graph=True), goal.wanted)
                (gradient[rows],) = torch.autograd.grad(loss, change)
                value += loss.item() / len(batches)
            losses.append(value)
            delta.grad = gradient.sign()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                delta.copy_(torch.maximum(torch.minimum(delta, upper), lower))
            report((step + 1) / spec.steps, f"matching loss {value:.3f}")
        return stored(goal.images, delta.detach(), spec.epsilon), torch.tensor(losses)

    def _stored_mismatch(self, model: Surrogate, goal: _Goal, images: Tensor) -> float:
        """B of 8-bit images, mean over batches, without augmentation."""
        batches = torch.split(torch.arange(len(images)), BATCH)
        losses = [
            mismatch(model.gradient(images[rows].to(model.dtype) / 255, goal.classes[rows]), goal.wanted)
            for rows in batches
        ]
        return float(torch.stack(losses).mean())


def stored(images: Tensor, change: Tensor, epsilon: float) -> Tensor:
    """The poisoned images in 8 bits, at most epsilon from the clean ones after rounding.

    Args:
        images: uint8 [P, C, H, W].
        change: float of that shape, in pixel units.
        epsilon: in pixel units; what it holds of a grey level beyond whole ones cannot be used.
    """
    most = int(epsilon * 255 + 1e-6)
    levels = (change * 255).round().clamp(-most, most).to(torch.int16)
    return (images.to(torch.int16) + levels).clamp(0, 255).to(torch.uint8)
