"""Auto-PGD: projected gradient descent that chooses its own step size.

Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks",
ICML 2020, Algorithm 1. Access: white box.

PGD with a fixed step either jumps about or stands still. Auto-PGD begins with a step of 2 epsilon and halves it when
the loss f has stopped rising, going back to the best point found:
    z^{k+1} = P(x^k + eta^k g),  x^{k+1} = P(x^k + a (z^{k+1} - x^k) + (1 - a)(x^k - x^{k-1})),  a = .75
with g the sign of the gradient (linf) or its direction (l2). At each checkpoint w_j = ceil(p_j N), where p_0 = 0,
p_1 = .22 and p_{j+1} = p_j + max(p_j - p_{j-1} - .03, .06), the step is halved if
    1. f rose in fewer than rho = .75 of the steps since w_{j-1}, or
    2. neither eta nor the best f has changed since w_{j-1}.

With `target_classes` it is the targeted Auto-PGD of AutoAttack: one run towards each of the likeliest wrong classes
of the clean image, each on what the earlier ones left; any wrong class counts.

Deviations: an image stops at the first step that breaks it; the point that Algorithm 1 computes at a checkpoint and
then replaces by the best one is not computed. With the loss `ce`, f is the log odds of the class, which
rise and fall with the cross-entropy and have the direction of its gradient (see `Objective.loss`).
"""

from itertools import product
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.evasion.ball import Ball, random_point
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.engine import Climb, ascend, ascent_direction
from nasaudit.attacks.evasion.objective import LOSSES, towards_wrong_classes
from nasaudit.progress import part
from nasaudit.spec.attacks import ApgdSpec
from nasaudit.victim.batches import in_batches
from nasaudit.victim.classifier import Classifier

MOMENTUM = 0.75  # the paper's alpha
RHO = 0.75


@final
class Apgd(EvasionAttack[Classifier]):
    """Auto-PGD with targets and restarts; each run gets the images that all earlier ones left standing."""

    spec: ApgdSpec

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        spec, outcome, aims = self.spec, Perturbed.begin(attempt.images), [attempt.objective]
        if spec.target_classes is not None:
            logits = in_batches(victim, attempt.images, attempt.images.device)
            aims = towards_wrong_classes(attempt.objective, logits, spec.target_classes)
        runs = list(product(aims, range(spec.restarts)))
        for number, (objective, _) in enumerate(runs):
            rows = (~outcome.broken).nonzero().squeeze(1)
            ball = Ball.around(attempt.images[rows], spec.norm, epsilon)
            start = random_point(ball, attempt.indices[rows], "apgd", spec.loss, attempt.seed, number)
            walk, state = Perturbed.begin(start), _State(ball, spec.steps)
            for climb in ascend(
                victim,
                walk,
                objective.take(rows),
                spec.steps if epsilon > 0 else 0,
                loss=LOSSES[spec.loss],
                batch_size=self.batch_size,
                progress=part(attempt.progress, number / len(runs), (number + 1) / len(runs)),
            ):
                walk.images[climb.rows] = state.advance(climb)
            outcome.add(rows, walk, number * spec.steps, first=number == 0)
        return outcome


class _State:
    """That of Algorithm 1 for N images, and its step."""

    def __init__(self, ball: Ball, steps: int):
        n, device = len(ball.images), ball.images.device
        self.ball = ball
        self.checkpoints = checkpoints(steps)
        self.eta = torch.full((n,), 2 * ball.epsilon, device=device)
        self.previous = ball.images.clone()  # x^{k-1}
        self.best, self.best_gradient = ball.images.clone(), torch.zeros_like(ball.images)  # x_max
        self.best_value = torch.full((n,), -torch.inf, device=device)  # f_max
        self.last_value = torch.full((n,), torch.inf, device=device)  # f(x^{k-1})
        self.rises = torch.zeros(n, dtype=torch.int64, device=device)
        # What condition 2 compares: eta and f_max at the checkpoint before.
        self.eta_before = self.eta.clone()
        self.best_before = self.best_value.clone()

    def advance(self, climb: Climb) -> Tensor:
        """x^k -> x^{k+1}."""
        rows, value = climb.rows, climb.value
        self.rises[rows] += value > self.last_value[rows]
        better = value > self.best_value[rows]
        self.best_value[rows[better]] = value[better]
        self.best[rows[better]] = climb.points[better]
        self.best_gradient[rows[better]] = climb.gradient[better]
        if climb.step <= 1:  # Algorithm 1 begins with the better of the first two points
            self.best_before[rows] = self.best_value[rows]
        points, gradient = climb.points, climb.gradient
        if climb.step in self.checkpoints:
            # Halve the step where a condition holds, and go on from the best point there.
            since = self.checkpoints[climb.step]
            stuck = (self.eta[rows] == self.eta_before[rows]) & (
                self.best_value[rows] == self.best_before[rows]
            )
            halve = (self.rises[rows] < RHO * since) | stuck
            self.eta_before[rows], self.best_before[rows] = self.eta[rows], self.best_value[rows]
            self.eta[rows[halve]] /= 2
            self.rises[rows] = 0
            back = halve[:, None, None, None]
            points = torch.where(back, self.best[rows], points)
            gradient = torch.where(back, self.best_gradient[rows], gradient)
            value = torch.where(halve, self.best_value[rows], value)
        self.last_value[rows] = value
        ball, eta = self.ball.take(rows), self.eta[rows][:, None, None, None]
        following = ball.project(points + eta * ascent_direction(gradient, ball.norm))
        if climb.step > 0:
            moved = MOMENTUM * (following - points) + (1 - MOMENTUM) * (points - self.previous[rows])
            following = ball.project(points + moved)
        self.previous[rows] = points
        return following


def checkpoints(steps: int) -> dict[int, int]:
    """The checkpoints w_1, w_2, ... below `steps`, each with the steps since the one before.

    >>> list(checkpoints(100))
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    # In hundredths: sums of .06 and .03 in binary would round up to the next step.
    share, length, intervals, last = 22, 22, {}, 0
    while share < 100:
        at = -(-share * steps // 100)
        if last < at < steps:
            intervals[at] = at - last
            last = at
        length = max(length - 3, 6)
        share += length
    return intervals
