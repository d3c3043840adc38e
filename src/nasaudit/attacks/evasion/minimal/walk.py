"""What walks along the decision boundary share: batches, the nearest point seen, and a last pull towards the image.

Deviation from the papers: at the end a bisection between the image and the nearest example finds where their line
crosses the boundary. It costs forward passes alone.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from nasaudit.attacks.evasion.base import Attempt, MinimalAttack, Nearest
from nasaudit.attacks.evasion.curve import distances
from nasaudit.attacks.evasion.engine import batch_size_for, look
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.progress import Progress, part
from nasaudit.spec.attacks import Norm
from nasaudit.spec.attacks.minimal import NearestSpec
from nasaudit.victim.classifier import Classifier

BISECTIONS = 10  # to a thousandth of the example's length


@dataclass(frozen=True, eq=False)
class Best:
    """The nearest adversarial point of each image of one batch so far.

    Attributes:
        points: float32 [N, C, H, W]; the image itself where none was adversarial.
        distance: float64 [N], infinity where none was adversarial.
    """

    points: Tensor
    distance: Tensor

    @classmethod
    def none(cls, x: Tensor) -> Self:
        """Nothing found yet for the images x."""
        return cls(x.clone(), torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device))

    def note(self, points: Tensor, distance: Tensor, broken: Tensor) -> None:
        """Keep the broken points that are no further away than the best ones."""
        nearer = broken & (distance <= self.distance)
        self.points[nearer], self.distance[nearer] = points[nearer], distance[nearer]


class BoundaryWalk(MinimalAttack[Classifier]):
    """A white-box attack that walks with all images of a batch for so many steps. Nothing is random."""

    spec: NearestSpec

    def _minimise(self, victim: Classifier, attempt: Attempt) -> Nearest:
        nearest = attempt.images.clone()
        distance = torch.full((len(nearest),), torch.inf, dtype=torch.float64, device=nearest.device)
        batches = torch.split(
            torch.arange(len(nearest), device=nearest.device),
            self.batch_size or batch_size_for(victim.device),
        )
        for number, rows in enumerate(batches):
            x, objective = attempt.images[rows], attempt.objective.take(rows)
            told = part(attempt.progress, number / len(batches), (number + 1) / len(batches))
            best = pull(victim, x, self._walk(victim, x, objective, told), objective, self.spec.norm)
            nearest[rows], distance[rows] = best.points, best.distance
        return Nearest(nearest, distance, torch.full_like(distance, self.spec.steps, dtype=torch.int64))

    @abstractmethod
    def _walk(self, victim: Classifier, x: Tensor, objective: Objective, progress: Progress) -> Best:
        """The nearest adversarial points of one batch that the walk saw."""


def pull(victim: Classifier, x: Tensor, best: Best, objective: Objective, norm: Norm) -> Best:
    """Pull each example towards its image x as long as it stays adversarial."""
    low, high = torch.zeros_like(best.distance), torch.ones_like(best.distance)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        broken = look(victim, _between(x, best.points, middle), objective, climb=False).broken
        high, low = torch.where(broken, middle, high), torch.where(broken, low, middle)
    adversarial = best.distance.isfinite()
    nearer = (adversarial & (high < 1))[:, None, None, None]
    points = torch.where(nearer, _between(x, best.points, high), best.points)
    return Best(points, torch.where(adversarial, distances(points, x, norm), torch.inf))


def _between(x: Tensor, points: Tensor, share: Tensor) -> Tensor:
    return x + share.float()[:, None, None, None] * (points - x)
