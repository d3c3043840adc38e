"""How like the victim a surrogate is: from the logits of both on the same images to figures. No torch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from nasaudit.errors import MeasurementError
from nasaudit.measure.bootstrap import bootstrap, mean
from nasaudit.measure.estimate import FloatArray, Measurement, Setting
from nasaudit.measure.proportion import proportion


def cross_entropy(victim: npt.ArrayLike, surrogate: npt.ArrayLike) -> FloatArray:
    """H(victim, surrogate) = -sum_k p_k log s_k of each image, float64 [N], in nats, from logits [N, classes]."""
    p, s = _logs(victim), _logs(surrogate)
    return np.asarray(-(np.exp(p) * s).sum(axis=1))


def kl_divergence(victim: npt.ArrayLike, surrogate: npt.ArrayLike) -> FloatArray:
    """KL(victim | surrogate) = sum_k p_k (log p_k - log s_k) of each image: the cross entropy minus the entropy.

    The cross entropy of a perfect copy is the victim's own entropy: an unsure victim looks hard to copy. The
    divergence of a perfect copy is 0.
    """
    p, s = _logs(victim), _logs(surrogate)
    return np.asarray((np.exp(p) * (p - s)).sum(axis=1))


def absolute_error(victim: npt.ArrayLike, surrogate: npt.ArrayLike) -> FloatArray:
    """Mean over classes of |p_k - s_k| of each image, float64 [N]."""
    return np.asarray(np.abs(np.exp(_logs(victim)) - np.exp(_logs(surrogate))).mean(axis=1))


def likeness(
    victim: npt.ArrayLike, surrogate: npt.ArrayLike, labels: npt.ArrayLike, setting: Setting
) -> list[Measurement]:
    """Agreement, cross entropy, divergence, absolute error, and the surrogate's own accuracy.

    Args:
        victim: logits [N, classes].
        surrogate: logits [N, classes] on the same images.
        labels: int [N], the true classes.
        setting: of all five.

    Raises:
        MeasurementError: a logit is NaN or infinite.
    """
    for name, logits in (("victim", victim), ("surrogate", surrogate)):
        if not np.isfinite(logits).all():
            raise MeasurementError(
                f"expected finite logits of the {name}, got NaN or infinite ones: check its training"
            )
    says, copies = np.argmax(victim, axis=1), np.argmax(surrogate, axis=1)
    n = len(says)
    means: tuple[tuple[str, Callable[..., FloatArray], str], ...] = (
        ("cross_entropy", cross_entropy, "nats"),
        ("kl", kl_divergence, "nats"),
        ("mean_absolute_error", absolute_error, "probability"),
    )
    return [
        Measurement("agreement", proportion(int((says == copies).sum()), n), setting),
        *(
            Measurement(name, bootstrap([of_images(victim, surrogate)], mean, unit), setting)
            for name, of_images, unit in means
        ),
        Measurement("surrogate_accuracy", proportion(int((copies == labels).sum()), n), setting),
    ]


def _logs(logits: npt.ArrayLike) -> FloatArray:
    return np.asarray(log_softmax(np.asarray(logits, dtype=np.float64), axis=1))
