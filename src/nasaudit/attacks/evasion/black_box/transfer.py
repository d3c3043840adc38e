"""Transfer: examples made on another model, by momentum iterative FGSM.

Dong, Liao, Pang, Su, Zhu, Hu and Li, "Boosting Adversarial Attacks with Momentum", CVPR 2018, Algorithm 1. Access: a
model of the attacker's own (white box), and the victim's label for the finished example.

Adversarial examples often fool more than the model that they were made on. A velocity over the steps keeps the walk
from following what only this one model does:
    g_{t+1} = mu g_t + grad J(x*_t) / |grad J(x*_t)|_1,  x*_{t+1} = x*_t + alpha sign(g_{t+1}),  alpha = epsilon / T
on all T steps, also after the attacker's own model is fooled: an example further in transfers better.

With `skip_gamma` below 1 the gradient is that of the Skip Gradient Method (`victim.skips`), whose authors
combine it with this attack.

Deviations: J is the log odds of the class, whose gradient has the direction of the cross-entropy's (see
`Objective.loss`), and |.|_1 takes away its length.
"""

from typing import final

import torch

from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.engine import batch_size_for, look
from nasaudit.errors import QueryBudgetError
from nasaudit.progress import part
from nasaudit.spec.attacks import TransferSpec
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle
from nasaudit.victim.skips import skip_gradients


@final
class Transfer(EvasionAttack[Oracle]):
    """MI-FGSM on a surrogate; the victim is asked once for each image, and gives a label. Nothing is random.

    Args:
        spec: steps, decay of the momentum.
        surrogate: the attacker's own model, of the victim's classes.
        batch_size: see `EvasionAttack`.
    """

    spec: TransferSpec

    def __init__(self, spec: TransferSpec, surrogate: Classifier, batch_size: int | None = None):
        super().__init__(spec, batch_size)
        self.surrogate = surrogate

    def _perturb(self, victim: Oracle, attempt: Attempt, epsilon: float) -> Perturbed:
        images, steps = attempt.images, self.spec.steps if epsilon > 0 else 0
        whole = Ball.around(images, self.spec.norm, epsilon)
        queries = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        outcome = Perturbed.begin(images, queries)
        batches = torch.split(
            torch.arange(len(images), device=images.device), self.batch_size or batch_size_for(victim.device)
        )
        for number, rows in enumerate(batches):
            progress = part(attempt.progress, number / len(batches), (number + 1) / len(batches))
            ball, objective = whole.take(rows), attempt.objective.take(rows)
            point, velocity = ball.images.clone(), torch.zeros_like(ball.images)
            with skip_gradients(self.surrogate.network, self.spec.skip_gamma):
                for step in range(steps):
                    progress(step / steps)
                    gradient = look(self.surrogate, point, objective, all_gradients=True).gradient
                    length = gradient.flatten(1).double().abs().sum(1).clamp_min(1e-300)
                    velocity = self.spec.decay * velocity + (gradient / length[:, None, None, None]).float()
                    point = ball.project(point + ball.epsilon / steps * velocity.sign())
            outcome.images[rows] = point
            try:
                broken = objective.reached_by(victim(point))
            except QueryBudgetError:
                break
            queries[rows] = 1
            outcome.steps[rows[broken]] = steps
        return outcome
