"""Transfer: examples made on another model, by momentum iterative FGSM.

Dong, Liao, Pang, Su, Zhu, Hu and Li, "Boosting Adversarial Attacks with Momentum", CVPR 2018, Algorithm 1. Access: a
model of the attacker's own (white box), and the victim's label for the finished example.

Adversarial examples often fool more than the model that they were made on. A velocity over the steps keeps the walk
from following what only this one model does:
    g_{t+1} = mu g_t + grad J(x*_t) / |grad J(x*_t)|_1,  x*_{t+1} = x*_t + alpha sign(g_{t+1}),  alpha = epsilon / T
on all T steps, also after the attacker's own model is fooled: an example further in transfers better.

Deviations: J is the log odds of the class, whose gradient has the direction of the cross-entropy's (see
`Objective.loss`), and |.|_1 takes away its length.
"""

from functools import partial
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.engine import batch_size_for, look, share_of
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import QueryBudgetError
from nasaudit.progress import Progress
from nasaudit.spec.attacks import TransferSpec
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


@final
class Transfer(EvasionAttack[Oracle]):
    """MI-FGSM on a surrogate; the victim is asked once for each image, and gives a label.

    Args:
        spec: steps, decay of the momentum.
        surrogate: the attacker's own model, of the victim's classes.
        batch_size: images of one forward pass; changes the speed and nothing else.
    """

    def __init__(self, spec: TransferSpec, surrogate: Classifier, batch_size: int | None = None):
        self.spec: TransferSpec = spec
        self.surrogate = surrogate
        self.batch_size = batch_size

    def _perturb(self, victim: Oracle, attempt: Attempt, epsilon: float) -> Perturbed:
        """Nothing is random here."""
        ball = Ball.around(attempt.images, self.spec.norm, epsilon)
        steps = self.spec.steps if epsilon > 0 else 0
        points = attempt.images.clone()
        used = torch.full((len(attempt.images),), -1, device=attempt.images.device)
        queries = torch.zeros(len(attempt.images), dtype=torch.int64, device=attempt.images.device)
        first_gradient = torch.full((len(attempt.images),), torch.nan, device=attempt.images.device)
        batches = torch.split(
            torch.arange(len(attempt.images), device=attempt.images.device),
            self.batch_size or batch_size_for(victim.device),
        )
        for part, rows in enumerate(batches):
            report = partial(share_of, attempt.progress, part, len(batches))
            aims = attempt.objective.take(rows)
            points[rows] = self._craft(ball.take(rows), aims, steps, report)
            try:
                broken = aims.reached_by(victim(points[rows]))
            except QueryBudgetError:
                break
            queries[rows] = 1
            used[rows[broken]] = steps
        return Perturbed(points, used, first_gradient, queries)

    def _craft(self, ball: Ball, objective: Objective, steps: int, progress: Progress) -> Tensor:
        """x*_T of one batch."""
        point, velocity = ball.images.clone(), torch.zeros_like(ball.images)
        for step in range(steps):
            progress(step / steps)
            gradient = look(self.surrogate, point, objective, all_gradients=True).gradient
            length = gradient.flatten(1).double().abs().sum(1).clamp_min(1e-300)
            velocity = self.spec.decay * velocity + (gradient / length[:, None, None, None]).float()
            point = ball.project(point + ball.epsilon / steps * velocity.sign())
        return point
