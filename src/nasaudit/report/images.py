"""Pixels to PNG data URIs."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from nasaudit.report import format


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
