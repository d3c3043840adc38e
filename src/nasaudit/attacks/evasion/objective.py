"""What an evasion attack wants: which prediction counts as broken, and the losses that lead there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
        towards: int64 [N], a wrong class that the loss leads to while any wrong class counts, as in the targeted
            attacks of AutoAttack; None: the loss leads away from the class and no further.
    """

    classes: Tensor
    targeted: bool = False
    min_confidence: float = 0.0
    towards: Tensor | None = None

    def take(self, rows: Tensor) -> "Objective":
        """The objective of some of the images."""
        towards = None if self.towards is None else self.towards[rows]
        return replace(self, classes=self.classes[rows], towards=towards)

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
        if self.towards is not None:
            return log_odds(logits, self.towards)
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


def lead(objective: Objective, logits: Tensor) -> Tensor:
    """z_t - z_y, the logit of the class t to go to minus that of the class y to leave; needs `towards`."""
    assert objective.towards is not None
    pair = torch.stack([objective.towards, objective.classes], 1)
    ahead, own = logits.gather(1, pair).unbind(1)
    return ahead - own


def towards_wrong_classes(objective: Objective, logits: Tensor, count: int) -> list[Objective]:
    """The objective once for each of the `count` likeliest wrong classes (all, where there are fewer), in order.

    Args:
        objective: to leave a class, for N images.
        logits: [N, classes], of the clean images.
        count: how many.
    """
    wrong = logits.scatter(1, objective.classes[:, None], -torch.inf).argsort(1, descending=True)
    return [replace(objective, towards=wrong[:, rank]) for rank in range(min(count, logits.shape[1] - 1))]


def difference_of_logits_ratio(objective: Objective, logits: Tensor) -> Tensor:
    """The DLR loss of Croce and Hein, "Reliable Evaluation of Adversarial Robustness ...", ICML 2020.

    With pi the order of the logits z, descending, and y the class to leave,
        DLR = -(z_y - max_{i != y} z_i) / (z_pi1 - z_pi3)                                               (eq. 6)
    Neither a shift nor a scaling of the logits changes it, so that a network cannot hide its gradients behind large
    logits. Towards a target t it is (z_t - z_y) / (z_pi1 - (z_pi3 + z_pi4) / 2) (eq. 7), where y is the class that
    the image has now (that of the highest logit other than t), or with `towards` the class to leave, as in
    AutoAttack.
    """
    ranked = logits.sort(dim=1, descending=True).values
    aimed = objective.targeted or objective.towards is not None
    third = (ranked[:, 2] + ranked[:, 3]) / 2 if aimed else ranked[:, 2]
    ahead = margin(objective, logits) if objective.towards is None else lead(objective, logits)
    return ahead / (ranked[:, 0] - third).clamp_min(TINY)


LOSSES: Mapping[LossName, Loss] = {"ce": Objective.loss, "dlr": difference_of_logits_ratio}
