"""What an evasion attack wants: which prediction counts as broken, and the loss that leads there."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Objective:
    """What breaks an image, and the loss whose ascent leads there.

    Attributes:
        classes: int64 [N], the class to leave, or with `targeted` the class to reach.
        targeted: which of the two.
        min_confidence: the probability of the class that the image is taken for must exceed this (protocol
            `paper`).
    """

    classes: Tensor
    targeted: bool = False
    min_confidence: float = 0.0

    def take(self, rows: Tensor) -> "Objective":
        """The objective of some of the images."""
        return Objective(self.classes[rows], self.targeted, self.min_confidence)

    def reached(self, logits: Tensor) -> Tensor:
        """Bool [N]: which images are broken, judged by their logits [N, classes]."""
        broken = self.reached_by(logits.argmax(1))
        if self.min_confidence > 0:
            broken &= logits.softmax(1).amax(1) > self.min_confidence
        return broken

    def reached_by(self, predicted: Tensor) -> Tensor:
        """Bool [N]: which images are broken, for an attacker who sees the predicted classes [N] only."""
        return (predicted == self.classes) if self.targeted else (predicted != self.classes)

    def loss(self, logits: Tensor) -> Tensor:
        """Float [N], to be ascended: the log odds against (targeted: for) the class.

        With s = log p_y - log(1 - p_y) the cross-entropy of class y is log(1 + exp(-s)), so the gradients of
        -s and of the cross-entropy point in the same direction: they differ by the factor 1 - p_y of each
        image. An attack that uses the direction only (by sign or by norm) therefore walks the same path,
        except that this loss does not round to zero where a network is certain.
        """
        own = logits.gather(1, self.classes[:, None])
        others = logits.scatter(1, self.classes[:, None], -torch.inf)
        log_odds = own.squeeze(1) - others.logsumexp(1)
        return log_odds if self.targeted else -log_odds
