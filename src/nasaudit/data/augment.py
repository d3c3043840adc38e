"""Random crop, horizontal flip and cutout of a whole batch at once.

`draw` decides what happens to each image and `apply` does it, so that the random part can be looked at and
repeated. Neither has a loop over images: crops are picked from one padded batch through strides, cutout is a
mask from two ranges.

Cutout: DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout"
(arXiv 1708.04552). The centre is uniform over the pixels and the square is clipped at the border. There, the
blank is zero after normalisation, which is the mean colour: pass that as `fill` for the same effect. An odd
side is kept as it is, where the authors' code rounds it down to an even one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Offsets:
    """What was drawn for each of N images; None where a transform is switched off.

    Attributes:
        crop: int64 [2, N], row and column in the padded image where the crop starts, 0..2 * padding.
        flip: bool [N], whether the image is mirrored.
        cutout: int64 [2, N], row and column of the centre of the blank square.
    """

    crop: Tensor | None = None
    flip: Tensor | None = None
    cutout: Tensor | None = None


def augment(
    images: Tensor,
    generator: torch.Generator,
    crop: int,
    flip: bool,
    cutout: int,
    *,
    fill: Tensor | None = None,
) -> Tensor:
    """A randomly changed copy of a batch: crop, then flip, then cutout.

    Args:
        images: [N, C, H, W], uint8 or float, in either memory format, which is kept.
        generator: the only source of randomness, on the CPU.
        crop: pixels of zero padding on each side before an H x W crop is taken; 0 leaves it out.
        flip: mirror each image left to right with probability 1/2.
        cutout: side of the blank square in pixels; 0 leaves it out.
        fill: colour of the blank square [C], in the units of `images`; None: zero.

    Raises:
        ValueError: a negative size, or a batch that is not [N, C, H, W].
    """
    _check(images, crop, cutout)
    return apply(images, draw(images.shape, generator, crop, flip, cutout), crop, cutout, fill)


def draw(shape: Sequence[int], generator: torch.Generator, crop: int, flip: bool, cutout: int) -> Offsets:
    """Decide what happens to a batch of this shape (N, C, H, W); the other arguments as in `augment`."""
    count, _, height, width = shape

    def below(rows: int, columns: int) -> Tensor:
        limits = torch.tensor([[rows], [columns]], dtype=torch.float64)
        uniform = torch.rand(2, count, generator=generator, dtype=torch.float64)
        return (uniform * limits).long()

    return Offsets(
        crop=below(2 * crop + 1, 2 * crop + 1) if crop else None,
        flip=torch.rand(count, generator=generator) < 0.5 if flip else None,
        cutout=below(height, width) if cutout else None,
    )


def apply(images: Tensor, offsets: Offsets, crop: int, cutout: int, fill: Tensor | None = None) -> Tensor:
    """The batch changed as `offsets` say; never a view of the input. Arguments as in `augment`."""
    _check(images, crop, cutout)
    changed = images.clone() if offsets.crop is None else _crop(images, offsets.crop, crop)
    if offsets.flip is not None:
        mirrored = offsets.flip.nonzero().squeeze(1).to(images.device)
        changed.index_copy_(0, mirrored, changed[mirrored].flip(3))
    if offsets.cutout is not None:
        sides = []  # bool [N, H] and [N, W]: which rows and columns lie in the square
        for centre, size in zip(offsets.cutout.to(images.device), images.shape[2:], strict=True):
            distance = torch.arange(size, device=images.device) - centre[:, None] + cutout // 2
            sides.append((distance >= 0) & (distance < cutout))
        square = sides[0][:, None, :, None] & sides[1][:, None, None, :]
        if fill is None:
            return changed.masked_fill_(square, 0)
        return torch.where(square, fill.to(changed).view(1, -1, 1, 1), changed)
    return changed


def _crop(images: Tensor, starts: Tensor, padding: int) -> Tensor:
    """Windows [N, C, H, W] of the padded batch, one for each image, at (row, column) = starts[:, n]."""
    height, width = images.shape[2:]
    padded = F.pad(images, (padding, padding, padding, padding))
    # Every window at once, as strides: [N, C, 2p+1, 2p+1, H, W], without a copy.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    batch = torch.arange(len(images), device=images.device)
    row, column = starts.to(images.device)
    # The order of the trailing dimensions is the memory order of what indexing returns. One-channel batches are of
    # both orders; the plain one is as good for them.
    if not images.is_contiguous() and images.is_contiguous(memory_format=torch.channels_last):
        return windows.permute(0, 2, 3, 4, 5, 1)[batch, row, column].permute(0, 3, 1, 2)
    return windows.permute(0, 2, 3, 1, 4, 5)[batch, row, column]


def _check(images: Tensor, crop: int, cutout: int) -> None:
    if images.ndim != 4:
        raise ValueError(f"expected images [N, C, H, W], got {list(images.shape)}")
    if crop < 0 or cutout < 0:
        raise ValueError(f"expected sizes from 0 pixels, got crop {crop} and cutout {cutout}")
