"""The set an adversarial example must stay in: all images within epsilon of the clean one, and within [0,1].

Both bounds hold exactly for the stored float32 pixels, not just up to rounding: a number that is compared
with epsilon elsewhere never fails by its last bit.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nasaudit.attacks.evasion import noise
from nasaudit.spec.attacks import Norm

# An l2 norm adds up thousands of squares: whoever measures it in float32 may be off by about this much.
L2_MARGIN = 2e-6


@dataclass(frozen=True, eq=False)
class Ball:
    """All admissible versions of N images.

    Attributes:
        images: float32 [N, C, H, W], the centres.
        norm: `linf` or `l2`.
        epsilon: the radius, in pixel units, rounded down to float32.
        lower: float32 [N, C, H, W], the smallest value of each pixel.
        upper: the largest.
    """

    images: Tensor
    norm: Norm
    epsilon: float
    lower: Tensor
    upper: Tensor

    @classmethod
    def around(cls, images: Tensor, norm: Norm, epsilon: float) -> "Ball":
        """The ball of radius `epsilon` around each image."""
        radius = _round_down(epsilon)
        lower = _toward(images - radius, images, radius).clamp_(min=0)
        upper = _toward(images + radius, images, radius).clamp_(max=1)
        return cls(images, norm, radius, lower, upper)

    def take(self, rows: Tensor) -> "Ball":
        """The ball around some of the images."""
        return Ball(self.images[rows], self.norm, self.epsilon, self.lower[rows], self.upper[rows])

    def project(self, points: Tensor) -> Tensor:
        """The points of the ball nearest to the given ones; float32 [N, C, H, W].

        For l2 the [0,1] box is applied after the sphere, which keeps both (the box holds the centre).
        """
        if self.norm == "l2":
            points = self._onto_sphere(points)
        return torch.maximum(torch.minimum(points, self.upper), self.lower)

    def _onto_sphere(self, points: Tensor) -> Tensor:
        change = points - self.images
        length = change.flatten(1).double().norm(dim=1)
        factor = (self.epsilon * (1 - L2_MARGIN) / length.clamp_min(1e-300)).clamp_max(1).float()
        change = change * factor[:, None, None, None]
        moved = self.images + change
        # Rounding the sum may have moved a pixel further than `change` says: one step back undoes it.
        further = (moved.double() - self.images.double()).abs() > change.double().abs()
        return torch.where(further, torch.nextafter(moved, self.images), moved)


def random_point(ball: Ball, indices: Tensor, *purpose: object) -> Tensor:
    """A point drawn uniformly from each ball, float32 [N, C, H, W].

    Args:
        ball: around N images.
        indices: int64 [N], the identities that the draws hang on.
        purpose: what they are for, with the seed.
    """
    shape = ball.images.shape
    count = shape[1:].numel()
    if ball.norm == "linf":
        offset = ball.epsilon * (2 * noise.uniform(indices, count, *purpose) - 1)
    else:
        direction = noise.normal(indices, count, *purpose)
        # The share of a ball's volume within radius r grows as r^d.
        radius = noise.uniform(indices, 1, *purpose, "radius") ** (1 / count)
        offset = ball.epsilon * radius * direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return ball.project(ball.images + offset.reshape(shape))


def _toward(bound: Tensor, centre: Tensor, radius: float) -> Tensor:
    """The bound, one float nearer to the centre where rounding has put it further away than the radius."""
    too_far = (bound.double() - centre.double()).abs() > radius
    return torch.where(too_far, torch.nextafter(bound, centre), bound)


def _round_down(value: float) -> float:
    """The largest float32 that is not above `value`."""
    nearest = np.float32(value)
    return float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(0)))
