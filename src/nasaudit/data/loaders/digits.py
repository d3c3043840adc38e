"""The 1,797 digits that scikit-learn ships: 8x8 pixels, grey levels 0 to 16.

Its own function imports all of scikit-learn, which takes longer than a plan; this one reads the same file.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nasaudit.data.catalogue import DIGITS
from nasaudit.data.raw import RawData
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec

GREY_LEVELS = 16


def load(spec: DataSpec, downloads: Path) -> RawData:
    """The digits with their grey levels spread over 0..255."""
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise DataError("digits: expected scikit-learn, which ships them; install scikit-learn")
    file = Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    try:
        with gzip.open(file, "rt") as text:
            table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({error}); reinstall scikit-learn") from error
    images = np.rint(table[:, :-1] * (255 / GREY_LEVELS)).astype(np.uint8).reshape(-1, 1, 8, 8)
    return RawData("digits", images, table[:, -1].astype(np.int64), DIGITS)
