"""An ensemble: each member gets the images that all earlier ones left standing. AutoAttack is one.

Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks",
ICML 2020 (AutoAttack). Access: white box.

An attack that fails for one reason (masked gradients, large logits, a loss that is flat) meets another that does not
depend on it: Auto-PGD away from the class and towards others, a walk along the boundary (FAB), and a random search
that takes no gradient. An image is broken when any member breaks it; an attack that looks for the nearest example
breaks what it finds within epsilon. `autoattack` has the authors' `standard` members; those of `ensemble` and their
order are the user's.

Deviation: Square draws its squares for each image (see `square.py`).
"""

from typing import Any, cast, final

import torch

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.ball import L2_MARGIN, Ball
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, MinimalAttack, Perturbed, open_access
from nasaudit.progress import part
from nasaudit.spec.attacks import AutoAttackSpec, EnsembleSpec, EvasionSpec
from nasaudit.victim.classifier import Classifier


@final
class Ensemble(EvasionAttack[Classifier]):
    """Members in order, each with the access that its threat model gives it."""

    spec: EnsembleSpec | AutoAttackSpec

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        """The steps of earlier members count as well."""
        outcome, spent, members = Perturbed.begin(attempt.images), 0, self.spec.members
        for position, spec in enumerate(members):
            rows = (~outcome.broken).nonzero().squeeze(1)
            left = Attempt(
                attempt.images[rows],
                attempt.objective.take(rows),
                attempt.indices[rows],
                attempt.seed,
                part(attempt.progress, position / len(members), (position + 1) / len(members)),
            )
            result = _attacked(spec, victim, left, epsilon)
            outcome.add(rows, result, spent, first=position == 0)
            spent += spec.most_steps or 0
        return outcome


def _attacked(spec: EvasionSpec, victim: Classifier, left: Attempt, epsilon: float) -> Perturbed:
    """What one member makes of the images that are left."""
    access = cast(Classifier, open_access(spec, victim))  # the kind that this member takes
    asked: dict[str, Any] = {"seed": left.seed, "indices": left.indices, "progress": left.progress}
    member = cast("EvasionAttack[Classifier] | MinimalAttack[Classifier]", load_attack(spec))
    if isinstance(member, EvasionAttack):
        return member.perturb(access, left.images, left.objective, epsilon, **asked)
    nearest, result = (
        member.minimise(access, left.images, left.objective, **asked),
        Perturbed.begin(left.images),
    )
    within = nearest.distance <= Ball.around(left.images, spec.norm, epsilon).epsilon * (1 - L2_MARGIN)
    result.images[within] = nearest.images[within]
    result.steps[:] = torch.where(within, nearest.steps, -1)
    return result
