"""The gap attack: what is classified correctly is called a member.

Yeom, Giacomelli, Fredrikson and Jha, "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting",
CSF 2018, section 3.2; the name is from Choquette-Choo et al., "Label-Only Membership Inference Attacks", ICML 2021.

Access: the predicted label, one query an image.

Idea: a model is right more often on what it has seen. The attack's advantage TPR - FPR is the generalisation gap
itself, training accuracy minus test accuracy, and its AUC is (1 + gap) / 2. It is the baseline that a real attack
must beat: what it finds needs no attack at all.

Deviations: none.
"""

from typing import ClassVar, final

import numpy as np

from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores
from nasaudit.attacks.membership.signals import ask
from nasaudit.data.split import Split
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks.membership import GapSpec
from nasaudit.victim.oracle import Oracle, Output


@final
class Gap(MembershipAttack):
    """The gap attack."""

    spec: GapSpec
    output: ClassVar[Output] = "label"

    def score(  # noqa: D102
        self, victim: Oracle, images: Split, knowledge: Knowledge, *, seed: int, progress: Progress = silent
    ) -> Scores:
        correct = ask(victim, images, progress) == images.labels
        return Scores(np.asarray(correct.numpy(), dtype=np.float64))
