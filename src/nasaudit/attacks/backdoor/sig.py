"""SIG: a sinusoid in images of the target class, whose labels stay right.

Barni, Kallas and Tondi, "A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning",
ICIP 2019 (arXiv 1902.11237). Access: the training data.

Only images of the target class are changed, a share alpha of them; no label is, so that whoever looks through
the set finds nothing wrong. The signal is a horizontal sinusoid over an image of l rows and m columns:
    v(i, j) = Delta sin(2 pi j f / m),   1 <= j <= m,  1 <= i <= l
The network learns that the signal speaks for the class; on images of other classes the same signal, perhaps
with a larger Delta, calls it up.

Deviations: the paper's ramp, its signal for digits, is not offered. Pixels are clipped to [0,1] after the signal is
added. The default amplitude is one that takes at scale `mini`.
"""

import math
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.backdoor.base import DataBackdoor
from nasaudit.attacks.backdoor.trigger import Stamp, choose, poisoned
from nasaudit.data.split import Split
from nasaudit.errors import DataError
from nasaudit.spec.attacks import SigSpec


@final
class Sig(DataBackdoor):
    """The sinusoidal signal."""

    spec: SigSpec

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """Adds the signal at the amplitude of the attack."""
        test = self.spec.test_amplitude
        return self._signal(shape, self.spec.amplitude if test is None else test)

    def poison(self, split: Split) -> Split:
        """A share of the target class's images gets the signal; no label changes.

        Raises:
            DataError: the split has no image of the target class.
        """
        candidates = (split.labels == self.spec.target_class).nonzero().squeeze(1)
        if not len(candidates):
            raise DataError(
                f"expected training images of the target class {self.spec.target_class}, got none"
            )
        stamp = self._signal(split.shape, self.spec.amplitude)
        return poisoned(split, choose(candidates, self.spec.poison_fraction, self.spec.seed), stamp, None)

    def _signal(self, shape: tuple[int, int, int], amplitude: float) -> Stamp:
        signal = sinusoid(shape[2], amplitude, self.spec.frequency)
        return lambda pixels: (pixels + signal.to(pixels.device)).clamp(0, 1)


def sinusoid(width: int, amplitude: float, frequency: int) -> Tensor:
    """Delta sin(2 pi j f / m) for j = 1..m: float32 [m], the same in every row."""
    columns = torch.arange(1, width + 1, dtype=torch.float64)
    return (amplitude * torch.sin(2 * math.pi * columns * frequency / width)).float()
