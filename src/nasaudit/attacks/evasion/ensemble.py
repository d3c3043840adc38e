"""An ensemble: each member gets the images that all earlier ones left standing.

Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks",
ICML 2020 (AutoAttack). Access: white box.

An attack that fails for one reason (masked gradients, large logits, a loss that is flat) meets another that does not
depend on it: Auto-PGD on two losses, and a random search that takes no gradient. An image is broken when any member
breaks it.

Deviations: members and their order are the user's; the authors' set has FAB and the targeted loss in between, and
5,000 queries for the Square attack.
"""

from functools import partial
from typing import cast, final

import torch

from nasaudit.attacks.base import Attempt, EvasionAttack, Perturbed, load_attack
from nasaudit.attacks.evasion.access import open_access
from nasaudit.attacks.evasion.engine import no_result, share_of
from nasaudit.spec.attacks import EnsembleSpec
from nasaudit.victim.classifier import Classifier


@final
class Ensemble(EvasionAttack[Classifier]):
    """Members in order, each with the access that its threat model gives it.

    Args:
        spec: the members.
    """

    def __init__(self, spec: EnsembleSpec):
        self.spec: EnsembleSpec = spec
        self.members = [cast(EvasionAttack[Classifier], load_attack(member)) for member in spec.members]

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        """The steps of earlier members count as well."""
        found = no_result(attempt.images)
        spent = 0
        for position, member in enumerate(self.members):
            rows = (~found.broken).nonzero().squeeze(1)
            result = member.perturb(
                cast(Classifier, open_access(member.spec, victim)),  # the kind that this member takes
                attempt.images[rows],
                attempt.objective.take(rows),
                epsilon,
                seed=attempt.seed,
                indices=attempt.indices[rows],
                progress=partial(share_of, attempt.progress, position, len(self.members)),
            )
            found.images[rows] = result.images
            found.steps[rows] = torch.where(result.broken, result.steps + spent, -1)
            if position == 0:
                found.first_gradient[rows] = result.first_gradient
            spent += member.spec.most_steps or 0
        return found
