"""RMIA: does this image gain more from the victim than images that are no members?

Zarifzadeh, Liu and Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024 (arXiv 2312.03262).

Access: the model's scores, one query an image and one for each image of the population; shadow models ("reference
models") of the victim's architecture and recipe, of which few suffice; images z that are no members.

Idea: the null hypothesis is not "the model without x" but "the model with some other z in place of x", for many z.
Each pair is one likelihood ratio; with Bayes' rule it becomes a ratio of ratios of confidences, and the victim's
own prior cancels:

    LR(x, z) = (Pr(x | theta) / Pr(x)) / (Pr(z | theta) / Pr(z))

    score(x) = share of z with LR(x, z) > gamma

Pr(x | theta) is the probability that the victim gives to x's true class, and Pr(x) what a model of the shadow
population gives to it: online (Pr_IN + Pr_OUT) / 2, the means over the models with and without x; offline only
Pr_OUT is there, and models without x understate it:

    Pr(x) = ((1 + a) Pr_OUT + (1 - a)) / 2

Every z gets the same treatment as x.

Deviations: Pr is the softmax probability, where the paper's main results take a softmax with a Taylor series and a
margin tuned to the data. gamma and a are fixed (defaults: 1, as in the authors' code, and .3, the paper's for
CIFAR-10), not tuned with a shadow model in the victim's place. The z are the attacker's pool, so a score has as many
levels as the pool has images: images that dominate all of them tie, and share one place at the low end of the ROC.
"""

from typing import final

import numpy as np

from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores
from nasaudit.attacks.membership.signals import ask, log_odds, log_probability, shadow_log_odds
from nasaudit.data.load import chosen
from nasaudit.data.shadows import Mask
from nasaudit.data.split import Split
from nasaudit.measure.estimate import FloatArray
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks.membership import RmiaSpec
from nasaudit.victim.oracle import Oracle


@final
class Rmia(MembershipAttack):
    """The robust membership inference attack."""

    spec: RmiaSpec

    def score(  # noqa: D102
        self, victim: Oracle, images: Split, knowledge: Knowledge, *, seed: int, progress: Progress = silent
    ) -> Scores:
        everything = images.joined(chosen(knowledge.pool, self.spec.population, "population", seed))
        progress(0.0, "victim")
        own = probability(log_odds(ask(victim, everything), everything.labels))
        theirs = probability(shadow_log_odds(knowledge.shadows, [everything], progress)[:, 0])
        inside = knowledge.shadows.trained_on(everything.indices)
        ratio = own / expected(theirs, inside, self.spec.mode == "online", self.spec.a)
        return Scores(dominance(ratio[: len(images)], ratio[len(images) :], self.spec.gamma))


def probability(phi: FloatArray) -> FloatArray:
    """p_y from the log odds; never 0, so that ratios are finite."""
    return np.maximum(np.exp(log_probability(phi)), np.finfo(np.float64).tiny)


def expected(theirs: FloatArray, inside: Mask, online: bool, a: float) -> FloatArray:
    """Pr(x), float64 [N].

    Args:
        theirs: [K, N], the probability that each shadow model gives to the true class.
        inside: bool [K, N], which models were trained on which image.
        online: use the models that were trained on the image too.
        a: of the offline correction, in [0, 1].
    """
    out = (theirs * ~inside).sum(axis=0) / (~inside).sum(axis=0)
    if not online:
        return np.asarray(((1 + a) * out + (1 - a)) / 2)
    return np.asarray(((theirs * inside).sum(axis=0) / inside.sum(axis=0) + out) / 2)


def dominance(ratio_x: FloatArray, ratio_z: FloatArray, gamma: float) -> FloatArray:
    """Share of z with ratio_x / ratio_z > gamma, for each x: float64 [N] in [0, 1]."""
    below = np.searchsorted(np.sort(ratio_z * gamma), ratio_x, side="left")
    return np.asarray(below / len(ratio_z), dtype=np.float64)
