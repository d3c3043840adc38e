"""Projected gradient descent.

Madry, Makelov, Schmidt, Tsipras and Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks",
ICLR 2018. Access: white box.

From a random point of the ball S around the image x, step along the gradient of the loss L and project back:
    x^{t+1} = Pi_{x+S}( x^t + alpha sgn(grad_x L(theta, x^t, y)) )                                 (section 2.1)
In l2 the gradient is divided by its length instead of taking its sign.

Deviations: an image stops at the first step that breaks it; L is the log odds of the class, whose gradient
has the direction of the cross-entropy's (see `Objective.loss`); the step defaults to 2.5 epsilon / steps
(their section 5).
"""

from typing import final

from nasaudit.attacks.evasion.ball import Ball, random_point
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.engine import ascend, ascent_direction
from nasaudit.progress import part
from nasaudit.spec.attacks import PgdSpec
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.skips import skip_gradients


@final
class Pgd(EvasionAttack[Classifier]):
    """PGD with restarts; each restart gets the images that all earlier ones left standing."""

    spec: PgdSpec

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        spec = self.spec
        alpha = 2.5 * epsilon / spec.steps if spec.step_size is None else spec.step_size
        outcome = Perturbed.begin(attempt.images)
        for restart in range(spec.restarts):
            rows = (~outcome.broken).nonzero().squeeze(1)
            ball = Ball.around(attempt.images[rows], spec.norm, epsilon)
            start = ball.images
            # Without a random start every restart would repeat the first.
            if spec.random_start or restart > 0:
                start = random_point(ball, attempt.indices[rows], "pgd", attempt.seed, restart)
            walk = Perturbed.begin(start)
            with skip_gradients(victim.network, spec.skip_gamma):
                for climb in ascend(
                    victim,
                    walk,
                    attempt.objective.take(rows),
                    spec.steps if epsilon > 0 else 0,
                    batch_size=self.batch_size,
                    progress=part(attempt.progress, restart / spec.restarts, (restart + 1) / spec.restarts),
                ):
                    ahead = climb.points + alpha * ascent_direction(climb.gradient, spec.norm)
                    walk.images[climb.rows] = ball.take(climb.rows).project(ahead)
            outcome.add(rows, walk, restart * spec.steps, first=restart == 0)
        return outcome
