"""Pixels to PNG data URIs."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image


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
