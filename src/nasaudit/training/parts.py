"""A batch that does not fit into the memory is learned from in parts, whose gradients add up to the batch's.

The loss of a batch is a mean over its images, so each part counts by its share of them: the sum is the gradient of
the whole, but for what looks at a batch as a whole (the statistics of batch normalisation are then those of each
part). Who trains is told, and so is the reader of the report.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nasaudit.training.seams import Backward

LEAST_PART = 2  # images: batch normalisation needs more than one
CPU_WORDS = "can't allocate memory"  # of torch, where no GPU is asked


class Parts:
    """A Backward that halves its batches until they fit, and stays with that.

    Args:
        backward: of a batch, or of a part of one.
        parameters: that the gradient is added to.

    Attributes:
        count: in how many parts a batch is learned from.
    """

    def __init__(self, backward: Backward, parameters: Iterable[torch.nn.Parameter]):
        self._backward, self._parameters = backward, tuple(parameters)
        self.count = 1

    def __call__(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the batch and its share of correct images; the parameters get its gradient.

        Args:
            pixels: float32 [V n, C, H, W]: V views of the images, one behind the other.
            targets: of the n images.

        Raises:
            torch.OutOfMemoryError: a part of two images does not fit either.
        """
        while True:
            before = [parameter.grad for parameter in self._parameters]
            for parameter in self._parameters:
                parameter.grad = None
            try:
                loss, correct = self._in_parts(pixels, targets)
            except RuntimeError as error:
                for parameter, gradient in zip(self._parameters, before, strict=True):
                    parameter.grad = gradient
                self._halve(error, len(targets))
                continue
            for parameter, gradient in zip(self._parameters, before, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else gradient + parameter.grad
            return loss, correct

    def _in_parts(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        if self.count == 1:
            return self._backward(pixels, targets)
        loss = correct = torch.zeros((), device=pixels.device)
        for part, wanted in _cut(pixels, targets, self.count):
            share = len(wanted) / len(targets)
            # A part adds the whole of its gradient. What is there is divided first, so that all of it may be
            # multiplied by the share afterwards: no second set of gradients is held.
            _scale(self._parameters, 1 / share)
            part_loss, part_correct = self._backward(part, wanted)
            _scale(self._parameters, share)
            loss, correct = loss + share * part_loss, correct + share * part_correct
        return loss, correct

    def _halve(self, error: RuntimeError, images: int) -> None:
        """More parts from now on, if the error is one of memory and parts can be smaller."""
        is_memory = isinstance(error, torch.OutOfMemoryError) or CPU_WORDS in str(error)
        if not is_memory or images // (2 * self.count) < LEAST_PART:
            raise error
        self.count *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _cut(pixels: Tensor, targets: Tensor, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """So many parts of the images, each with all of their views."""
    views = pixels.reshape(-1, len(targets), *pixels.shape[1:])
    for positions in torch.arange(len(targets), device=pixels.device).tensor_split(count):
        part = views[:, positions].flatten(0, 1).contiguous(memory_format=torch.channels_last)
        yield part, targets[positions]


def _scale(parameters: Iterable[torch.nn.Parameter], factor: float) -> None:
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(factor)
