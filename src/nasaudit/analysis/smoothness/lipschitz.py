"""The local Lipschitz constant of a gradient, by finite differences.

Around a point w it is the largest |g(w') - g(w)| / |w' - w|. Measured is

    max over unit directions u of |g(w + r u) - g(w)| / r

over the gradient's own direction, both of the top eigenvector's, and random ones: the largest that was found, so a
lower bound of the true constant. As r falls it becomes max |H u|, at most the largest eigenvalue in magnitude, on
a smooth function. On a network of ReLUs the kinks within r add to it, which no Hessian sees; where the curvature
falls off within r, it is less than the eigenvalue.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from nasaudit.analysis.smoothness.curvature import Loss


def directions(gradient: Tensor, eigenvector: Tensor, count: int, generator: torch.Generator) -> list[Tensor]:
    """`count` unit directions for each of N functions: the gradient's, both of the eigenvector, then random ones.

    Args:
        gradient: [N, D]; a row of zeros has no direction, and a random one takes its place.
        eigenvector: [N, D], unit length; taken uphill, then downhill, which differ beyond a quadratic.
        count: how many, at least 1.
        generator: on the CPU.

    Returns:
        `count` tensors [N, D].
    """
    along = (gradient * eigenvector).sum(dim=1, keepdim=True)
    uphill = torch.where(along < 0, -eigenvector, eigenvector)
    units = []
    for number in range(count):
        random = torch.randn(gradient.shape, generator=generator, dtype=torch.float64).to(gradient)
        wanted = (gradient, uphill, -uphill)[number] if number < 3 else random
        # By the largest entry first: the square of a tiny one is zero in float32.
        largest = wanted.abs().amax(dim=1, keepdim=True)
        wanted = torch.where(largest > 0, wanted / torch.where(largest > 0, largest, 1), random)
        units.append(wanted / wanted.norm(dim=1, keepdim=True))
    return units


def gradient_changes(loss: Loss, along: list[Tensor], radius: float) -> Iterator[Tensor]:
    """(g(w + r u) - g(w)) / r for each direction: tensors [N, D]."""
    here = loss.gradient(loss.point)
    for u in along:
        yield (loss.gradient(loss.point + radius * u) - here) / radius


def gradient_lipschitz(loss: Loss, along: list[Tensor], radius: float) -> Tensor:
    """The largest |g(w + r u) - g(w)| / r over the directions, float64 [N] on the CPU.

    >>> from nasaudit.analysis.smoothness.curvature import FunctionLoss
    >>> loss = FunctionLoss(lambda x: (torch.tensor([3.0, -7.0]) * x**2 / 2).sum(dim=1), torch.ones(1, 2))
    >>> gradient_lipschitz(loss, [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])], 0.5).item()
    7.0
    """
    norms = [change.double().norm(dim=1).cpu() for change in gradient_changes(loss, along, radius)]
    return torch.stack(norms).amax(dim=0)
