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
cross-entropy's (see `Objective.loss`); the last point is looked at, too; the end of `walk.py`.
"""

from math import cos, pi
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.evasion.curve import distances
from nasaudit.attacks.evasion.engine import ascent_direction, look
from nasaudit.attacks.evasion.minimal.walk import Best, BoundaryWalk
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.progress import Progress
from nasaudit.spec.attacks import DdnSpec
from nasaudit.victim.classifier import Classifier

FIRST_STEP, LAST_STEP = 1.0, 0.01  # alpha


@final
class Ddn(BoundaryWalk):
    """DDN; nothing is random."""

    spec: DdnSpec

    def _walk(self, victim: Classifier, x: Tensor, objective: Objective, progress: Progress) -> Best:
        spec, best = self.spec, Best.none(x)
        point, delta = x.clone(), torch.zeros_like(x)
        norm = torch.full((len(x),), spec.initial_norm, device=x.device)
        for step in range(spec.steps + 1):
            progress(step / (spec.steps + 1))
            seen = look(victim, point, objective, climb=step < spec.steps, all_gradients=True)
            best.note(point, distances(point, x, "l2"), seen.broken)
            if step == spec.steps:
                break
            alpha = LAST_STEP + (FIRST_STEP - LAST_STEP) * (1 + cos(pi * step / spec.steps)) / 2
            delta = delta + alpha * ascent_direction(seen.gradient, "l2")
            norm = norm * torch.where(seen.broken, 1 - spec.gamma, 1 + spec.gamma)
            point = (x + norm[:, None, None, None] * ascent_direction(delta, "l2")).clamp(0, 1)
            delta = point - x
        return best
