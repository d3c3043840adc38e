"""Projected gradient descent.

Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks",
ICLR 2018. Access: white box.

From a random point of the ball S around the image x, step along the gradient of the loss L and project back:
    x^{t+1} = Pi_{x+S}( x^t + alpha sgn(grad_x L(theta, x^t, y)) )                            (their section
    2.1)
In l2 the gradient is divided by its length instead of taking its sign.

Deviations: an image stops at the first step that breaks it; L is the log odds of the class, whose gradient
has the direction of the cross-entropy's (see `Objective.loss`); the step defaults to 2.5 epsilon / steps
(their section 5).
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.ball import Ball, random_point
from nasaudit.attacks.evasion.engine import Climb, ascend, ascent_direction, no_result, share_of
from nasaudit.spec.attacks import PgdSpec
from nasaudit.victim.classifier import Classifier


@final
class Pgd(EvasionAttack[Classifier]):
    """PGD with restarts; each restart gets the images that all earlier ones left standing.

    Args:
        spec: norm, steps, step size, restarts, random start.
        batch_size: images of one forward pass; changes the speed and nothing else.
    """

    def __init__(self, spec: PgdSpec, batch_size: int | None = None):
        self.spec: PgdSpec = spec
        self.batch_size = batch_size

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        """See `EvasionAttack.perturb`. Without `indices` the images are numbered by position."""
        steps = self.spec.steps if epsilon > 0 else 0
        alpha = 2.5 * epsilon / self.spec.steps if self.spec.step_size is None else self.spec.step_size
        found = no_result(attempt.images)
        for restart in range(self.spec.restarts):
            rows = (~found.broken).nonzero().squeeze(1)
            ball = Ball.around(attempt.images[rows], self.spec.norm, epsilon)
            start = self._start(ball, attempt.indices[rows], attempt.seed, restart)
            result = ascend(
                victim,
                start,
                attempt.objective.take(rows),
                partial(step_along, ball, alpha),
                steps,
                batch_size=self.batch_size,
                progress=partial(share_of, attempt.progress, restart, self.spec.restarts),
            )
            found.images[rows] = result.images
            found.steps[rows] = torch.where(result.broken, result.steps + restart * self.spec.steps, -1)
            if restart == 0:
                found.first_gradient[rows] = result.first_gradient
        return found

    def _start(self, ball: Ball, indices: Tensor, seed: int, restart: int) -> Tensor:
        # Without a random start every restart would repeat the first.
        if not self.spec.random_start and restart == 0:
            return ball.images.clone()
        return random_point(ball, indices, "pgd", seed, restart)


def step_along(ball: Ball, alpha: float, climb: Climb) -> Tensor:
    """X -> Pi(x + alpha g), with g the gradient's sign (linf) or its direction (l2)."""
    return ball.take(climb.rows).project(climb.points + alpha * ascent_direction(climb.gradient, ball.norm))
