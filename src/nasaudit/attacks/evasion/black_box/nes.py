"""Projected gradient descent on a gradient that is estimated from scores.

Ilyas, Engstrom, Athalye and Lin, "Black-box Adversarial Attacks with Limited Queries and Information", ICML
2018. Access: score-based black box.

Natural evolution strategies turn answers into a gradient (their algorithm 1): with n/2
directions u_i ~ N(0, I), each asked about in both directions (antithetic sampling),

    g = 1/(sigma n) sum_i u_i ( F(x + sigma u_i) - F(x - sigma u_i) ),

the gradient of E[F(x + sigma u)], which is F smoothed by the noise. It takes the place of the true gradient
in projected gradient descent:

    x^{t+1} = Pi( x^t + alpha sgn(g) )         in l2: alpha g / |g|

With momentum m the step follows v <- m v + (1 - m) g instead of g, as in the authors' code: the average of
several estimates is less noisy. The step alpha is annealed as there: when F, the mean over the questions of an
estimate, is lower than it was `plateau_length` - 1 estimates before, alpha is divided by `plateau_drop`, down to a
least step, and as many estimates must pass until it may happen again.

Queries: n for each estimate, and one before each step and after the last that asks whether the image is
broken (no answer about a noisy image says so).

Deviations: every image has its own loss, noise, step and end; the authors' code anneals when the loss rises, also in
untargeted attacks, where that is its success; F is the log odds of the class (see
`Objective.loss`), of which only the direction is used; the victim is asked about images only, so the noisy
ones are clipped to [0,1]. A pixel at the border of the range then answers for one side. By Stein's identity
this shrinks its estimate by the probability that x + sigma u lies within the range, and we divide by it.
"""

from contextlib import suppress
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.evasion import noise
from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.black_box.queries import Questions
from nasaudit.attacks.evasion.engine import ascent_direction
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import QueryBudgetError
from nasaudit.spec.attacks import NesSpec
from nasaudit.victim.oracle import Oracle


@final
class Nes(EvasionAttack[Oracle]):
    """PGD with estimated gradients, from the image itself."""

    spec: NesSpec

    def _perturb(self, victim: Oracle, attempt: Attempt, epsilon: float) -> Perturbed:
        """When the oracle's budget is used up the attack ends, and returns what it has."""
        spec, objective = self.spec, attempt.objective
        questions = Questions(victim, len(attempt.images), self.batch_size, attempt.progress)
        outcome = Perturbed.begin(attempt.images, questions.queries)
        ball = Ball.around(attempt.images, spec.norm, epsilon)
        steps = spec.steps if ball.epsilon > 0 else 0
        # Where the steps are too few for the authors' to cross the ball, Madry et al.'s.
        usual = ball.epsilon * max(1 / 5, 2.5 / spec.steps)
        first = usual if spec.step_size is None else spec.step_size
        annealing = Annealing(len(outcome.images), first, spec, outcome.images.device)
        velocity = torch.zeros_like(outcome.images) if spec.momentum > 0 else None
        live = torch.arange(len(outcome.images), device=outcome.images.device)
        with suppress(QueryBudgetError):
            for step in range(steps + 1):
                questions.done = step / (steps + 1)
                for rows in torch.split(live, questions.batch_size):
                    broken = objective.take(rows).reached(questions.logits(rows, outcome.images[rows]))
                    outcome.steps[rows[broken]] = step
                live = live[outcome.steps[live] < 0]
                if step == steps or len(live) == 0:
                    break
                # As many images at a time as fill a batch with their samples.
                for rows in torch.split(live, max(1, questions.batch_size // spec.samples)):
                    points = outcome.images[rows]
                    u = gaussians(
                        attempt.indices[rows], spec.samples // 2, points.shape[1:], attempt.seed, step
                    )
                    gradient, level = estimate_gradient(questions, rows, points, objective, u, spec.sigma)
                    alpha = annealing.step(rows, level)[:, None, None, None]
                    if velocity is not None:
                        velocity[rows] = spec.momentum * velocity[rows] + (1 - spec.momentum) * gradient
                        gradient = velocity[rows]
                    ahead = points + alpha * ascent_direction(gradient, spec.norm)
                    outcome.images[rows] = ball.take(rows).project(ahead)
        return outcome


class Annealing:
    """The step size of each of N images, which falls where its F has stopped rising."""

    def __init__(self, images: int, first: float, spec: NesSpec, device: torch.device):
        self.drop, self.least = spec.plateau_drop, first * spec.least_step
        self.length = spec.plateau_length
        self.alpha = torch.full((images,), first, device=device)
        self.levels = torch.zeros(
            images, self.length or 0, device=device
        )  # the last F, the latest at the end
        self.counted = torch.zeros(
            images, dtype=torch.int64, device=device
        )  # estimates since it was annealed

    def step(self, rows: Tensor, level: Tensor) -> Tensor:
        """The step sizes [M] after estimates whose mean F was `level` [M]."""
        if self.length is not None:
            self.levels[rows] = torch.cat([self.levels[rows, 1:], level[:, None]], dim=1)
            self.counted[rows] += 1
            fallen = rows[(self.counted[rows] >= self.length) & (level < self.levels[rows, 0])]
            self.alpha[fallen] = (self.alpha[fallen] / self.drop).clamp_min(self.least)
            self.counted[fallen] = 0
        return self.alpha[rows]


def gaussians(indices: Tensor, pairs: int, shape: torch.Size, seed: int, step: int) -> Tensor:
    """u_i: float32 [M, pairs, C, H, W], standard normal, each image's own."""
    return noise.normal(indices, pairs * shape.numel(), "nes", seed, step).reshape(-1, pairs, *shape)


def estimate_gradient(
    questions: Questions, rows: Tensor, points: Tensor, objective: Objective, u: Tensor, sigma: float
) -> tuple[Tensor, Tensor]:
    """The estimate g of each image, float32 [M, C, H, W], and its mean F, [M], from 2 `pairs` questions about each.

    Args:
        questions: the way to the oracle.
        rows: int64 [M], the positions of the images.
        points: float32 [M, C, H, W], where they are now.
        objective: of all images; its loss is F.
        u: float32 [M, pairs, C, H, W].
        sigma: standard deviation of the noise, in pixel units.
    """
    images, pairs = u.shape[:2]
    centres = points[:, None]
    queries = torch.cat([centres + sigma * u, centres - sigma * u], dim=1).clamp_(0, 1)
    owners = rows.repeat_interleave(2 * pairs)
    loss = objective.take(owners).loss(questions.logits(owners, queries.flatten(0, 1)))
    plus, minus = loss.reshape(images, 2, pairs).unbind(1)
    gradient = torch.einsum("mp,mpchw->mchw", plus - minus, u) / (2 * pairs * sigma)
    inside = torch.special.ndtr((1 - points) / sigma) - torch.special.ndtr(-points / sigma)
    return gradient / inside, loss.reshape(images, -1).mean(1)
