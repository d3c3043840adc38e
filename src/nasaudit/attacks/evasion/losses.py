"""Losses beside the objective's own; maps from (objective, logits [N, classes]) to what is ascended, [N]."""

from collections.abc import Mapping

import torch
from torch import Tensor

from nasaudit.attacks.evasion.engine import Loss
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.spec.attacks import LossName

# Where the logits that scale the ratio are all alike, it has no value: the smallest divisor.
TINY = 1e-12


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
