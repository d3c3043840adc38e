"""What attacks read from a model's answers: the log odds of the true class, in float64."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nasaudit.attacks.evasion import objective
from nasaudit.attacks.membership.base import ShadowModels
from nasaudit.data.augment import augment
from nasaudit.data.split import Split
from nasaudit.errors import NonFiniteError
from nasaudit.measure.estimate import FloatArray
from nasaudit.progress import Progress, part, silent
from nasaudit.spec.training import TrainingSpec
from nasaudit.victim.batches import in_batches
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


def ask(model: Oracle | Classifier, images: Split, progress: Progress = silent) -> Tensor:
    """The model's answers for all images, on the CPU, in batches.

    Args:
        model: a victim, or one's own model.
        images: N of them.
        progress: called after each batch with the share that is done.
    """
    return in_batches(model, images, model.device, progress).cpu()


def log_odds(logits: Tensor, labels: Tensor) -> FloatArray:
    """The log odds phi = log(p_y / (1 - p_y)), float64 [N]: Carlini et al. (IEEE S&P 2022), section IV-C.

    Args:
        logits: [N, classes].
        labels: int64 [N].

    Raises:
        NonFiniteError: a logit is NaN or infinite.
    """
    if not torch.isfinite(logits).all():
        raise NonFiniteError(
            "a logit of the victim or of a shadow model is NaN or infinite; check its training"
        )
    return np.asarray(objective.log_odds(logits.double(), labels).numpy(), dtype=np.float64)


def log_probability(phi: FloatArray) -> FloatArray:
    """The log of p_y from the log odds: -log(1 + exp(-phi)), without rounding to 0 where the model is certain."""
    return np.asarray(-np.logaddexp(0.0, -phi))


def shadow_log_odds(shadows: ShadowModels, images: list[Split], progress: Progress = silent) -> FloatArray:
    """The log odds phi of every shadow model: float64 [K, len(images), N].

    Args:
        shadows: K models.
        images: several versions of the same N images.
        progress: called after each batch with the share done.
    """
    total = len(shadows) * len(images)
    rows = []
    for k, load in enumerate(shadows.load):
        model = load()
        for a, version in enumerate(images):
            turn = k * len(images) + a
            words = f"shadow model {k + 1} of {len(shadows)}"
            asking = part(progress, turn / total, (turn + 1) / total, words)
            rows.append(log_odds(ask(model, version, asking), version.labels))
    return np.stack(rows).reshape(len(shadows), len(images), -1)


def views(images: Split, training: TrainingSpec, count: int, seed: int) -> Iterator[Split]:
    """The images as they are, then `count - 1` random versions: cropped and mirrored as in training.

    All models get the same versions. Cutout is left out: it hides what the model is asked about.
    """
    yield images
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count - 1):
        yield images.with_images(augment(images.images, generator, training.crop, training.flip, 0))
