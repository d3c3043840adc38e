"""Pixels to PNG data URIs, and files of them to strips of pictures: as it was, as it became, and the difference."""

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Picture, Strip
from nasaudit.results.schema import Examples, Pictures


@dataclass(frozen=True)
class Images:
    """The arrays of a file of pictures, and the names of the classes that they speak of."""

    arrays: Mapping[str, npt.NDArray[Any]]
    class_names: Sequence[str]

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
    draw: Callable[[Images], Iterable[Picture]],
    is_open: bool,
) -> Strip:
    """What `draw` makes of the images of a file; where the file is gone, a sentence that says so."""
    if not (evidence.folder / entry.file).is_file():
        missing = f"The file {entry.file} is not in the study's folder."
        return Strip(title, missing=missing, is_open=is_open)
    with np.load(evidence.folder / entry.file, allow_pickle=False) as archive:
        images = Images(dict(archive), evidence.results.class_names)
    return Strip(title, tuple(draw(images)), is_open=is_open)


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
