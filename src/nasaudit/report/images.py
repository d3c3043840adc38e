"""Pixels to PNG data URIs, and files of them to strips of pictures: as it was, as it became, and the difference.

The files are those of the study's folder, which may be a stranger's: nothing outside of it is read, and what is not
as an attack writes it is said in a sentence in the place of the pictures.
"""

import base64
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nasaudit.data.safe_npz import load_arrays
from nasaudit.errors import DataError, InputError
from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Picture, Strip
from nasaudit.results.schema import Examples, Pictures
from nasaudit.strangers import opened

MOST_BYTES = 2**26  # of a file of pictures, packed or not: those of 24 images of 224 x 224 are a third of it


LONGEST_SIDE = 1024  # of an image
TRIGGER = ("mask", "pattern", "opacity")


@dataclass(frozen=True)
class Wanted:
    """What a file of pictures holds, beside the images before (`clean`) and their `index` and `label`.

    Attributes:
        changed: the images after: grey levels, or pixels in [0,1].
        numbers: arrays with a number for each image.
        single: arrays of one number.
        trigger: whether there may be a `mask` and a `pattern` of the size of the images, with an `opacity`.
    """

    changed: str
    numbers: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    trigger: bool = False


@dataclass(frozen=True)
class Images:
    """The arrays of a file of pictures, and the names of the classes that they speak of."""

    arrays: Mapping[str, npt.NDArray[Any]]
    class_names: Sequence[str]

    @classmethod
    def read(cls, path: Path, folder: Path, wanted: Wanted, class_names: Sequence[str]) -> "Images":
        """The arrays that are wanted of a file in a folder.

        Raises:
            InputError: the file leads out of the folder, is no archive of plain arrays, or these are of other shapes.
        """
        size = _unpacked(path, folder)
        if size > MOST_BYTES:
            raise DataError(f"{path}: expected at most {MOST_BYTES} bytes of pictures, got {size}")
        numbers = ("index", "label", *wanted.numbers)
        required = ("clean", wanted.changed, *numbers, *wanted.single)
        arrays = load_arrays(path, required, TRIGGER if wanted.trigger else ())
        clean, changed = arrays["clean"], arrays[wanted.changed]
        count, *image = clean.shape or (0,)
        shapes = {
            **dict.fromkeys(numbers, (count,)),
            **dict.fromkeys((*wanted.single, "opacity"), ()),
            "mask": (1, *image[1:]),
            "pattern": tuple(image),
        }
        wrong = [name for name, array in arrays.items() if array.shape != shapes.get(name, clean.shape)]
        wrong += [name for name, array in arrays.items() if not _finite(array)]
        if len(image) != 3 or image[0] not in (1, 3) or not 1 <= min(image) <= max(image) <= LONGEST_SIDE:
            wrong.append("clean")
        wrong += ["clean"] if clean.dtype != np.uint8 else []
        wrong += [wanted.changed] if changed.dtype != np.uint8 and changed.dtype.kind != "f" else []
        wrong += [name for name in TRIGGER if name not in arrays and arrays.keys() & set(TRIGGER)]
        if wrong:
            got = arrays.get(wrong[0])
            what = "nothing" if got is None else f"{got.dtype} {list(got.shape)}"
            raise DataError(f"{path}: expected {wrong[0]!r} as an attack writes it, got {what}")
        return cls(arrays, class_names)

    def class_name(self, key: str, k: int) -> str:
        """The name of the class that an array gives for image k, or its number where it has none."""
        position = int(self.arrays[key].flat[k])
        return self.class_names[position] if 0 <= position < len(self.class_names) else str(position)

    def triple(
        self,
        k: int,
        changed: str,
        alts: tuple[str, str, str],
        caption: tuple[str, ...],
        note: str,
        least_gain: float = 0.0,
    ) -> Picture:
        """Image k as it was, as it became, and the difference on grey: its largest value is black or white.

        Args:
            k: counted in the file.
            changed: the array of what it became: grey levels, or (floats) pixels in [0,1].
            alts: what it is, what it became and what the difference is, in words.
            caption: plain and bold words by turns.
            note: the beginning of the small print.
            least_gain: by which the difference is multiplied at least, even if its largest values are cut off.
        """
        index, clean, became = self.arrays["index"][k], self.arrays["clean"][k], self.arrays[changed][k]
        if became.dtype == np.uint8:
            difference, levels = (became.astype(np.float64) - clean) / 255, became
        else:
            difference, levels = became.astype(np.float64) - clean / 255, to_bytes(became)
        largest = float(np.abs(difference).max())
        gain = max(least_gain, 0.5 / largest) if largest > 0 else 1.0
        times = f"×{format.significant(gain, 2)}"
        images = (
            (data_uri(clean), f"{alts[0]} {index}, a {self.class_name('label', k)}"),
            (data_uri(levels), alts[1]),
            (data_uri(amplified(difference, gain)), f"{alts[2]}, amplified {times}"),
        )
        return Picture(images, caption, f"{note} · difference {times} · image {index}")


def strip(
    evidence: Evidence,
    entry: Pictures | Examples,
    title: str,
    wanted: Wanted,
    draw: Callable[[Images], Iterable[Picture]],
    is_open: bool,
) -> Strip:
    """What `draw` makes of the images of a file; where there are none to be drawn, a sentence that says why."""
    path = evidence.folder / entry.file
    if not path.exists():
        missing = f"The file {entry.file} is not in the study's folder."
        return Strip(title, missing=missing, is_open=is_open)
    try:
        images = Images.read(path, evidence.folder, wanted, evidence.results.class_names)
    except InputError as error:
        # The page may be handed on: it says nothing of where the folder is.
        reason = str(error).removeprefix(f"{path}: ").replace(str(evidence.folder), "the folder")
        missing = f"The file {entry.file} cannot be shown: {reason}."
        return Strip(title, missing=missing, is_open=is_open)
    return Strip(title, tuple(draw(images)), is_open=is_open)


def _unpacked(path: Path, folder: Path) -> int:
    """How many bytes an archive in a folder says that it holds."""
    with opened(path, DataError, most=MOST_BYTES, inside=folder) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return sum(member.file_size for member in archive.infolist())
        except Exception:  # it is no archive, in one of a dozen ways: whoever reads it says so
            return 0


def _finite(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind in "buif" and bool(np.isfinite(array).all())


def data_uri(pixels: npt.NDArray[np.uint8]) -> str:
    """A PNG of one image.

    Args:
        pixels: uint8 [C, H, W] with 1 or 3 channels.
    """
    channels = pixels.shape[0]
    picture = Image.fromarray(pixels[0] if channels == 1 else np.moveaxis(pixels, 0, -1))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def to_bytes(pixels: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Pixels in [0,1] to grey levels 0..255."""
    levels: npt.NDArray[np.uint8] = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    return levels


def amplified(change: npt.NDArray[np.floating], gain: float) -> npt.NDArray[np.uint8]:
    """A signed change on mid-grey: no change is grey, `gain * change` of +-0.5 is white or black."""
    return to_bytes(0.5 + gain * change)
