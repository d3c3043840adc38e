"""What the published batches of CIFAR and ImageNet32 have in common: rows of flattened pixels, and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasaudit.data.raw import Labels, Pixels, RawData
from nasaudit.errors import DataError, shown


def unpack_rows(
    path: Path, batch: dict[str, Any], labels_key: str, shape: tuple[int, int, int]
) -> tuple[Pixels, Labels]:
    """Check one batch and give its rows their shape.

    Args:
        path: for messages.
        batch: `data` uint8 [n, C*H*W] and the labels, a list or an array of n integers.
        labels_key: where the labels are.
        shape: (channels, height, width).

    Raises:
        DataError: a key is absent, or rows and labels are not as above.
    """
    for key in ("data", labels_key):
        if key not in batch:
            raise DataError(
                f"{path}: expected {key!r} in the batch, found {', '.join(sorted(batch)) or 'nothing'}"
            )
    rows, labels = batch["data"], batch[labels_key]
    if isinstance(labels, list | tuple):
        # Looked at before NumPy does, which follows lists of lists of lists to the end.
        odd = [label for label in labels if type(label) is not int or abs(label) >= 2**31]
        if odd:
            raise DataError(
                f"{path}: expected whole-numbered labels under {labels_key!r}, got {shown(odd[0])} in the list"
            )
        labels = np.array(labels, dtype=np.int64)
    if not isinstance(labels, np.ndarray):
        raise DataError(
            f"{path}: expected whole-numbered labels under {labels_key!r}, got {type(labels).__name__}"
        )
    width = int(np.prod(shape))
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != width:
        got = f"{rows.dtype} {list(rows.shape)}" if isinstance(rows, np.ndarray) else type(rows).__name__
        raise DataError(f"{path}: expected data uint8 [n, {width}], got {got}")
    if labels.dtype.kind not in "iu" or labels.shape != (len(rows),):
        raise DataError(
            f"{path}: expected {len(rows)} whole-numbered labels, got {labels.dtype} {list(labels.shape)}"
        )
    return rows.reshape(-1, *shape), labels.astype(np.int64)


def join(folder: Path, batches: Sequence[tuple[Pixels, Labels]], class_names: tuple[str, ...]) -> RawData:
    """All images of the batches, of which the last one is the official test set."""
    return RawData(
        where=str(folder),
        images=np.concatenate([images for images, _ in batches]),
        labels=np.concatenate([labels for _, labels in batches]),
        class_names=class_names,
        official_train=sum(len(labels) for _, labels in batches[:-1]),
    )
