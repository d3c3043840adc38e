"""Which way each metric is worse for the defender: the one place that says so. No torch.

A metric that is not here is no verdict on a model (a floor, a depth, a curvature), or one that a plugin measures:
whoever compares it says the direction.
"""

from collections.abc import Mapping
from typing import Literal

Worse = Literal["higher", "lower"]

WORSE: Mapping[str, Worse] = {
    # What an attacker gets.
    "asr": "higher",
    "asr_paper": "higher",
    "asr_by_steps": "higher",
    "asr_by_queries": "higher",
    "curve_area": "higher",
    "confidence_gain": "higher",
    "transfer_asr": "higher",
    "agreement": "higher",
    "surrogate_accuracy": "higher",
    "auc": "higher",
    "tpr_at_fpr": "higher",
    # What the defender loses.
    "cad": "higher",
    "cad_area": "higher",
    # What the defender keeps.
    "clean_accuracy": "lower",
    "train_accuracy": "lower",
    "validation_accuracy": "lower",
    "robust_accuracy": "lower",
    # What an attack costs: the change of an image, or the effort. `queries` is not here: what an attack of another
    # family asks is its setting, not its success.
    "median_minimal_epsilon": "lower",
    "mean_steps": "lower",
    "mean_queries": "lower",
    "median_queries": "lower",
    # How far a stolen model is from its victim.
    "cross_entropy": "lower",
    "kl": "lower",
    "mean_absolute_error": "lower",
}


def worse_direction(metric: str, stated: Worse | None = None) -> Worse | None:
    """Which way a metric is worse; what a user states goes first. None: nobody knows.

    >>> worse_direction("asr"), worse_direction("robust_accuracy"), worse_direction("depth", "higher")
    ('higher', 'lower', 'higher')
    """
    return stated or WORSE.get(metric)
