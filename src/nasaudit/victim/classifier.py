"""Classifier: a frozen victim as a white box, pixels in and logits out."""

import copy
from typing import final

import torch
from torch import Tensor, nn

from nasaudit.errors import InputError
from nasaudit.victim.folding import fold


@final
class Classifier:
    """A private, frozen, fast copy of a network; the network itself is never touched.

    The copy is in eval mode, needs no gradient of its parameters, is channels-last in memory, and has its
    batch normalisation folded into its convolutions where a comparison on random pixels shows that it stays
    the same function.

    Args:
        network: pixels in [0,1], [N, C, H, W] -> logits [N, classes].
        classes: how many classes it tells apart.
        device: where the copy lives, and where its images must be.
        input_shape: (channels, height, width). None: that of `network.spec`; without either nothing is
            folded.
        folding: False keeps every layer as it is (to confirm a verdict, say).

    Attributes:
        network: the copy.
        folded: whether batch normalisation was folded.
    """

    def __init__(
        self,
        network: nn.Module,
        classes: int,
        device: str | torch.device = "cpu",
        *,
        input_shape: tuple[int, int, int] | None = None,
        folding: bool = True,
    ):
        frozen = copy.deepcopy(network).to(device).eval().requires_grad_(False)
        shape = input_shape or getattr(getattr(network, "spec", None), "input_shape", None)
        smaller = fold(frozen, shape) if folding and shape is not None else None
        self.folded = smaller is not None
        self._format = getattr(network, "memory_format", torch.channels_last)
        self.network = (smaller or frozen).requires_grad_(False).to(memory_format=self._format)
        self.classes = classes
        self.device = torch.device(device)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Logits, float32 [N, classes]; differentiable with respect to the pixels.

        Args:
            pixels: float32 [N, C, H, W] in [0,1], on the classifier's device. The range is checked once where
                an attack begins (`check_images`), not in each of its forward passes.

        Raises:
            InputError: the network does not return [N, classes].
        """
        if len(pixels) == 0:
            return pixels.new_zeros(0, self.classes)
        logits = self.network(pixels.contiguous(memory_format=self._format))
        if not isinstance(logits, Tensor) or logits.shape != (len(pixels), self.classes):
            came = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(f"expected logits of shape [{len(pixels)}, {self.classes}], got {came}")
        return logits.float()
