"""Decoupled direction and norm: the nearest adversarial example in l2.

Rony, Hafemann, Oliveira, Ben Ayed, Sabourin and Granger, "Decoupling Direction and Norm for Efficient Gradient-Based
L2 Adversarial Attacks and Defenses", CVPR 2019, Algorithm 1. Access: white box.

A change delta is turned by the gradient of the loss, while its length is set apart from it: it shrinks when the image
is adversarial and grows when it is not, so that the walk goes along the decision boundary.
    g = alpha_k grad J(x~_{k-1}) / |grad J|,  delta_k = delta_{k-1} + g
    epsilon_k = (1 - gamma) epsilon_{k-1} if x~_{k-1} is adversarial, else (1 + gamma) epsilon_{k-1}
    x~_k = clip(x + epsilon_k delta_k / |delta_k|)
with alpha_k falling from 1 to .01 by a cosine. The nearest adversarial x~_k is the result.

Deviations: pixels are not rounded to 256 levels; delta_k is taken from the clipped x~_k, as in the authors' code; a
gradient of zero turns nothing; J is the log odds of the class, whose gradient has the direction of the
cross-entropy's (see `Objective.loss`); at the end a bisection between the image and the example finds where their
line crosses the boundary.
"""

from math import cos, pi
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.evasion.base import Attempt, MinimalAttack, Nearest
from nasaudit.attacks.evasion.engine import ascent_direction, batch_size_for, look
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.progress import Progress, part
from nasaudit.spec.attacks import DdnSpec
from nasaudit.victim.classifier import Classifier

FIRST_STEP, LAST_STEP = 1.0, 0.01  # alpha
BISECTIONS = 10  # to a thousandth of the example's length; they cost no gradient


@final
class Ddn(MinimalAttack[Classifier]):
    """DDN; nothing is random."""

    spec: DdnSpec

    def _minimise(self, victim: Classifier, attempt: Attempt) -> Nearest:
        nearest = attempt.images.clone()
        distance = torch.full((len(nearest),), torch.inf, dtype=torch.float64, device=nearest.device)
        batches = torch.split(
            torch.arange(len(nearest), device=nearest.device),
            self.batch_size or batch_size_for(victim.device),
        )
        for number, rows in enumerate(batches):
            nearest[rows], distance[rows] = self._walk(
                victim,
                attempt.images[rows],
                attempt.objective.take(rows),
                part(attempt.progress, number / len(batches), (number + 1) / len(batches)),
            )
        return Nearest(nearest, distance, torch.full_like(distance, self.spec.steps, dtype=torch.int64))

    def _walk(
        self, victim: Classifier, x: Tensor, objective: Objective, progress: Progress
    ) -> tuple[Tensor, Tensor]:
        """The nearest adversarial point of one batch, and its distance (infinity where none was adversarial)."""
        spec = self.spec
        best, best_norm = x.clone(), torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
        point, delta = x.clone(), torch.zeros_like(x)
        norm = torch.full((len(x),), spec.initial_norm, device=x.device)
        for step in range(spec.steps + 1):
            progress(step / (spec.steps + 1))
            seen = look(victim, point, objective, climb=step < spec.steps, all_gradients=True)
            length = _length(point - x)
            nearer = seen.broken & (length < best_norm)
            best[nearer], best_norm[nearer] = point[nearer], length[nearer]
            if step == spec.steps:
                break
            alpha = LAST_STEP + (FIRST_STEP - LAST_STEP) * (1 + cos(pi * step / spec.steps)) / 2
            delta = delta + alpha * ascent_direction(seen.gradient, "l2")
            norm = norm * torch.where(seen.broken, 1 - spec.gamma, 1 + spec.gamma)
            point = (x + norm[:, None, None, None] * ascent_direction(delta, "l2")).clamp(0, 1)
            delta = point - x
        # Pull each example towards its image as long as it stays adversarial.
        low, high = torch.zeros_like(best_norm), torch.ones_like(best_norm)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            point = x + middle.float()[:, None, None, None] * (best - x)
            broken = look(victim, point, objective, climb=False).broken
            high = torch.where(broken, middle, high)
            low = torch.where(broken, low, middle)
        adversarial = best_norm.isfinite()
        pulled = x + high.float()[:, None, None, None] * (best - x)
        best = torch.where((adversarial & (high < 1))[:, None, None, None], pulled, best)
        return best, torch.where(adversarial, _length(best - x), torch.inf)


def _length(change: Tensor) -> Tensor:
    length: Tensor = change.flatten(1).double().norm(dim=1)
    return length
