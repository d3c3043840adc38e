"""What an evasion attack wants: which prediction counts as broken, and the losses that lead there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nasaudit.spec.attacks import LossName

# Where the logits that scale the ratio are all alike, it has no value: the smallest divisor.
TINY = 1e-12


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
        odds = log_odds(logits, self.classes)
        return odds if self.targeted else -odds


# (objective of N images, their logits [N, classes]) -> what is to be ascended, [N].
Loss = Callable[[Objective, Tensor], Tensor]


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """log(p_y / (1 - p_y)) of one class y of each image, [N].

    With logits z it is z_y - log sum_{c != y} exp z_c, which neither rounds where a network is certain nor divides by
    zero.
    """
    own = logits.gather(1, classes[:, None]).squeeze(1)
    return own - logits.scatter(1, classes[:, None], -torch.inf).logsumexp(1)


def margin(objective: Objective, logits: Tensor) -> Tensor:
    """The best other logit minus that of the class (targeted: the other way round): above 0, the image is broken."""
    own = logits.gather(1, objective.classes[:, None]).squeeze(1)
    others = logits.scatter(1, objective.classes[:, None], -torch.inf).amax(1)
    return own - others if objective.targeted else others - own


def difference_of_logits_ratio(objective: Objective, logits: Tensor) -> Tensor:
    """The DLR loss of Croce and Hein, "Reliable Evaluation of Adversarial Robustness ...", ICML 2020.

    With pi the order of the logits z, descending, and y the class to leave,
        DLR = -(z_y - max_{i != y} z_i) / (z_pi1 - z_pi3)                                               (eq. 6)
    Neither a shift nor a scaling of the logits changes it, so that a network cannot hide its gradients behind large
    logits. Towards a target t it is (z_t - z_y) / (z_pi1 - (z_pi3 + z_pi4) / 2) (eq. 7), where y is the class that
    the image has now (that of the highest logit other than t).
    """
    ranked = logits.sort(dim=1, descending=True).values
    third = (ranked[:, 2] + ranked[:, 3]) / 2 if objective.targeted else ranked[:, 2]
    return margin(objective, logits) / (ranked[:, 0] - third).clamp_min(TINY)


LOSSES: Mapping[LossName, Loss] = {"ce": Objective.loss, "dlr": difference_of_logits_ratio}
