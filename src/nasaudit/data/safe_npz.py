"""Read .npz archives of plain arrays; archives with pickled objects are refused, and those that do not fit in memory.

A member says twice how large it is, in the archive's list and in its own header. Both are read and compared before
any memory is asked for: a file of a kilobyte can claim 2^62 images, or unpack to all that a disk holds.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from nasaudit.data.raw import check_memory
from nasaudit.errors import DataError, UnsafeFileError
from nasaudit.strangers import opened

Arrays = dict[str, npt.NDArray[Any]]

SUFFIX = ".npy"
MAX_HEADER = 2**14  # bytes; NumPy reads no longer one
CHUNK = 2**20  # bytes
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # the second: an archive of nothing


def load_arrays(path: Path, required: Collection[str], optional: Collection[str] = ()) -> Arrays:
    """The named arrays of an archive; an optional one that is absent is left out.

    Raises:
        UnsafeFileError: an array of Python objects, or a pickle: reading it could run code.
        DataError: the file is missing, truncated or no archive, a required array is absent, or they are too large.
    """
    with opened(path, DataError) as file:
        start = file.read(len(npy.MAGIC_PREFIX))
        if start == npy.MAGIC_PREFIX:
            raise DataError(f"{path}: expected an .npz archive (numpy.savez), got a single array")
        if start.startswith(pickle.PROTO):
            raise _unsafe(path)
        if not start.startswith(_ZIP_STARTS):
            raise DataError(f"{path}: damaged, or not an .npz archive")
        file.seek(0)
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_all(path, archive, required, optional)
        except (DataError, UnsafeFileError):
            raise
        # What is damaged fails anywhere in zipfile, its decompressors and NumPy's parser, in a dozen ways.
        except Exception as error:
            raise DataError(
                f"{path}: cannot be read, or truncated ({error or type(error).__name__})"
            ) from error


def _read_all(
    path: Path, archive: zipfile.ZipFile, required: Collection[str], optional: Collection[str]
) -> Arrays:
    members = {name.removesuffix(SUFFIX): name for name in archive.namelist()}
    absent = [name for name in required if name not in members]
    if absent:
        raise DataError(f"{path}: expected an array {absent[0]!r}, found {', '.join(members) or 'nothing'}")
    wanted = [*required, *(name for name in optional if name in members)]
    check_memory(str(path), sum(archive.getinfo(members[name]).file_size for name in wanted))
    return {name: _read(f"{path}: array {name!r}", archive, members[name]) for name in wanted}


def _read(where: str, archive: zipfile.ZipFile, member: str) -> npt.NDArray[Any]:
    with archive.open(member) as stream:
        beginning = stream.read(MAX_HEADER)
        shape, columns_first, kind, start = _header(where, beginning)
        if kind.hasobject:
            raise _unsafe(where)
        listed = archive.getinfo(member).file_size
        if start + math.prod(shape) * kind.itemsize != listed or min(shape, default=0) < 0:
            raise DataError(
                f"{where}: damaged, its header says {list(shape)} of {kind}, which {listed} bytes are not"
            )
        # NumPy's own reader would want the member opened, and its header parsed, once more.
        array = np.empty(math.prod(shape), kind)
        content, filled = array.view(np.uint8).data, 0
        for part in (beginning[start:], *iter(partial(stream.read, CHUNK), b"")):
            content[filled : filled + len(part)] = part
            filled += len(part)
    if filled < len(content):
        raise DataError(f"{where}: damaged, it ends after {start + filled} of {listed} bytes")
    return array.reshape(shape, order="F" if columns_first else "C")


def _header(where: str, beginning: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape of an array, whether it is in Fortran's order, its type, and where its content begins."""
    stream = io.BytesIO(beginning)
    version = npy.read_magic(stream)
    if version not in _HEADERS:
        raise DataError(f"{where}: expected the .npy format 1.0 or 2.0, got {version}")
    return *_HEADERS[version](stream), stream.tell()


def _unsafe(where: object) -> UnsafeFileError:
    return UnsafeFileError(
        f"{where}: refused, it holds pickled objects, which can run code; "
        "save plain arrays of numbers with numpy.savez"
    )
