"""How a surrogate is trained: a small transfer set gets more epochs, so that it is not judged untrained."""

import math

from nasaudit.spec.attacks import ExtractionSpec
from nasaudit.spec.attacks.extraction import STEPS_FOR_AN_EPOCH
from nasaudit.spec.training import TrainingSpec

# The talk's artifact.
PUBLISHED: dict[str, object] = {
    "optimizer": "sgd",
    "learning_rate": 0.025,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "batch_size": 96,
    "schedule": "cosine",
}


def surrogate_training(spec: ExtractionSpec, victim: TrainingSpec, images: int) -> TrainingSpec:
    """The surrogate's recipe for one budget.

    A transfer set of 94 images fills one batch of 64 an epoch: 20 epochs of it are 20 steps, after which agreement
    says how slowly the surrogate learns and not what the answers are worth. Hence at least `min_steps` steps for
    every budget. The last epoch is kept, as a thief has no images to choose an epoch by. The victim's defences are not
    the thief's.

    Args:
        spec: recipe, epochs, min_steps and batch_size.
        victim: the victim's recipe, from which come augmentation and precision, and all else with `recipe=victim`.
        images: of the transfer set.
    """
    changes = dict(PUBLISHED) if spec.recipe == "published" else {}
    if spec.batch_size is not None:
        changes["batch_size"] = spec.batch_size
    training = victim.undefended().model_copy(update={**changes, "keep": "last", "label_smoothing": 0.0})
    least = STEPS_FOR_AN_EPOCH * victim.epochs if spec.min_steps is None else spec.min_steps
    batches = max(1, images // training.batch_size)
    return training.model_copy(update={"epochs": max(spec.epochs, math.ceil(least / batches))})
