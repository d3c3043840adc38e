"""Which images a model was trained on, as whoever trained it says: by index files, or by an official test set."""

import io
import tokenize
from pathlib import Path

import numpy as np

from nasaudit.data.raw import Labels, RawData
from nasaudit.errors import DataError, SpecError
from nasaudit.spec.data import DataSpec
from nasaudit.strangers import read_bytes

LONGEST_INDEX = 1 << 26  # bytes


def given_division(raw: RawData, spec: DataSpec) -> tuple[Labels, Labels, Labels]:
    """Positions that were trained on, that were not and are for testing, and that are neither; ascending.

    Args:
        raw: all images, in the source's order.
        spec: names the index files; without any, the division is the official one.

    Raises:
        DataError: a file that is no list of positions, a position that is not there, one in both, an empty part.
        SpecError: `classes` or `train_images`, which divide anew what is divided already.
    """
    for field in ("classes", "train_images"):
        if getattr(spec, field) is not None:
            raise SpecError(
                f"data.{field}", "nothing beside weights, whose images are given", getattr(spec, field)
            )
    everything = np.arange(len(raw.labels), dtype=np.int64)
    if spec.train_index is None and spec.test_index is None:
        if raw.official_train is None:
            raise DataError(f"{raw.where}: expected a test part of its own, or index files")
        return everything[: raw.official_train], everything[raw.official_train :], everything[:0]
    train, test = (_listed(path, everything) for path in (spec.train_index, spec.test_index))
    if spec.train_index is None:
        train = np.setdiff1d(everything, test)
    if spec.test_index is None:
        test = np.setdiff1d(everything, train)
    both = np.intersect1d(train, test)
    if len(both):
        raise DataError(
            f"{spec.test_index}: expected images that were not trained on, {both[0]} is in {spec.train_index}"
        )
    for part, path in ((train, spec.test_index), (test, spec.train_index)):
        if not len(part):
            raise DataError(f"{path}: expected less than all {len(everything)} images, none is left over")
    return train, test, np.setdiff1d(everything, np.union1d(train, test))


def _listed(path: str | None, everything: Labels) -> Labels:
    return everything[:0] if path is None else read_index(Path(path), len(everything))


def read_index(path: Path, n: int) -> Labels:
    """Positions int64, ascending, from a text file with a whole number a line, or from a .npy file.

    Raises:
        DataError: anything else; a number outside of 0..n-1, or one that stands there twice.
    """
    content = read_bytes(path, DataError, most=LONGEST_INDEX)
    try:
        if path.suffix == ".npy":
            values = np.load(io.BytesIO(content), allow_pickle=False)
        else:
            values = np.array([int(word) for word in content.decode("ascii").split()], dtype=np.int64)
    except (ValueError, OverflowError, EOFError, MemoryError, SyntaxError, tokenize.TokenError) as error:
        raise DataError(
            f"{path}: expected positions, a whole number a line or a .npy file ({str(error)[:200]})"
        ) from error
    if not isinstance(values, np.ndarray) or values.ndim != 1 or values.dtype.kind not in "iu":
        raise DataError(
            f"{path}: expected whole numbers [N], got {getattr(values, 'dtype', type(values).__name__)}"
        )
    positions = np.sort(values.astype(np.int64))
    if not len(positions):
        raise DataError(f"{path}: expected positions, the file is empty")
    if positions[0] < 0 or positions[-1] >= n:
        stray = positions[0] if positions[0] < 0 else positions[-1]
        raise DataError(f"{path}: expected positions of the {n} images, 0 to {n - 1}, got {stray}")
    twice = positions[1:][np.diff(positions) == 0]
    if len(twice):
        raise DataError(f"{path}: expected each position once, {twice[0]} stands there twice")
    return positions
