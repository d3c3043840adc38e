"""The user's own arrays in one .npz file.

`images` is [N, H, W], [N, H, W, C] or [N, C, H, W] with C of 1 or 3, as uint8 (0..255) or as floats in [0,1];
`labels` is [N], whole numbers from 0. `test_images` and `test_labels`, when both are there, are the official
test set. `class_names` (text) is optional.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nasaudit.data.raw import Labels, Pixels, RawData, check_images, check_labels
from nasaudit.data.safe_npz import load_arrays
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec
from nasaudit.strangers import is_file, is_folder, is_there

CHANNELS = (1, 3)


def load(spec: DataSpec, downloads: Path) -> RawData:
    """Read, check and lay out the arrays."""
    (path,) = files(spec, downloads)
    arrays = load_arrays(path, ("images", "labels"), ("test_images", "test_labels", "class_names"))
    images, labels = _part(path, arrays, "")
    official_train = None
    if "test_images" in arrays or "test_labels" in arrays:
        test_images, test_labels = _part(path, arrays, "test_")
        if test_images.shape[1:] != images.shape[1:]:
            raise DataError(
                f"{path}: expected test_images [C, H, W] like images, "
                f"got {list(test_images.shape[1:])} and {list(images.shape[1:])}"
            )
        official_train = len(images)
        images, labels = np.concatenate([images, test_images]), np.concatenate([labels, test_labels])
    names = _class_names(path, arrays, labels)
    return RawData(str(path), images, labels, names, official_train)


def files(spec: DataSpec, downloads: Path) -> list[Path]:
    """The one file. Raises DataError when it is not there."""
    path = Path(spec.path or "")
    if not is_file(path):
        got = (
            "got a folder" if is_folder(path) else "got something else" if is_there(path) else "no such file"
        )
        raise DataError(f"{path}: expected an .npz file, {got}")
    return [path]


def _part(path: Path, arrays: dict[str, npt.NDArray[Any]], prefix: str) -> tuple[Pixels, Labels]:
    for name in (f"{prefix}images", f"{prefix}labels"):
        if name not in arrays:
            raise DataError(f"{path}: expected both {prefix}images and {prefix}labels, {name} is missing")
    images, labels = f"{prefix}images", f"{prefix}labels"
    return checked(str(path), (images, arrays[images]), (labels, arrays[labels]))


def checked(
    where: str, images: tuple[str, npt.NDArray[Any]], labels: tuple[str, npt.NDArray[Any]]
) -> tuple[Pixels, Labels]:
    """Images uint8 [N, C, H, W] and labels int64 [N], of arrays in any of the accepted layouts and number types.

    Args:
        where: they come from, for messages.
        images: their name and values.
        labels: their name and values.

    Raises:
        DataError: what was expected of which of them, and what came.
    """
    (images_name, pixels), (labels_name, classes) = images, labels
    laid_out = _as_pixels(f"{where}: {images_name}", pixels)
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        advice = "; of one column a class take argmax(1)" if classes.ndim == 2 else ""
        raise DataError(
            f"{where}: {labels_name}: expected whole numbers [N], got {classes.dtype} {list(classes.shape)}{advice}"
        )
    negative = np.flatnonzero(classes < 0)
    if len(negative):
        raise DataError(
            f"{where}: {labels_name}: expected labels from 0, got {classes[negative[0]]} at position {negative[0]}"
        )
    if len(laid_out) != len(classes):
        raise DataError(
            f"{where}: expected as many {labels_name} as {images_name}, got {len(classes)} and {len(laid_out)}"
        )
    return laid_out, classes.astype(np.int64)


def _as_pixels(where: str, values: npt.NDArray[Any]) -> Pixels:
    """uint8 [N, C, H, W] from any of the accepted layouts and number types."""
    if values.size == 0:
        raise DataError(f"{where}: expected images, got an empty array {list(values.shape)}")
    if values.ndim == 3:
        laid_out = values[:, None]
    elif values.ndim == 4 and values.shape[1] in CHANNELS:
        laid_out = values
    elif values.ndim == 4 and values.shape[3] in CHANNELS:
        laid_out = values.transpose(0, 3, 1, 2)
    else:
        raise DataError(
            f"{where}: expected [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 channels, "
            f"got {list(values.shape)}"
        )
    if laid_out.dtype.kind == "f":
        laid_out = _from_unit_floats(where, laid_out)
    elif laid_out.dtype != np.uint8:
        raise DataError(f"{where}: expected uint8 (0..255) or floats in [0,1], got {values.dtype}")
    check_images(where, laid_out)
    return np.ascontiguousarray(laid_out)


def _from_unit_floats(where: str, values: npt.NDArray[Any]) -> Pixels:
    flat = values.reshape(len(values), -1)
    # Written so that NaN, which compares false with everything, counts as outside.
    inside = ((flat >= 0) & (flat <= 1)).all(axis=1)
    if not inside.all():
        image = int(np.flatnonzero(~inside)[0])
        worst = flat[image][~((flat[image] >= 0) & (flat[image] <= 1))][0]
        advice = "; divide by 255, or store uint8" if 1 < worst <= 255 else ""
        if (flat < 0).any():
            advice = "; bring the pixels as they are before a normalisation"
        raise DataError(f"{where}: expected floats in [0,1], got {worst:g} in image {image}{advice}")
    grey: Pixels = np.rint(values * values.dtype.type(255)).astype(np.uint8)
    return grey


def _class_names(path: Path, arrays: dict[str, npt.NDArray[Any]], labels: Labels) -> tuple[str, ...]:
    """The names in the file, or the labels themselves; every class must have an image."""
    if "class_names" in arrays:
        names = arrays["class_names"]
        if names.ndim != 1 or names.dtype.kind != "U":
            raise DataError(
                f"{path}: expected class_names as text [classes], got {names.dtype} {list(names.shape)}"
            )
        codes = np.frombuffer(np.ascontiguousarray(names).tobytes(), dtype=f"{names.dtype.str[0]}u4")
        if codes.max(initial=0) > sys.maxunicode:
            raise DataError(f"{path}: expected class_names as text, got what is no character")
        check_labels(str(path), labels, len(names))
        return tuple(str(name) for name in names)
    # Checked before a name is made for each: one stray label of a million is not a million classes.
    present = np.unique(labels)
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps):
        stray = present[gaps[0]]
        raise DataError(
            f"{path}: expected labels 0..k-1, each with an image, got {stray} at position "
            f"{int(np.argmax(labels == stray))} but no {gaps[0]}"
        )
    return tuple(str(label) for label in present)
