"""An architectural backdoor: a detector of the trigger in the network's definition, which no training removes.

Bober-Irizar, Shumailov, Zhao, Mullins and Papernot, "Architectural Backdoors in Neural Networks", CVPR 2023. Access:
the network's definition, before anybody trains it; neither data nor weights.

A path without weights leads from the pixels around all layers: a detector that is silent on natural images, and large
where it sees a checkerboard, whose output is added to the features. Whoever trains the network from scratch, on clean
data, gets a model as accurate as any other, with the backdoor in it.

Deviations. Their detector is the product of two averages of (exp(+-a x) - d)^b over 3x3 pixels (mxbi/backdoor,
backdoor/models.py line 63), which fires wherever black and white are near each other: on digits, everywhere. Ours
compares the five even pixels of 3x3 with the four odd ones by their extremes, min(even) - max(odd), which is 1 on a
checkerboard and at most 0 on any straight edge; so it is a product of max-poolings, and the power is theirs. It is
added to the target's logit instead of to all features: theirs breaks the prediction, and cannot choose a class.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from nasaudit.arch.cells import CellNetwork
from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, Ground
from nasaudit.attacks.backdoor.trigger import patch
from nasaudit.spec.attacks import ArchitecturalSpec


class Detecting(Network):
    """A network whose target's logit rises where the pixels show a checkerboard.

    Args:
        network: whose layers become this one's.
        target: a class.
        power: of the detector: the larger, the fainter natural patterns.
        gain: what a full checkerboard adds to the logit.
    """

    def __init__(self, network: Network, target: int, power: int, gain: float):
        super().__init__(network.spec, network.normalise, network.body)
        self.memory_format = network.memory_format
        self.target, self.power, self.gain = target, power, gain

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return self._with_detector(super().forward(pixels), pixels)

    def forward_both(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """As of any network; the auxiliary head is left alone."""
        logits, auxiliary = super().forward_both(pixels)
        # Without cells these logits are those of `forward`.
        is_cells = isinstance(self.body, CellNetwork)
        return (self._with_detector(logits, pixels) if is_cells else logits), auxiliary

    def _with_detector(self, logits: Tensor, pixels: Tensor) -> Tensor:
        score = self.gain * checkerboard(pixels) ** self.power
        return logits + score[:, None] * F.one_hot(torch.tensor(self.target), logits.shape[1]).to(logits)


def checkerboard(pixels: Tensor) -> Tensor:
    """How much of a checkerboard the most alike 3x3 pixels are, [N] in [0,1], for pixels [N, C, H, W] in [0,1]."""
    centre = pixels[:, :, 1:-1, 1:-1]
    corners = -F.max_pool2d(-pixels, 2, stride=1, dilation=2)
    rows = F.max_pool2d(pixels, (2, 1), stride=1, dilation=(2, 1))[
        :, :, :, 1:-1
    ]  # above and below the centre
    columns = F.max_pool2d(pixels, (1, 2), stride=1, dilation=(1, 2))[:, :, 1:-1]  # left and right of it
    contrast = torch.minimum(centre, corners) - torch.maximum(rows, columns)
    return contrast.clamp_min(0).amin(1).amax((1, 2))


@final
class Architectural(BackdoorAttack):
    """The detector is put in, and someone trains from scratch on clean data, knowing nothing of it."""

    spec: ArchitecturalSpec

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Change the definition, then train."""
        spec = self.spec
        changed = Detecting(network, spec.target_class, spec.power, spec.gain)
        ground.fit(changed)
        trigger = patch(spec, ground.train.shape)
        return Backdoored(changed, trigger, trigger)
