"""RawData: what a loader hands over, before any split. NumPy only, so that planning needs no torch."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nasaudit.errors import DataError
from nasaudit.spec.data import MAX_CLASSES

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

SMALLEST_SIDE = 8  # the reductions of a cell network halve the side twice
MAX_NAME = 200  # characters of a class's name


def _most_bytes() -> int:
    """8 GiB, or a third of a smaller machine's memory: images are held once as they are read, and once as splits."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        memory = 3 * 2**33
    return min(2**33, memory // 3)


MAX_BYTES = _most_bytes()


@dataclass(frozen=True, eq=False)
class RawData:
    """All images of one data set.

    Attributes:
        where: the file or folder, for messages.
        images: uint8 [N, C, H, W], C of 1 or 3, H and W of at least 8.
        labels: int64 [N], in 0..classes-1.
        class_names: one name for each class, two or more.
        official_train: the images before this position are the official training set and those from it on
            the official test set; None: there is no official test set.
        indices: int64 [N], ascending: the images' positions in the source, where some were left out; None: 0..N-1.

    Raises:
        DataError: something is not as above.
    """

    where: str
    images: Pixels
    labels: Labels
    class_names: tuple[str, ...]
    official_train: int | None = None
    indices: Labels | None = None

    def __post_init__(self) -> None:
        check_images(self.where, self.images)
        if len(self.labels) != len(self.images):
            raise DataError(
                f"{self.where}: expected as many labels as images, "
                f"got {len(self.labels)} labels for {len(self.images)} images"
            )
        if len(self.class_names) < 2:
            raise DataError(
                f"{self.where}: expected two classes or more, got {len(self.class_names)}"
                + "".join(f" ({name})" for name in self.class_names)
            )
        check_names(self.where, self.class_names)
        check_labels(self.where, self.labels, len(self.class_names))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width


def check_memory(where: str, size: int) -> None:
    """Raise DataError unless so many bytes of images can be held in memory."""
    if size > MAX_BYTES:
        raise DataError(
            f"{where}: expected at most {MAX_BYTES / 2**30:.1f} GiB of images, a share of this machine's memory, "
            f"got {size / 2**30:.1f} GiB; take fewer or smaller ones"
        )


def check_names(where: str, names: tuple[str, ...]) -> None:
    """Raise DataError that names the first class whose name cannot be written into a report."""
    if len(names) > MAX_CLASSES:
        raise DataError(f"{where}: expected at most {MAX_CLASSES} classes, got {len(names)}")
    for number, name in enumerate(names):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(f"{where}: the name of class {number} is not UTF-8 text: {name}") from error
        if len(name) > MAX_NAME:
            raise DataError(
                f"{where}: expected names of at most {MAX_NAME} characters, got {len(name)} for class {number}"
            )


def check_images(where: str, images: npt.NDArray[Any]) -> None:
    """Raise DataError unless the images are uint8 [N, 1 or 3, H, W] with sides of at least 8 pixels."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise DataError(
            f"{where}: expected uint8 images [N, C, H, W] with 1 or 3 channels, "
            f"got {images.dtype} {list(images.shape)}"
        )
    height, width = images.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        raise DataError(f"{where}: expected sides of at least {SMALLEST_SIDE} pixels, got {height}x{width}")


def check_labels(where: str, labels: npt.NDArray[Any], classes: int) -> None:
    """Raise DataError that names the first label outside 0..classes-1."""
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise DataError(
            f"{where}: expected labels in 0..{classes - 1}, got {labels[outside[0]]} at position {outside[0]}"
        )
