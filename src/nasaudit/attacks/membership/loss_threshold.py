"""The loss threshold attack: what has a small loss is called a member.

Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
CSF 2018, section 3.3 (adversary 2).

Access: the model's scores, one query an image.

Idea: training drives the loss of members down, and no other image's. The score is the negative loss,

    s(x, y) = -l(x, y) = log p_y(x)

and an image is called a member when it exceeds a threshold. An image that is easy for every model has a small
loss too: the attack does not know that, which is what shadow models are for.

Deviations: the authors take the mean training loss as the threshold; here it is swept, and what each
threshold gives is the ROC curve. The loss is computed from logits in float64, so that images of which the model is
certain keep their order.
"""

from typing import final

from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores
from nasaudit.attacks.membership.signals import ask, log_odds, log_probability
from nasaudit.data.split import Split
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks.membership import LossThresholdSpec
from nasaudit.victim.oracle import Oracle


@final
class LossThreshold(MembershipAttack):
    """The loss threshold attack."""

    spec: LossThresholdSpec

    def score(  # noqa: D102
        self, victim: Oracle, images: Split, knowledge: Knowledge, *, seed: int, progress: Progress = silent
    ) -> Scores:
        return Scores(log_probability(log_odds(ask(victim, images, progress), images.labels)))
