"""The loss on the line between two trainings of one architecture, and how high a barrier stands between them.

Goodfellow, Vinyals & Saxe, "Qualitatively Characterizing Neural Network Optimization Problems", ICLR 2015, drew
L((1 - alpha) theta_1 + alpha theta_2). Frankle et al., "Linear Mode Connectivity and the Lottery Ticket Hypothesis",
ICML 2020, and Entezari et al., "The Role of Permutation Invariance in Linear Mode Connectivity of Neural
Networks", ICLR 2022, ask how far it rises above its ends (the latter's definition):

    barrier = max over alpha in [0, 1] of L(alpha) - [(1 - alpha) L(0) + alpha L(1)]

It is 0 where the loss between the two never lies above the straight line, as for a convex one.

Deviations: the statistics of batch normalisation are measured anew at each point, from the same training images
without augmentation, because averages of two networks' statistics fit neither's activations and would draw a barrier
of their own (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018, do so
after averaging). So the ends differ a little from the victims as trained. No permutation of channels is looked for.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nasaudit.analysis.frozen import frozen
from nasaudit.analysis.landscape.planes import BATCH, UNIT, finite, image_losses
from nasaudit.errors import MeasurementError, SpecError
from nasaudit.measure.bootstrap import bootstrap
from nasaudit.measure.estimate import Estimate, FloatArray
from nasaudit.progress import Progress, silent

NAME = "slice"
BEYOND = 0.5  # how far the line goes on behind its ends


@dataclass(frozen=True)
class Slice:
    """The loss of each image on a line.

    Attributes:
        alpha: float64 [points], ascending, with 0 (the first network) and 1 (the second) among them.
        losses: float64 [points, n], nats.
    """

    alpha: FloatArray
    losses: FloatArray

    @property
    def heights(self) -> FloatArray:
        """The loss averaged over images, float64 [points]."""
        mean: FloatArray = self.losses.mean(axis=1)
        return mean

    @property
    def barrier(self) -> Estimate:
        """See the module, with a bootstrap over images; never below 0, its value at both ends."""
        between = (self.alpha >= 0) & (self.alpha <= 1)
        alpha = self.alpha[between]

        def highest(losses: FloatArray) -> FloatArray:
            mean = losses.mean(axis=0)
            above: FloatArray = mean - (1 - alpha) * mean[0] - alpha * mean[-1]
            return np.asarray(above.max())

        return bootstrap([self.losses[between].T], highest, UNIT)


def sample_slice(
    first: nn.Module,
    second: nn.Module,
    pixels: Tensor,
    labels: Tensor,
    training_pixels: Tensor,
    points: int,
    progress: Progress = silent,
) -> Slice:
    """Evaluate the line through two networks, from half their distance before the first to half behind the second.

    Args:
        first: the network at alpha = 0.
        second: the one at alpha = 1, of the same architecture.
        pixels: float [n, C, H, W], over which the loss is averaged.
        labels: int64 [n].
        training_pixels: float [m, C, H, W], from which the statistics of batch normalisation are measured.
        points: evenly spaced; where 0 and 1 are not among them they are added.
        progress: called after each point.

    Raises:
        SpecError: fewer than 2 points.
        MeasurementError: the networks have other tensors, or the same weights.
        NonFiniteError: the loss is not finite at a point.
    """
    if points < 2:
        raise SpecError("slice_points", "at least 2 points: a line of one has no slope", points)
    # Rounded, so that what was meant to be 0 and 1 is 0 and 1.
    even = np.linspace(-BEYOND, 1 + BEYOND, points).round(6)
    alphas = np.union1d(even, np.array([0.0, 1.0]))
    ends = _floats(first), _floats(second)
    _check_ends(*ends)
    between = frozen(first, pixels.device)
    moving = _floats(between)
    losses = []
    for k, alpha in enumerate(alphas):
        with torch.no_grad():
            for name, tensor in moving.items():
                tensor.copy_((1 - alpha) * ends[0][name] + alpha * ends[1][name])
        measure_norms(between, training_pixels)
        losses.append(finite(image_losses(between, pixels, labels), NAME, f"alpha = {alpha:.3g}"))
        progress((k + 1) / len(alphas), f"landscape: {NAME}")
    return Slice(alphas, np.stack(losses))


@torch.no_grad()
def measure_norms(network: nn.Module, pixels: Tensor) -> None:
    """Replace the running statistics of batch normalisation by the mean over batches of these images, in place.

    All other layers stay in eval mode, so that nothing is drawn or dropped.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for batch in pixels.tensor_split(-(-len(pixels) // BATCH)):
        network(batch)
    for norm in norms:
        norm.eval()


def _floats(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers that can lie between two others."""
    return {
        name: tensor.detach() for name, tensor in network.state_dict().items() if tensor.is_floating_point()
    }


def _check_ends(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    shapes = [{name: tuple(tensor.shape) for name, tensor in end.items()} for end in (first, second)]
    if shapes[0] != shapes[1]:
        differing = sorted(name for name, _ in shapes[0].items() ^ shapes[1].items())
        raise MeasurementError(
            f"expected two networks of one architecture, but they differ in {differing[0]}"
        )
    if all(torch.equal(first[name], second[name]) for name in first):
        raise MeasurementError(
            "expected two trainings to draw a line between, but they have the same weights: train with another seed, "
            "or leave `slice` out of the `kinds` of the analysis `landscape`"
        )
