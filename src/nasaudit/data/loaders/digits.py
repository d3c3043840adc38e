"""The 1,797 digits that scikit-learn ships: 8x8 pixels, grey levels 0 to 16."""

from pathlib import Path

import numpy as np

from nasaudit.data.catalogue import DIGITS
from nasaudit.data.raw import RawData
from nasaudit.spec.data import DataSpec

GREY_LEVELS = 16


def load(spec: DataSpec, downloads: Path) -> RawData:
    """The digits with their grey levels spread over 0..255."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / GREY_LEVELS)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return RawData("digits", images, labels.astype(np.int64), DIGITS)
