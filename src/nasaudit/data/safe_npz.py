"""Read .npz archives of plain arrays; archives with pickled objects are refused."""

import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nasaudit.errors import DataError, UnsafeFileError

Arrays = dict[str, npt.NDArray[Any]]


def load_arrays(path: Path, required: Collection[str], optional: Collection[str] = ()) -> Arrays:
    """The named arrays of an archive; an optional one that is absent is left out.

    Raises:
        UnsafeFileError: an array of Python objects, or a pickle: reading it could run code.
        DataError: the file is missing, truncated or no archive, or a required array is absent.
    """
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: expected an .npz archive (numpy.savez), got a single array")
        with opened as archive:
            absent = [name for name in required if name not in archive.files]
            if absent:
                names = ", ".join(archive.files) or "nothing"
                raise DataError(f"{path}: expected an array {absent[0]!r}, found {names}")
            present = [name for name in optional if name in archive.files]
            return {name: _read(path, archive, name) for name in (*required, *present)}
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: cannot be read, or truncated ({error})") from error
    except ValueError as error:
        raise _refusal(path, error) from error


def _read(path: Path, archive: Any, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        raise _refusal(f"{path}: array {name!r}", error) from error


def _refusal(where: object, error: ValueError) -> DataError | UnsafeFileError:
    # NumPy has no error type of its own for this; its message names the argument that would allow it.
    if "allow_pickle" in str(error):
        return UnsafeFileError(
            f"{where}: refused, it holds pickled objects, which can run code; "
            "save plain arrays of numbers with numpy.savez"
        )
    return DataError(f"{where}: damaged, or not an .npz archive ({error})")
