"""Triggers: what is put on an image to call up the target class.

A patch has a mask m, a pattern p and an opacity o: x becomes x (1 - m o) + p m o, so that 1 is fully visible.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nasaudit.data.split import Split
from nasaudit.errors import DataError, SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import PatchSpec
from nasaudit.spec.attacks.backdoor import Fill, Position, Shape
from nasaudit.spec.attacks.trigger_image import MAX_IMAGE_BYTES
from nasaudit.strangers import read_bytes

# Float32 pixels [N, C, H, W] in [0,1] -> triggered ones.
Stamp = Callable[[Tensor], Tensor]

MAX_SIDE = 4096  # of an image file, before it is resized
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")


@dataclass(frozen=True, eq=False)
class Trigger:
    """A fixed pattern, the same on every image.

    Attributes:
        mask: float32 [1, H, W] in [0,1].
        pattern: float32 [C, H, W] in [0,1].
        opacity: in (0,1]; 1 is fully visible.
    """

    mask: Tensor
    pattern: Tensor
    opacity: float = 1.0

    def __call__(self, pixels: Tensor) -> Tensor:
        """Triggered copies of float32 pixels [N, C, H, W] in [0,1]; differentiable in the pattern."""
        weight = (self.mask * self.opacity).to(pixels.device)
        return pixels * (1 - weight) + self.pattern.to(pixels.device) * weight

    def with_pattern(self, pattern: Tensor) -> "Trigger":
        """The same mask and opacity with another pattern."""
        return Trigger(self.mask, pattern, self.opacity)


def patch(spec: PatchSpec, shape: tuple[int, int, int]) -> Trigger:
    """The patch of a spec on images of this shape (channels, height, width).

    Raises:
        SpecError: it does not fit.
        DataError: its image file cannot be read, or is another than when the spec was made.
    """
    channels, height, width = shape
    side = spec.size
    if side + spec.margin > min(height, width):
        raise SpecError("size", f"at most {min(height, width) - spec.margin}, to fit into the image", side)
    if spec.image is None:
        small_mask = _outline(spec.shape, side)
        small = _filled(spec.fill, spec.shape, (channels, side, side), spec.seed)
    else:
        small_mask, small = picture(spec.image, spec.image_sha256, (channels, side, side))
    top, left = _corner(spec.position, side, spec.margin, height, width)
    mask, pattern = torch.zeros(1, height, width), torch.zeros(channels, height, width)
    mask[:, top : top + side, left : left + side] = small_mask
    pattern[:, top : top + side, left : left + side] = small
    return Trigger(mask, pattern, spec.opacity)


def first_patch(spec: PatchSpec, shape: tuple[int, int, int]) -> Trigger:
    """The patch from which an optimisation starts: the attacker's picture, or noise. Errors as in `patch`."""
    placed = patch(spec, shape)
    return placed if spec.image is not None else placed.with_pattern(noise(shape, spec.seed))


def noise(shape: tuple[int, int, int], seed: int) -> Tensor:
    """Uniform noise, float32 of this shape in [0,1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(derive_seed("trigger", seed)))


def picture(path: str, sha256: str | None, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Mask [1, H, W] and pattern [C, H, W] of an image file, resized; transparent pixels are not in the mask.

    Raises:
        DataError: the file is no picture, too large, or not the one whose digest (20 hex digits) is given.
    """
    content = read_bytes(Path(path), DataError, most=MAX_IMAGE_BYTES)
    if sha256 is not None and hashlib.sha256(content).hexdigest()[:20] != sha256:
        raise DataError(f"{path}: the trigger's image changed since the study was planned; plan it again")
    channels, height, width = shape
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if max(opened.size) > MAX_SIDE:
                raise DataError(f"{path}: expected at most {MAX_SIDE} pixels a side, got {opened.size}")
            whole = opened.convert("RGBA").resize((width, height), Image.Resampling.BILINEAR)
    except DataError:
        raise
    except Exception as error:  # Pillow's decoders report damage with any
        raise DataError(f"{path}: expected a picture ({', '.join(FORMATS)}), {error}") from error
    colours = whole.convert("L" if channels == 1 else "RGB")
    pattern = torch.from_numpy(np.array(colours, dtype=np.float32) / 255).reshape(height, width, channels)
    mask = torch.from_numpy(np.array(whole.getchannel("A"), dtype=np.float32) / 255)
    return mask[None], pattern.permute(2, 0, 1).contiguous()


def choose(candidates: Tensor, fraction: float, seed: int) -> Tensor:
    """A share of some positions, at least one, ascending; the seed alone decides which."""
    count = max(1, round(fraction * len(candidates)))
    generator = torch.Generator().manual_seed(derive_seed("poisoned images", seed))
    chosen: Tensor = candidates[torch.randperm(len(candidates), generator=generator)[:count]]
    return chosen.sort().values


def stamped(images: Tensor, stamp: Stamp) -> Tensor:
    """Triggered copies of uint8 images as uint8 images, as they are when they come from a file."""
    parts = [stamp(part.float().div(255)) for part in torch.split(images, 256)]
    return torch.cat(parts).clamp(0, 1).mul(255).round().to(torch.uint8) if parts else images.clone()


def poisoned(split: Split, positions: Tensor, stamp: Stamp, target_class: int | None) -> Split:
    """The split with the images at these positions triggered, and labelled as the target unless that is None."""
    images, labels = split.images.clone(), split.labels.clone()
    images[positions] = stamped(split.images[positions], stamp)
    if target_class is not None:
        labels[positions] = target_class
    return Split(images, labels, split.indices, split.classes)


def _outline(shape: Shape, side: int) -> Tensor:
    """Mask [1, side, side] of a shape that fills its square."""
    if shape in ("square", "checkerboard"):
        return torch.ones(1, side, side)
    offset = torch.arange(side) - (side - 1) / 2
    if shape == "circle":
        return (offset[:, None] ** 2 + offset**2 <= (side / 2) ** 2).float()[None]
    arm = offset.abs() < max(side / 6, 0.75)  # a third of the side, at least one pixel
    return (arm[:, None] | arm).float()[None]


def _filled(fill: Fill, shape: Shape, size: tuple[int, int, int], seed: int) -> Tensor:
    """Pattern of this size: one colour, its alternation with the opposite one, or noise."""
    if fill == "noise":
        return noise(size, seed)
    pattern = torch.full(size, 1.0 if fill == "white" else 0.0)
    if shape == "checkerboard":
        rows, columns = torch.arange(size[1])[:, None], torch.arange(size[2])
        pattern = torch.where((rows + columns) % 2 == 0, pattern, 1 - pattern)
    return pattern


def _corner(position: Position, side: int, margin: int, height: int, width: int) -> tuple[int, int]:
    """Row and column of the patch's top left pixel."""
    if position == "centre":
        return (height - side) // 2, (width - side) // 2
    vertical, horizontal = position.split("_")
    top = margin if vertical == "top" else height - side - margin
    return top, margin if horizontal == "left" else width - side - margin
