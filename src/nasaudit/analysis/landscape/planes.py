"""The loss on planes through a victim: how a step along two directions changes it.

The planes are `first_layer` and `input` of Pang et al., "On the Security Risks of AutoML", USENIX Security 2022, and
`filters` of Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018; `analysis.landscape.directions`
says what spans them. The surface is

    f(a, b) = L(theta + a d1 + b d2)  or  L(theta; x + a d1 + b d2)

with L the cross entropy in nats, averaged over the same images for all architectures, and the network in eval mode.
`loss_rise` is the mean of f over the grid minus f(0, 0): how fast the loss grows around the victim; 0 where it is
flat.

Deviations: none in the surface. Pixels leave [0, 1] where the shift takes them there: clipping would bend the plane.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nasaudit.analysis.frozen import frozen
from nasaudit.analysis.landscape.directions import Direction, check_directions
from nasaudit.errors import NonFiniteError, SpecError
from nasaudit.measure.bootstrap import bootstrap, mean
from nasaudit.measure.estimate import Estimate, FloatArray
from nasaudit.progress import Progress, silent

BATCH = 128
UNIT = "nats"

Losses = Callable[[float, float], FloatArray]  # (a, b) -> the cross entropy of each image, float64 [n]


@dataclass(frozen=True)
class Surface:
    """The loss of each image on a grid.

    Attributes:
        name: of the plane.
        axis: float64 [points], ascending: the grid has the same offsets in both directions.
        losses: float64 [b, a, n], nats; the first direction along the second axis.
        centre: float64 [n], at (0, 0), which need not be a point of the grid.
    """

    name: str
    axis: FloatArray
    losses: FloatArray
    centre: FloatArray

    @property
    def heights(self) -> FloatArray:
        """The loss averaged over images, float64 [b, a]."""
        mean: FloatArray = self.losses.mean(axis=2)
        return mean

    @property
    def loss_rise(self) -> Estimate:
        """Mean over the grid minus the centre, with a bootstrap over images."""
        rises = self.losses.mean(axis=(0, 1)) - self.centre
        return bootstrap([rises], mean, UNIT)


def sample_surface(
    name: str, losses: Losses, reach: float, points: int, progress: Progress = silent
) -> Surface:
    """Evaluate a plane on a square grid over [-reach, reach].

    Args:
        name: of the plane; errors and progress speak of it.
        losses: see `weight_losses` and `input_losses`.
        reach: largest offset along each direction, above 0.
        points: along each axis, at least 2.
        progress: called after each point.

    Raises:
        SpecError: the grid would be a single point, or have no size.
        NonFiniteError: the loss is not finite at a point.
    """
    if points < 2:
        raise SpecError("points", "at least 2 points along an axis: a landscape of one has no slope", points)
    if not 0 < reach < float("inf"):
        raise SpecError("reach", "a finite number above 0", reach)
    axis = np.linspace(-reach, reach, points)
    centre = finite(losses(0.0, 0.0), name, "(0, 0)")
    values = np.empty((points, points, len(centre)))
    for j, b in enumerate(axis):
        for i, a in enumerate(axis):
            values[j, i] = finite(losses(float(a), float(b)), name, f"({a:.3g}, {b:.3g})")
            progress((j * points + i + 1) / points**2, f"landscape: {name}")
    return Surface(name, axis, values, centre)


def weight_losses(
    network: nn.Module, first: Direction, second: Direction, pixels: Tensor, labels: Tensor
) -> Losses:
    """f(a, b) in the space of parameters, computed on a copy of the network.

    Args:
        network: pixels in [0,1] -> logits.
        first: d1, for some or all parameters by name.
        second: d2, for the same ones.
        pixels: float [n, C, H, W].
        labels: int64 [n].

    Raises:
        MeasurementError: the directions span no plane.
    """
    check_directions(first, second)
    copied = frozen(network, pixels.device).requires_grad_(False)
    parameters = dict(copied.named_parameters())
    start = {name: parameters[name].clone() for name in first}

    def losses(a: float, b: float) -> FloatArray:
        for name, origin in start.items():
            parameters[name].copy_(origin + a * first[name] + b * second[name])
        return image_losses(copied, pixels, labels)

    return losses


def input_losses(
    network: nn.Module, first: Direction, second: Direction, pixels: Tensor, labels: Tensor
) -> Losses:
    """f(a, b) in pixel space: all images are shifted alike, and may leave [0, 1].

    Args:
        network: pixels -> logits.
        first: {"": d1}, float [C, H, W].
        second: {"": d2}.
        pixels: float [n, C, H, W].
        labels: int64 [n].

    Raises:
        MeasurementError: the directions span no plane.
    """
    check_directions(first, second)
    copied = frozen(network, pixels.device)
    return lambda a, b: image_losses(copied, pixels + a * first[""] + b * second[""], labels)


@torch.no_grad()
def image_losses(network: nn.Module, pixels: Tensor, labels: Tensor) -> FloatArray:
    """Cross entropy of each image in nats, float64 [n]."""
    batches = [
        nn.functional.cross_entropy(
            network(pixels[k : k + BATCH]).double(), labels[k : k + BATCH], reduction="none"
        )
        for k in range(0, len(pixels), BATCH)
    ]
    losses: FloatArray = torch.cat(batches).cpu().numpy()
    return losses


def finite(losses: FloatArray, name: str, where: str) -> FloatArray:
    """The losses, if all are finite.

    Raises:
        NonFiniteError: naming what was drawn and where.
    """
    if np.isfinite(losses).all():
        return losses
    raise NonFiniteError(
        f"{name}: the loss at {where} is not finite for {int((~np.isfinite(losses)).sum())} of {len(losses)} images; "
        "check the victim's weights, or leave this picture out of the `kinds` of the analysis `landscape`"
    )
