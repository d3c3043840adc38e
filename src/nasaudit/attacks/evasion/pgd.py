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

from nasaudit.attacks.base import EvasionAttack, Perturbed, check_images
from nasaudit.attacks.evasion import noise
from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.engine import ascend
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import PgdSpec
from nasaudit.store.workspace import Progress, silent
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

    def perturb(
        self,
        victim: Classifier,
        images: Tensor,
        objective: Objective,
        epsilon: float,
        *,
        seed: int = 0,
        indices: Tensor | None = None,
        progress: Progress = silent,
    ) -> Perturbed:
        """See `EvasionAttack.perturb`. Without `indices` the images are numbered by position."""
        check_images(images)
        if not 0 <= epsilon < float("inf"):
            raise SpecError("epsilon", "a finite radius of at least 0", epsilon)
        if indices is None:
            indices = torch.arange(len(images), device=images.device)
        steps = self.spec.steps if epsilon > 0 else 0
        alpha = 2.5 * epsilon / self.spec.steps if self.spec.step_size is None else self.spec.step_size
        found = Perturbed(
            images.clone(),
            torch.full((len(images),), -1, device=images.device),
            torch.full((len(images),), torch.nan, device=images.device),
        )
        for restart in range(self.spec.restarts):
            rows = (~found.broken).nonzero().squeeze(1)
            ball = Ball.around(images[rows], self.spec.norm, epsilon)
            start = self._start(ball, indices[rows], seed, restart)
            result = ascend(
                victim,
                start,
                objective.take(rows),
                partial(_step, ball, alpha),
                steps,
                batch_size=self.batch_size,
                progress=partial(_of_one_restart, progress, restart, self.spec.restarts),
            )
            found.images[rows] = result.images
            found.steps[rows] = torch.where(result.broken, result.steps + restart * self.spec.steps, -1)
            if restart == 0:
                found.first_gradient[rows] = result.first_gradient
        return found

    def _start(self, ball: Ball, indices: Tensor, seed: int, restart: int) -> Tensor:
        """The image itself, or a point drawn uniformly from the ball."""
        # Without a random start every restart would repeat the first.
        if not self.spec.random_start and restart == 0:
            return ball.images.clone()
        shape = ball.images.shape
        count = shape[1:].numel()
        purpose = ("pgd", seed, restart)
        if self.spec.norm == "linf":
            offset = ball.epsilon * (2 * noise.uniform(indices, count, *purpose) - 1)
        else:
            direction = noise.normal(indices, count, *purpose)
            # The share of a ball's volume within radius r grows as r^d.
            radius = noise.uniform(indices, 1, *purpose, "radius") ** (1 / count)
            offset = ball.epsilon * radius * direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return ball.project(ball.images + offset.reshape(shape))


def _step(ball: Ball, alpha: float, rows: Tensor, points: Tensor, gradient: Tensor) -> Tensor:
    """X -> Pi(x + alpha g), with g the gradient's sign (linf) or its direction (l2)."""
    if ball.norm == "linf":
        direction = gradient.sign()
    else:
        # In float64, where the squares of small gradients do not vanish; a gradient of zero stays one.
        length = gradient.flatten(1).double().norm(dim=1).clamp_min(1e-300)
        direction = (gradient / length[:, None, None, None]).float()
    return ball.take(rows).project(points + alpha * direction)


def _of_one_restart(progress: Progress, restart: int, restarts: int, done: float, text: str = "") -> None:
    progress((restart + done) / restarts, text)
