"""Images that a caller of the Python API holds in memory: written once as an npz file, which is named by its content.

From there on they are data like all others: workers read the file, and its digest is part of every task.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nasaudit.data.loaders.npz import checked
from nasaudit.data.raw import Labels, Pixels, check_memory
from nasaudit.errors import DataError
from nasaudit.progress import Progress, part, silent
from nasaudit.spec.data import DataSpec
from nasaudit.store.files import write_atomically

FORMS = (
    "(x, y), ((x_train, y_train), (x_test, y_test)), a torch Dataset or (train, test) of them; x: images "
    "[N, C, H, W] or [N, H, W, C], uint8 or floats in [0,1]; y: classes [N]"
)


class Dataset(Protocol):
    """What torch calls a map-style Dataset: pairs of an image and its class."""

    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> Any: ...


Array = Any  # what NumPy takes for an array, or a torch tensor: neither library names both
Part = tuple[Array, Array] | Dataset
Images = Part | tuple[Part, Part]


def write_images(images: Images, folder: Path, progress: Progress = silent) -> DataSpec:
    """Write images to a file in `folder`, unless it is there; the data set that they are.

    Args:
        images: one of FORMS. Of train and test, the test images are what a trained model is taken never to have seen.
        folder: made if it is not there.
        progress: told while a Dataset is read.

    Raises:
        DataError: they are of another form, layout or range; the message says what was expected.
        StoreError: the disk is full.
    """
    parts = _parts(images)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for number, (prefix, each) in enumerate(zip(("", "test_"), parts, strict=False)):
        where = "data" if len(parts) == 1 else f"data ({('train', 'test')[number]})"
        share = part(progress, number / len(parts), (number + 1) / len(parts))
        pixels, labels = _read(where, each, share) if _is_dataset(each) else _laid_out(where, *each)
        arrays |= {f"{prefix}images": pixels, f"{prefix}labels": labels}
    if names := _class_names(parts[0]):
        arrays["class_names"] = np.array(names)
    label = type(parts[0]).__name__.lower() if _is_dataset(parts[0]) else "arrays"
    path = folder.absolute() / f"{label}-{_digest(arrays)[:12]}.npz"
    if not path.exists():
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())
    return DataSpec(name="npz", path=str(path))


def _parts(images: Images) -> Sequence[Any]:
    if _is_dataset(images):
        return (images,)
    if not isinstance(images, tuple | list) or len(images) != 2:
        got = (
            f"{type(images).__name__} of {len(images)}" if isinstance(images, tuple | list) else type(images)
        )
        raise DataError(f"data: expected a name, or {FORMS}; got {got}{_advice(images)}")
    if all(_is_dataset(each) or (isinstance(each, tuple | list) and len(each) == 2) for each in images):
        return images
    return (images,)


def _advice(images: object) -> str:
    dataset = getattr(images, "dataset", None)
    return "; bring its `.dataset`" if dataset is not None and _is_dataset(dataset) else ""


def _is_dataset(images: object) -> bool:
    plain = isinstance(images, tuple | list | str | bytes | Mapping) or hasattr(images, "shape")
    return not plain and hasattr(images, "__len__") and hasattr(images, "__getitem__")


def _array(value: Any) -> npt.NDArray[Any]:
    if hasattr(value, "detach"):  # a tensor, wherever it is
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value  # NumPy has no bfloat16
    return np.asarray(value)


def _laid_out(where: str, images: Any, labels: Any) -> tuple[Pixels, Labels]:
    return checked(where, ("x", _array(images)), ("y", _array(labels)))


def _read(where: str, dataset: Dataset, progress: Progress) -> tuple[Pixels, Labels]:
    """All pairs of a Dataset; the first one twice, since what differs from time to time cannot be known again."""
    count = len(dataset)
    if not count:
        raise DataError(f"{where}: expected images, got an empty Dataset")
    first, again = (_pair(where, dataset, 0)[0] for _ in range(2))
    if not np.array_equal(first, again):
        raise DataError(
            f"{where}: expected the same image each time, the first one differs; take its augmentation off"
        )
    check_memory(where, first.size * count)
    images: npt.NDArray[Any] = np.empty((count, *first.shape), dtype=first.dtype)
    labels = []
    for position in range(count):
        image, label = _pair(where, dataset, position)
        if image.shape != first.shape:
            raise DataError(
                f"{where}: expected images of one size, {list(first.shape)}, got {list(image.shape)} at {position}"
            )
        images[position] = image
        labels.append(label)
        if position % 256 == 0:
            progress(position / count, f"reading image {position} of {count}")
    progress(1.0, "")
    return checked(where, ("images", images), ("classes", np.array(labels)))


def _pair(where: str, dataset: Dataset, position: int) -> tuple[npt.NDArray[Any], Any]:
    pair = dataset[position]
    if not isinstance(pair, tuple | list) or len(pair) < 2:
        raise DataError(
            f"{where}: expected pairs of an image and its class, got {type(pair).__name__} at {position}"
        )
    return _array(pair[0]), _array(pair[1]).item() if np.ndim(_array(pair[1])) == 0 else _array(pair[1])


def _class_names(images: Any) -> list[str]:
    """Those that torchvision's data sets have, where they are one for each class."""
    names = getattr(images, "classes", None) if _is_dataset(images) else None
    return list(names) if isinstance(names, list | tuple) and all(isinstance(n, str) for n in names) else []


def _digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    whole = hashlib.sha256()
    for name, values in arrays.items():
        whole.update(f"{name} {values.dtype} {values.shape}\0".encode())
        whole.update(np.ascontiguousarray(values).tobytes())
    return whole.hexdigest()
