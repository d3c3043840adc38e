"""An ensemble: each member gets the images that all earlier ones left standing.

Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free Attacks",
ICML 2020 (AutoAttack). Access: white box.

An attack that fails for one reason (masked gradients, large logits, a loss that is flat) meets another that does not
depend on it: Auto-PGD on two losses, and a random search that takes no gradient. An image is broken when any member
breaks it.

Deviations: members and their order are the user's; the authors' set has FAB and the targeted loss in between, and
5,000 queries for the Square attack.
"""

from typing import cast, final

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed, open_access
from nasaudit.progress import part
from nasaudit.spec.attacks import EnsembleSpec
from nasaudit.victim.classifier import Classifier


@final
class Ensemble(EvasionAttack[Classifier]):
    """Members in order, each with the access that its threat model gives it."""

    spec: EnsembleSpec

    def _perturb(self, victim: Classifier, attempt: Attempt, epsilon: float) -> Perturbed:
        """The steps of earlier members count as well."""
        outcome, spent, members = Perturbed.begin(attempt.images), 0, self.spec.members
        for position, spec in enumerate(members):
            rows = (~outcome.broken).nonzero().squeeze(1)
            member = cast(EvasionAttack[Classifier], load_attack(spec))
            result = member.perturb(
                cast(Classifier, open_access(spec, victim)),  # the kind that this member takes
                attempt.images[rows],
                attempt.objective.take(rows),
                epsilon,
                seed=attempt.seed,
                indices=attempt.indices[rows],
                progress=part(attempt.progress, position / len(members), (position + 1) / len(members)),
            )
            outcome.add(rows, result, spent, first=position == 0)
            spent += spec.most_steps or 0
        return outcome
