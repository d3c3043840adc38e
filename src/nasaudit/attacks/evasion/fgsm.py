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

from functools import partial
from typing import final

from nasaudit.attacks.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.engine import ascend
from nasaudit.attacks.evasion.pgd import step_along
from nasaudit.spec.attacks import FgsmSpec
from nasaudit.victim.classifier import Classifier


@final
class Fgsm(EvasionAttack[Classifier]):
    """One step from the image to the surface of the ball.

    Args:
        spec: norm and goal.
        batch_size: images of one forward pass; changes the speed and nothing else.
    """

    def __init__(self, spec: FgsmSpec, batch_size: int | None = None):
        self.spec: FgsmSpec = spec
        self.batch_size = batch_size

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        """Nothing is random here."""
        ball = Ball.around(attempt.images, self.spec.norm, epsilon)
        return ascend(
            victim,
            attempt.images,
            attempt.objective,
            partial(step_along, ball, epsilon),
            steps=1 if epsilon > 0 else 0,
            batch_size=self.batch_size,
            progress=attempt.progress,
        )
