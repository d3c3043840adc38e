"""Every metric, declared once: its name in words, which way it is worse, how it pools and how it is shown. No torch.

A plugin declares a `Metric` of its own under the entry point group `nasaudit.metrics`. One that nobody declared is no
verdict on a model, as is one without a direction (a floor, a depth, a curvature): whoever compares it says the
direction. It is pooled as a mean and shown by its unit.
"""

from dataclasses import dataclass
from typing import Literal

from nasaudit.registry import Registry

Worse = Literal["higher", "lower"]
# How one estimate is made of several seeds': `proportion`: successes among n images, so that the shares alone tell;
# `value`: the mean of what each seed measured with an interval of its own; `images`: from what became of each image.
Pooling = Literal["proportion", "value", "images"]
# `points` are differences of shares; a `decimal` is read as a plain number, whatever it is a share of.
Shown = Literal["percent", "points", "decimal", "epsilon", "count", "significant"]

FRACTION = "fraction"
VARIES = ""  # the unit of a metric whose setting decides it


@dataclass(frozen=True)
class Metric:
    """What is known of a metric before anything is measured.

    Attributes:
        name: as rows have it.
        title: in words, as in a sentence.
        unit: of its estimates; VARIES: not always the same.
        worse: which way it is worse for the defender; None: no verdict on a model.
        pooling: over training seeds.
        shown: as what a person reads it.
        limits: what it cannot go beyond.
    """

    name: str
    title: str
    unit: str
    worse: Worse | None = None
    pooling: Pooling = "value"
    shown: Shown = "significant"
    limits: tuple[float, float] | None = None


METRICS: Registry[Metric] = Registry("metric", "nasaudit.metrics", Metric)


def metric_of(name: str, unit: str = VARIES) -> Metric:
    """The metric of this name; one that nobody declared is what its unit says.

    >>> metric_of("cad").title, metric_of("smell", "fraction").shown, metric_of("smell", "sniffs").shown
    ('accuracy lost', 'percent', 'significant')
    """
    if name in METRICS:
        return METRICS[name]
    return Metric(name, name.replace("_", " "), unit, shown="percent" if unit == FRACTION else "significant")


def worse_direction(metric: str, stated: Worse | None = None) -> Worse | None:
    """Which way a metric is worse; what a user states goes first. None: nobody knows.

    >>> worse_direction("asr"), worse_direction("robust_accuracy"), worse_direction("depth", "higher")
    ('higher', 'lower', 'higher')
    """
    return stated or metric_of(metric).worse


def _share(name: str, title: str, worse: Worse | None = None, pooling: Pooling = "proportion") -> Metric:
    return Metric(name, title, FRACTION, worse, pooling, "percent", (0.0, 1.0))


def _points(name: str, title: str) -> Metric:
    """A difference of two shares, of which the defender wants little."""
    return Metric(name, title, FRACTION, "higher", shown="points", limits=(-1.0, 1.0))


# fmt: off
for _metric in (
    # What the defender keeps.
    _share("clean_accuracy", "clean accuracy", "lower"),
    _share("train_accuracy", "training accuracy", "lower"),
    _share("validation_accuracy", "validation accuracy", "lower"),
    _share("robust_accuracy", "robust accuracy", "lower", "images"),
    # What an attacker gets.
    _share("asr", "success rate", "higher"),
    _share("asr_paper", "success rate as published", "higher"),
    _share("asr_by_steps", "success rate within so many steps", "higher"),
    _share("asr_by_queries", "success rate within so many queries", "higher"),
    _share("plain_asr", "success rate by plain gradients", "higher"),
    _share("transfer_asr", "its examples fool the victim", "higher"),
    _share("agreement", "agreement", "higher"),
    _share("surrogate_accuracy", "surrogate's accuracy", "higher"),
    _share("tpr_at_fpr", "members found", "higher", "value"),
    Metric("auc", "AUC", "auc", "higher", shown="decimal", limits=(0.0, 1.0)),
    Metric("curve_area", "area under the security curve", FRACTION, "higher", "images", "decimal", (0.0, 1.0)),
    # What the defender loses.
    _points("cad", "accuracy lost"),
    _points("cad_area", "accuracy lost on average"),
    _points("confidence_gain", "gain in confidence"),
    _points("skip_gain", "gained by favouring skips"),
    # What an attack costs: the change of an image, or the effort.
    Metric("median_minimal_epsilon", "epsilon at which half of the images fall", "pixel fraction", "lower", "images",
           "epsilon"),
    Metric("mean_steps", "mean steps", "steps", "lower", "images"),
    Metric("mean_queries", "queries (mean)", "queries", "lower"),
    Metric("median_queries", "queries (median)", "queries", "lower"),
    # How far a stolen model is from its victim.
    Metric("cross_entropy", "cross entropy", "nats", "lower"),
    Metric("kl", "KL divergence", "nats", "lower"),
    Metric("mean_absolute_error", "mean error of a probability", "probability", "lower"),
    # Of an attack, and no verdict on the model: what happens without it, and what it was given.
    _share("floor", "without the attack"),
    _share("zero_gradient_share", "zero gradients"),
    _share("output_disagreement", "outputs that change from one look to the next"),
    Metric("matching_loss", "mismatch of the poison's gradient", "1 - cosine"),
    Metric("poisoned_images", "poisoned images", "images", shown="count"),
    Metric("queries", "queries", VARIES),
    Metric("batch_parts", "parts of a batch, for want of memory", "parts", shown="count"),
    Metric("shadow_models", "shadow models", "models", shown="count"),
    # The shape of a network.
    Metric("parameters", "parameters", "parameters", shown="count"),
    Metric("flops", "FLOPs of an image", "flops"),
    _share("parameter_share", "share of the parameters", pooling="value"),
    _share("flop_share", "share of the FLOPs", pooling="value"),
    Metric("weight_free_paths", "weight-independent paths", "paths", "higher", shown="count"),
    Metric("weight_free_join", "weight-independent path at a place", "paths", "higher", shown="count"),
    Metric("receptive_field", "effective receptive field", "pixels"),
    Metric("depth", "depth", "edges"),
    Metric("width", "width", "nodes"),
    Metric("skips", "skips", "edges"),
    _share("skip_share", "skip share", pooling="value"),
    Metric("ops", "edges with the op", "edges", shown="count"),
    # How a network trains.
    Metric("loss_area", "mean training loss", "nats"),
    Metric("steps_to_accuracy", "steps to a training accuracy", "steps"),
    _share("early_accuracy", "training accuracy after a part of the training", pooling="value"),
    # Its gradients and its loss.
    Metric("gradient_variance", "gradient variance over mini-batches", "squared gradient"),
    Metric("relative_gradient_variance", "gradient variance relative to the squared mean gradient", "ratio"),
    Metric("gradient_variance_per_parameter", "gradient variance per parameter", "squared gradient per parameter"),
    Metric("layer_gradient_variance", "gradient variance of a layer", "squared gradient"),
    Metric("gradient_std_sum", "sum of the gradients' standard deviations", "gradient"),
    Metric("gradient_lipschitz", "Lipschitz constant of the loss gradient", VARIES),
    Metric("hessian_top", "top eigenvalue of the Hessian", VARIES),
    Metric("hessian_trace", "trace of the Hessian", VARIES),
    Metric("loss_rise", "rise of the loss", "nats"),
    Metric("barrier", "barrier between two trainings", "nats"),
):
    METRICS.add(_metric.name, _metric)
# fmt: on
