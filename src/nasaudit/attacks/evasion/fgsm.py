"""The fast gradient sign method.

Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015. Access: white box.

If the loss J is about linear near the image x, the best change within linf distance epsilon is one full step:
    eta = epsilon sign(grad_x J(theta, x, y)),  x~ = x + eta                                    (their section 3)
It shows how far the cheapest attack gets; a low success rate proves nothing.

Deviations: the step is clipped to [0,1]; in l2 the gradient is divided by its length instead of taking its sign; J is
the log odds of the class, whose gradient has the direction of the cross-entropy's (see `Objective.loss`); a targeted
goal ascends the log odds of its target (Kurakin, Goodfellow and Bengio, "Adversarial Machine Learning at Scale",
ICLR 2017).
"""

from typing import final

from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.engine import ascend, ascent_direction
from nasaudit.spec.attacks import FgsmSpec
from nasaudit.victim.classifier import Classifier


@final
class Fgsm(EvasionAttack[Classifier]):
    """One step from the image to the surface of the ball; nothing is random."""

    spec: FgsmSpec

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        ball = Ball.around(attempt.images, self.spec.norm, epsilon)
        walk = Perturbed.begin(attempt.images)
        for climb in ascend(
            victim,
            walk,
            attempt.objective,
            steps=1 if epsilon > 0 else 0,
            batch_size=self.batch_size,
            progress=attempt.progress,
        ):
            step = epsilon * ascent_direction(climb.gradient, ball.norm)
            walk.images[climb.rows] = ball.take(climb.rows).project(climb.points + step)
        return walk
