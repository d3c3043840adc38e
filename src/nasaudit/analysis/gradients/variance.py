"""How much the gradient that training follows varies from mini-batch to mini-batch.

McCandlish, Kaplan, Amodei et al., "An Empirical Model of Large-Batch Training", arXiv 1812.06162,
2018: how noisy a step is, is the variance of the mini-batch gradient relative to the squared length of the true one
(their simple noise scale, here for batches of the size that is stated: tr(Sigma) / (B |G|^2)).

K batches of training images are drawn independently of each other, each without replacement, so their gradients
g_1..g_K are independent draws with mean g. All that is needed is their Gram matrix M_ij = <g_i, g_j>: with D the mean
of its diagonal and O that of its other entries,

    gradient_variance                estimates E|g_i - g|^2 without bias:  V = D - O   (sum |g_i - mean|^2 / (K - 1))
    |g|^2                            is estimated without bias by          O           (their equation A.2)
    relative_gradient_variance       V / O
    gradient_variance_per_parameter  V / P
    layer_gradient_variance          V of the coordinates of a layer; these add up to gradient_variance

Where O is not positive, or would not be without one of the batches, the batches do not tell g from zero: then the
relative variance is V / |mean g_i|^2, which is too low on average (|mean g_i|^2 contains V / K, so it is at most K),
and a lower bound. Intervals: `jackknife`, a batch left out, which is a row and a column of M.

The gradients are those that the optimiser is handed: batch norm in training mode. Deviations: the plain cross entropy
of the images as they are, without augmentation, label smoothing, drop-path and auxiliary loss, so that the same
batches are compared for all architectures, whatever recipe they are trained with; the ratio of the unbiased
estimates is itself biased by the order of 1 / K.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from nasaudit.analysis.gradients.per_sample import loss_gradient, trained_parameters
from nasaudit.arch.cells import CellNetwork
from nasaudit.data.split import Split
from nasaudit.data.splits import random_order
from nasaudit.errors import MeasurementError
from nasaudit.measure.estimate import Bound, Estimate, FloatArray, Measurement
from nasaudit.progress import Progress, silent
from nasaudit.stats.jackknife import jackknife

UNIT = "squared gradient"


@dataclass(frozen=True)
class BatchGradients:
    """What is kept of the gradients of K batches.

    Attributes:
        grams: the Gram matrix float64 [K, K] of each layer's part, in the order of the network.
        parameters: P.
    """

    grams: dict[str, FloatArray]
    parameters: int

    @property
    def gram(self) -> FloatArray:
        """That of the whole gradients: the sum over layers, float64 [K, K]."""
        total: FloatArray = np.sum(list(self.grams.values()), axis=0)
        return total


def draw_batches(images: int, batches: int, batch_size: int, seed: int) -> Tensor:
    """Positions int64 [batches, batch_size]: each batch is drawn without replacement, independently of the others.

    Raises:
        MeasurementError: a batch would be all images, and so all batches the same.
    """
    if batch_size >= images:
        raise MeasurementError(
            f"gradients: expected more training images than one batch has, got {images} and batches of "
            f"{batch_size}, between which nothing varies; lower batch_size of the analysis `gradients`"
        )
    drawn = [random_order(images, "gradient batch", seed, batch)[:batch_size] for batch in range(batches)]
    return torch.from_numpy(np.stack(drawn))


def batch_gradients(
    network: nn.Module,
    split: Split,
    batches: Tensor,
    *,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> BatchGradients:
    """The gradient of the mean cross entropy of each batch, in training mode.

    Args:
        network: a copy is worked on: weights, buffers, gradients and mode stay what they are.
        split: the training images.
        batches: int64 [K, B], positions in the split.
        seed: decides what the network draws in training mode (dropout), alike for every batch.
        device: of the network.
        progress: called after each batch.

    Raises:
        MeasurementError: batch norm sees one value per channel.
        NonFiniteError: a gradient is not finite; the first layer is named.
    """
    twin = copy.deepcopy(network).train().requires_grad_(True)
    parameters = trained_parameters(twin)
    rows = torch.empty(len(batches), sum(parameter.numel() for parameter in parameters.values()))
    rows = rows.to(next(iter(parameters.values())).dtype)
    for k, positions in enumerate(batches):
        pixels, labels = split.pixels(positions).to(device), split.labels[positions].to(device)
        with torch.random.fork_rng():
            torch.random.manual_seed(seed)
            loss = nn.functional.cross_entropy(_logits(twin, pixels.to(rows.dtype)), labels)
        rows[k] = loss_gradient(loss, parameters)
        progress((k + 1) / len(batches), f"gradients of batches, {k + 1} of {len(batches)}")
    return BatchGradients(_grams(twin, rows, parameters), rows.shape[1])


def gradient_measurements(gradients: BatchGradients, checkpoint: str) -> list[Measurement]:
    """The variance and its scale-free forms at one moment of training, and the variance of each layer.

    Args:
        gradients: of K batches, K at least 3.
        checkpoint: `initial`, `first_epoch` or `final`.

    Raises:
        MeasurementError: fewer than 3 batches, or every gradient is zero.
    """
    setting = (("checkpoint", checkpoint),)
    gram = gradients.gram
    if len(gram) < 3:
        raise MeasurementError(f"gradients: expected at least 3 batches, got {len(gram)}")
    if not np.trace(gram) > 0:
        raise MeasurementError(
            f"gradients ({checkpoint}): the loss gradient is exactly zero for every batch, so its relative variance "
            "does not exist; check whether the weights have saturated the softmax"
        )
    return [
        Measurement("gradient_variance", _variance(gram), setting),
        _relative(gram, setting),
        Measurement(
            "gradient_variance_per_parameter",
            _variance(gram / gradients.parameters, f"{UNIT} per parameter"),
            setting,
        ),
        *(
            Measurement("layer_gradient_variance", _variance(part), (*setting, ("layer", layer)))
            for layer, part in gradients.grams.items()
        ),
    ]


def layer_of(parameter: str, network: nn.Module) -> str:
    """The part of a network that a parameter is counted to: `stem`, `cells.3`, or a child of a hand-made body.

    >>> layer_of("body.layer1.0.conv1.weight", nn.Identity())
    'layer1'
    """
    parts = parameter.removeprefix("body.").split(".")
    numbered = isinstance(getattr(network, "body", network), CellNetwork) and parts[0] == "cells"
    return ".".join(parts[: 2 if numbered else 1])


def _logits(network: nn.Module, pixels: Tensor) -> Tensor:
    try:
        logits: Tensor = network(pixels)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise MeasurementError(
            f"gradients: batch norm in training mode needs more than one value per channel, got a batch of "
            f"{len(pixels)} whose features have one pixel; raise batch_size of the analysis `gradients`"
        ) from error
    return logits


def _grams(network: nn.Module, rows: Tensor, parameters: dict[str, nn.Parameter]) -> dict[str, FloatArray]:
    grams: dict[str, FloatArray] = {}
    parts = torch.split(rows, [parameter.numel() for parameter in parameters.values()], dim=1)
    for name, part in zip(parameters, parts, strict=True):
        layer = layer_of(name, network)
        # float64 for one tensor at a time: the variance is a small difference where training has just begun.
        wide = part.double()
        grams[layer] = grams.get(layer, 0.0) + (wide @ wide.T).numpy()
    return grams


def _moments(gram: FloatArray) -> tuple[FloatArray, FloatArray]:
    """D and O from all batches and then without each one: float64 [1 + K] each."""
    counts = _counts(len(gram))
    diagonal = np.diag(gram)
    trace = np.concatenate([[0.0], diagonal])
    entries = np.concatenate([[0.0], 2 * gram.sum(axis=1) - diagonal])
    traces, sums = diagonal.sum() - trace, gram.sum() - entries
    return traces / counts, (sums - traces) / (counts * (counts - 1))


def _variance(gram: FloatArray, unit: str = UNIT) -> Estimate:
    mean_square, product = _moments(gram)
    variance = np.maximum(mean_square - product, 0.0)  # rounding does not make it negative
    return jackknife(float(variance[0]), variance[1:], unit)


def _relative(gram: FloatArray, setting: Sequence[tuple[str, str]]) -> Measurement:
    mean_square, product = _moments(gram)
    square = product
    bound: Bound | None = None
    if product.min() <= 0:
        counts = _counts(len(gram))
        square, bound = (mean_square + (counts - 1) * product) / counts, "lower"  # |mean g_i|^2
    ratio = np.maximum(mean_square - product, 0.0) / square
    estimate = replace(jackknife(float(ratio[0]), ratio[1:], "ratio"), bound=bound)
    return Measurement("relative_gradient_variance", estimate, tuple(setting))


def _counts(k: int) -> FloatArray:
    """How many batches there are altogether, and without each one."""
    return np.array([k, *[k - 1] * k], dtype=np.float64)
