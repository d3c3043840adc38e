"""Pixels to PNG data URIs, and files of them to strips of pictures: as it was, as it became, and the difference."""

import base64
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Picture, Strip
from nasaudit.results.schema import Examples, Pictures

Arrays = Mapping[str, npt.NDArray[Any]]


def strip(
    evidence: Evidence,
    entry: Pictures | Examples,
    title: str,
    draw: Callable[[Arrays], Iterable[Picture]],
    is_open: bool,
) -> Strip:
    """What `draw` makes of the arrays of a file; where the file is gone, a sentence that says so."""
    missing = evidence.missing(entry.file)
    if missing:
        return Strip(title, missing=missing, is_open=is_open)
    with np.load(evidence.folder / entry.file, allow_pickle=False) as archive:
        return Strip(title, tuple(draw(dict(archive))), is_open=is_open)


def triple(
    arrays: Arrays,
    k: int,
    changed: str,
    label: str,
    alts: tuple[str, str, str],
    caption: tuple[str, ...],
    note: str,
    least_gain: float = 0.0,
) -> Picture:
    """Image k as it was, as it became, and the difference on grey, amplified.

    Args:
        arrays: `clean` and `index` among them.
        k: counted in the file.
        changed: the array of what it became: grey levels, or (floats) pixels in [0,1].
        label: its true class.
        alts: what it is, what it became and what the difference is, in words.
        caption: plain and bold words by turns.
        note: the beginning of the small print.
        least_gain: see `magnified`.
    """
    index, clean, became = arrays["index"][k], arrays["clean"][k], arrays[changed][k]
    if became.dtype == np.uint8:
        difference, levels = (became.astype(np.float64) - clean) / 255, became
    else:
        difference, levels = became.astype(np.float64) - clean / 255, to_bytes(became)
    gain, magnified_uri = magnified(difference, least_gain)
    images = (
        (data_uri(clean), f"{alts[0]} {index}, a {label}"),
        (data_uri(levels), alts[1]),
        (magnified_uri, f"{alts[2]}, amplified {gain}"),
    )
    return Picture(images, caption, f"{note} · difference {gain} · image {index}")


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


def magnified(change: npt.NDArray[np.floating], least_gain: float = 0.0) -> tuple[str, str]:
    """A signed change as a picture in which its largest value is black or white.

    Args:
        change: [C, H, W], in pixels' units of [0,1].
        least_gain: by which it is multiplied at least, even if its largest values are then cut off.

    Returns:
        The factor in words (`×12`), and a data URI.
    """
    largest = float(np.abs(change).max())
    gain = max(least_gain, 0.5 / largest) if largest > 0 else 1.0
    return f"×{format.significant(gain, 2)}", data_uri(amplified(change, gain))
