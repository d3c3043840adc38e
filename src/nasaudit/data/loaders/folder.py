"""The user's own pictures: PATH/<class>/<picture>, read with Pillow.

With `train` and `test` folders in PATH that hold the same classes, `test` is the official test set. Pictures
keep one channel when all of them are grey, and are read as RGB otherwise (transparency is dropped). They
must share one size, unless `image_size` asks for a square that each is resized to, whatever its proportions.
Names that start with a dot are left out, as are loose files beside the class folders. A link may lead to a picture
inside of PATH, and nowhere else: the pictures of a stranger's folder are those that are in it.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasaudit.data.raw import Labels, Pixels, RawData, check_memory, check_names
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec
from nasaudit.strangers import is_folder, is_there, opened

if TYPE_CHECKING:
    from PIL import Image

# Those that Pillow reads by itself; for others it starts programs (EPS), or knows no limits.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
_GREY_MODES = {"1", "L", "LA"}
_COLOUR_MODES = {"P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"}


@dataclass(frozen=True)
class _Listing:
    """The pictures of each class, in a fixed order: those of the training part first."""

    class_names: tuple[str, ...]
    pictures: list[Path]
    labels: list[int]
    official_train: int | None


def load(spec: DataSpec, downloads: Path) -> RawData:
    """Read every picture. Two passes: the headers decide size and channels, then the pixels are read."""
    root = Path(spec.path or "")
    listing = _list(root)
    size, channels = _common_form(listing.pictures, spec.image_size)
    check_memory(str(root), len(listing.pictures) * channels * size[0] * size[1])
    images = np.empty((len(listing.pictures), channels, size[1], size[0]), dtype=np.uint8)
    for position, path in enumerate(listing.pictures):
        images[position] = _read(path, size, channels)
    labels: Labels = np.array(listing.labels, dtype=np.int64)
    return RawData(str(root), images, labels, listing.class_names, listing.official_train)


def files(spec: DataSpec, downloads: Path) -> list[Path]:
    """Every picture. Raises DataError when the folders are not as described."""
    return _list(Path(spec.path or "")).pictures


def class_names(spec: DataSpec, downloads: Path) -> tuple[str, ...]:
    """The names of the class folders."""
    return _list(Path(spec.path or "")).class_names


def _list(root: Path) -> _Listing:
    if not is_folder(root):
        raise DataError(
            f"{root}: expected a folder, " + ("got a file" if is_there(root) else "no such folder")
        )
    parts = {folder.name: folder for folder in _folders(root, root)}
    if {"train", "test"} <= set(parts) and _folders(parts["train"], root):
        if len(parts) > 2:
            others = ", ".join(sorted(set(parts) - {"train", "test"}))
            raise DataError(f"{root}: expected nothing beside the folders train and test, got {others}")
        train, test = _classes(parts["train"], root), _classes(parts["test"], root)
        if train.class_names != test.class_names:
            differing = sorted(set(train.class_names) ^ set(test.class_names))
            raise DataError(
                f"{root}: expected the same classes in train and test, {differing[0]} is in one only"
            )
        pictures, labels = train.pictures + test.pictures, train.labels + test.labels
        return _Listing(train.class_names, pictures, labels, len(train.pictures))
    return _classes(root, root)


def _classes(root: Path, whole: Path) -> _Listing:
    folders = _folders(root, whole)
    if len(folders) < 2:
        names = f"only {folders[0].name}" if folders else "none"
        raise DataError(f"{root}: expected a folder for each of two classes or more, got {names}")
    pictures: list[Path] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        members = _visible(folder, whole)
        if not members:
            raise DataError(f"{folder}: expected pictures, the folder is empty")
        for member in members:
            if is_folder(member):
                raise DataError(f"{member}: expected a picture, got a folder")
        pictures += members
        labels += [label] * len(members)
    class_names = tuple(folder.name for folder in folders)
    check_names(str(root), class_names)
    return _Listing(class_names, pictures, labels, None)


def _folders(folder: Path, root: Path) -> list[Path]:
    return [entry for entry in _visible(folder, root) if is_folder(entry)]


def _visible(folder: Path, root: Path) -> list[Path]:
    try:
        # Sorted by name as plain text, so that labels and indices are the same on every machine.
        entries = sorted(
            (entry for entry in folder.iterdir() if not entry.name.startswith(".")), key=lambda e: e.name
        )
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from error
    for entry in entries:
        if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(os.path.realpath(root)):
            raise DataError(
                f"{entry}: a link that leads out of {root}; copy what it leads to into the folder"
            )
    return entries


@contextmanager
def _opened(path: Path) -> Iterator["Image.Image"]:
    """The picture; whatever Pillow finds wrong with it is raised as a DataError that names the file."""
    from PIL import Image

    with opened(path, DataError) as file, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(file, formats=FORMATS) as picture:
                yield picture
        except DataError:
            raise
        except Exception as error:  # Pillow's decoders report damage with any
            raise DataError(f"{path}: not a readable picture ({error or type(error).__name__})") from error


def _common_form(pictures: list[Path], image_size: int | None) -> tuple[tuple[int, int], int]:
    """((width, height), channels) that all pictures are read as, from their headers; PNGs are checked whole."""
    common: tuple[int, int] | None = (image_size, image_size) if image_size else None
    all_grey = True
    for path in pictures:
        with _opened(path) as picture:
            if picture.mode not in _GREY_MODES | _COLOUR_MODES:
                raise DataError(f"{path}: expected 8 bits a channel, got Pillow's mode {picture.mode!r}")
            all_grey = all_grey and picture.mode in _GREY_MODES
            common = common or picture.size
            if image_size is None and picture.size != common:
                raise DataError(
                    f"{path}: expected {common[0]}x{common[1]} pixels (width x height) as in "
                    f"{pictures[0].name}, got {picture.size[0]}x{picture.size[1]}; "
                    "set image_size to resize all"
                )
            picture.verify()  # Pillow decodes a PNG whose end is missing as if it were whole
    if common is None:
        raise DataError("expected at least one picture")
    return common, 1 if all_grey else 3


def _read(path: Path, size: tuple[int, int], channels: int) -> Pixels:
    """One picture as uint8 [C, H, W]."""
    from PIL import Image

    with _opened(path) as picture:
        converted = picture.convert("L" if channels == 1 else "RGB")
        if converted.size != size:
            # Pillow widens the filter when it shrinks, so fine patterns do not turn into false ones.
            converted = converted.resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(converted)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
