"""Split: images in memory, with where they came from. Poisoning returns another Split; nothing edits one."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from nasaudit.errors import DataError


@dataclass(frozen=True, eq=False)
class Split:
    """Images and labels of one role (train, validation, test, pool).

    Attributes:
        images: uint8 [N, C, H, W], C of 1 or 3.
        labels: int64 [N], in 0..classes-1.
        indices: int64 [N], positions in the source, so that an image can be named across splits and runs.
        classes: how many classes there are.

    Raises:
        DataError: a type, shape or label is not as above.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    classes: int

    def __post_init__(self) -> None:
        if self.images.dtype != torch.uint8 or self.images.ndim != 4 or self.images.shape[1] not in (1, 3):
            raise DataError(
                "expected uint8 images [N, C, H, W] with 1 or 3 channels, "
                f"got {self.images.dtype} {list(self.images.shape)}"
            )
        if not len(self.images) == len(self.labels) == len(self.indices):
            raise DataError(
                f"expected as many labels and indices as images ({len(self.images)}), "
                f"got {len(self.labels)} and {len(self.indices)}"
            )
        outside = (self.labels < 0) | (self.labels >= self.classes)
        if outside.any():
            first = int(outside.nonzero()[0])
            raise DataError(
                f"expected labels in 0..{self.classes - 1}, got {int(self.labels[first])} at position {first}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    @cached_property
    def digest(self) -> str:
        """First 20 hex digits of the SHA-256 of images, labels and indices."""
        whole = hashlib.sha256(f"{tuple(self.images.shape)}:{self.classes}".encode())
        for tensor in (self.images, self.labels, self.indices):
            whole.update(tensor.contiguous().numpy().tobytes())
        return whole.hexdigest()[:20]

    def take(self, positions: Tensor) -> "Split":
        """The images at these positions, in this order."""
        return Split(self.images[positions], self.labels[positions], self.indices[positions], self.classes)

    def with_images(self, images: Tensor) -> "Split":
        """The same labels and indices on other pixels."""
        return Split(images, self.labels, self.indices, self.classes)

    def joined(self, *others: "Split") -> "Split":
        """These images, and then those of others with the same classes."""
        parts = (self, *others)
        return Split(
            torch.cat([part.images for part in parts]),
            torch.cat([part.labels for part in parts]),
            torch.cat([part.indices for part in parts]),
            self.classes,
        )

    def changed(self, indices: Tensor, labels: Tensor, images: Tensor | None = None) -> "Split":
        """A copy in which some images have other labels, and other pixels where `images` are given.

        Args:
            indices: int64 [n], source indices of the images to change.
            labels: int64 [n], their new labels.
            images: uint8 [n, C, H, W], their new pixels.

        Raises:
            DataError: an index is not in this split.
        """
        positions = self.find(indices)
        new_labels, new_images = self.labels.clone(), self.images
        new_labels[positions] = labels
        if images is not None:
            new_images = self.images.clone()
            new_images[positions] = images
        return Split(new_images, new_labels, self.indices, self.classes)

    def find(self, indices: Tensor) -> Tensor:
        """Positions int64 [n] in this split of images named by their source index.

        Raises:
            DataError: an index is not in this split.
        """
        order = self.indices.argsort()
        slots = torch.searchsorted(self.indices[order], indices).clamp_max(max(len(self) - 1, 0))
        positions = order[slots] if len(self) else slots
        if len(indices) and (not len(self) or not torch.equal(self.indices[positions], indices)):
            raise DataError("expected source indices of images in this split, got others")
        return positions

    def pixels(self, positions: Tensor | slice = slice(None)) -> Tensor:
        """float32 pixels in [0,1], channels-last."""
        chosen = self.images[positions].to(torch.float32, memory_format=torch.channels_last)
        return chosen.div_(255)

    def tensors(self, device: str | torch.device) -> tuple[Tensor, Tensor]:
        """Pixels (as above) and labels, on a device."""
        return self.pixels().to(device), self.labels.to(device)

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the pixels by channel; a network's first layer normalises by them."""
        pixels = self.images.double().div(255)
        deviation = pixels.std(dim=(0, 2, 3)).clamp_min(1e-3)
        return pixels.mean(dim=(0, 2, 3)).float(), deviation.float()


@dataclass(frozen=True)
class DataBundle:
    """The four disjoint roles of one data set, and what a network and a report need to know of it."""

    train: Split
    validation: Split
    test: Split
    pool: Split
    class_names: tuple[str, ...]
