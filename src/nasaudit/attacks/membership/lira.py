"""LiRA, the likelihood ratio attack: is this confidence that of models which have seen the image?

Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First Principles", IEEE S&P 2022.

Access: the model's scores, one query an image (or one for each augmentation); shadow models of the victim's
architecture and recipe, on images of the same kind.

Idea: how confident a model is of an image depends first on how hard that image is. Shadow models, of which some
have seen it and some have not, say what to expect in both cases; a likelihood ratio compares them.

Algorithm 1 (online). The confidence of the true class y is made about normal by the logit scaling (section IV-C)

    phi = log(p_y / (1 - p_y))

Let mu_in, s_in^2 be mean and variance of phi over the shadow models that were trained on the image, mu_out, s_out^2
those over the others. With phi of the victim, the score is the log of

    Lambda = N(phi; mu_in, s_in^2) / N(phi; mu_out, s_out^2)

Offline (section V-C of the paper; no model needs to be trained for the image at hand): the one-sided test

    Lambda = 1 - Pr[Z > phi],  Z ~ N(mu_out, s_out^2)

of which (phi - mu_out) / s_out is returned: the same order, and it does not round to 1.

With several augmented queries the Gaussians have a diagonal covariance; the scores are averaged over the queries.

With few shadow models the variance of single images is too noisy; one variance for all images stands in (section
VI-C: below 64 models).

`centre: median` takes the median for mu, as the authors' code does (tensorflow/privacy,
research/mi_lira_2021/plot.py:82-83); the default is the mean, which the paper writes.

Deviations: that one variance is the spread of the models around each image's own mean, averaged over images; the
authors' code takes the standard deviation of all values together, in which the images' difficulty counts as
noise. Each image is in the share of shadow models that victims have of the images, where the authors have one half,
so that shadow models have as many training images as the victim. The augmented queries are random draws of the
training recipe's crop and flip.
"""

from typing import final

import numpy as np

from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores
from nasaudit.attacks.membership.signals import ask, log_odds, shadow_log_odds, views
from nasaudit.data.shadows import Mask
from nasaudit.data.split import Split
from nasaudit.measure.estimate import FloatArray
from nasaudit.progress import Progress, silent
from nasaudit.spec.attacks.membership import LiraSpec
from nasaudit.victim.oracle import Oracle

FEW_MODELS = 64
SMALLEST_VARIANCE = 1e-12  # of models that all say the same


@final
class Lira(MembershipAttack):
    """The likelihood ratio attack."""

    spec: LiraSpec

    def score(  # noqa: D102
        self, victim: Oracle, images: Split, knowledge: Knowledge, *, seed: int, progress: Progress = silent
    ) -> Scores:
        versions = list(views(images, knowledge.training, self.spec.augmentations, seed))
        progress(0.0, "victim")
        phi = np.stack([log_odds(ask(victim, version), version.labels) for version in versions])
        shadow_phi = shadow_log_odds(knowledge.shadows, versions, progress)
        inside = knowledge.shadows.trained_on(images.indices)
        shared = self.spec.variance == "global" or (
            self.spec.variance == "auto" and len(knowledge.shadows) < FEW_MODELS
        )
        likelihood = online if self.spec.mode == "online" else offline
        return Scores(likelihood(phi, shadow_phi, inside, shared, self.spec.centre == "median"))


def online(
    phi: FloatArray, shadow_phi: FloatArray, inside: Mask, shared: bool, median: bool = False
) -> FloatArray:
    """The log of Lambda of algorithm 1, float64 [N].

    Args:
        phi: [A, N], the victim's, of A versions of N images.
        shadow_phi: [K, A, N], those of K shadow models.
        inside: bool [K, N], which models were trained on which image.
        shared: one variance for all images.
        median: centre the Gaussians at the median.
    """
    ratio = _log_normal(phi, *_gaussian(shadow_phi, inside, shared, median)) - _log_normal(
        phi, *_gaussian(shadow_phi, ~inside, shared, median)
    )
    return np.asarray(ratio.mean(axis=0))


def offline(
    phi: FloatArray, shadow_phi: FloatArray, inside: Mask, shared: bool, median: bool = False
) -> FloatArray:
    """How many standard deviations phi is above that of models without the image, float64 [N]; as `online`."""
    centre, variance = _gaussian(shadow_phi, ~inside, shared, median)
    return np.asarray(((phi - centre) / np.sqrt(variance)).mean(axis=0))


def _gaussian(
    shadow_phi: FloatArray, counted: Mask, shared: bool, median: bool
) -> tuple[FloatArray, FloatArray]:
    """Centre [A, N] and unbiased variance [A, N], or [A, 1] when shared, over the models that count for each image.

    The variance is about the mean also where the centre is the median, as in the authors' code.
    """
    weight = counted[:, None, :]
    n = counted.sum(axis=0)
    mean = (shadow_phi * weight).sum(axis=0) / n
    squares = (np.square(shadow_phi - mean) * weight).sum(axis=0)
    variance = squares.sum(axis=1, keepdims=True) / (n - 1).sum() if shared else squares / (n - 1)
    centre = np.nanmedian(np.where(weight, shadow_phi, np.nan), axis=0) if median else mean
    return centre, np.maximum(variance, SMALLEST_VARIANCE)


def _log_normal(x: FloatArray, mean: FloatArray, variance: FloatArray) -> FloatArray:
    return np.asarray(-0.5 * (np.log(2 * np.pi * variance) + np.square(x - mean) / variance))
