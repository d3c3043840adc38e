import base64
import io

import numpy as np
import pytest
from PIL import Image

from nasaudit.report.images import amplified, data_uri, to_bytes


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_same_pixels(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 9, 7), dtype=np.uint8)
    kind, data = data_uri(pixels).split(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        read = np.asarray(picture).reshape(9, 7, channels)
    assert (read == pixels.transpose(1, 2, 0)).all()


def test_grey_levels_survive_the_way_through_floats() -> None:
    levels = np.arange(256)
    assert (to_bytes((levels / 255).astype(np.float32)) == levels).all()
    assert to_bytes(np.array([-0.1, 1.2])).tolist() == [0, 255]


def test_no_change_is_grey_and_the_largest_is_black_or_white() -> None:
    change = np.array([[[0.0, 8 / 255, -8 / 255]]])
    assert amplified(change, 0.5 / (8 / 255)).ravel().tolist() == [128, 255, 0]
