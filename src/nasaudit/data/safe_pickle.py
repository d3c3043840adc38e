"""Read pickled batches of arrays without running what is in them.

A pickle is a program: it names functions and has them called. The published batches of CIFAR and ImageNet32
name only what NumPy writes for a plain array. `load_batch` knows those few names, and maps each to a class of
this file that merely keeps values and checks them, so not even NumPy's own reconstruction meets untrusted
input. Any other name is refused before it is imported.
"""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np

from nasaudit.errors import DataError, UnsafeFileError

_PLAIN_TYPE = re.compile(r"[<>|=]?[biuf][1248]|[<>|=]?b1")


def load_batch(path: Path) -> dict[str, Any]:
    """The dictionary in a batch file, with text keys and its arrays as NumPy arrays.

    Byte strings of Python 2 stay bytes where they are values.

    Raises:
        UnsafeFileError: the file asks for a function or class that no array needs; it is named.
        DataError: the file is missing, truncated or no pickled dictionary.
    """
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, path).load()
    except UnsafeFileError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged pickle can fail in any way: the documentation of pickle says so
        raise DataError(f"{path}: truncated, or not a pickled batch ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a pickled dictionary, got {type(content).__name__}")
    return {_text(key): _plain(path, value) for key, value in content.items()}


class _StandIn:
    """A value of the file, or a name in it. A file must not change the stand-ins themselves.

    Pickle's BUILD sets any attribute of what has no `__setstate__`, classes included.
    """

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        raise ValueError("a state for something that has none")


class _Type(_StandIn):
    """Stands for numpy.dtype: keeps the code of a plain number type and its byte order."""

    def __init__(self, code: str | bytes, align: bool = False, copy: bool = False):
        self.code = _text(code)
        if not _PLAIN_TYPE.fullmatch(self.code):
            raise ValueError(f"an array of type {self.code!r}, not of numbers")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = _text(state[1])
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {order!r}")
        self.code = order + self.code.lstrip("<>|=")


class _Array(_StandIn):
    """Stands for an array under reconstruction: (type, shape, order, bytes) until `value` is asked for."""

    def __init__(self, *reconstruct_arguments: Any):
        self._state: tuple[Any, Any, bool, Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, kind, column_order, content = state
        self._state = (kind, shape, bool(column_order), content)

    def value(self) -> np.ndarray[Any, np.dtype[Any]]:
        if self._state is None:
            raise ValueError("an array without content")
        kind, shape, column_order, content = self._state
        if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray):
            raise ValueError("an array of objects, not of numbers")
        # A view of the bytes: NumPy checks that they fill the shape exactly.
        flat = np.frombuffer(content, dtype=np.dtype(kind.code))
        return flat.reshape(shape, order="F" if column_order else "C")


class _Buffer(_Array):
    """Stands for numpy's `_frombuffer`, which pickle protocol 5 uses in place of `_reconstruct`."""

    def __init__(self, content: Any, kind: Any, shape: Any, order: Any):
        self._state = (kind, shape, order == "F", content)


class _Number(_StandIn):
    """Stands for numpy's `scalar`: a label that was pickled as a NumPy number."""

    def __new__(cls, kind: _Type, content: bytes) -> Any:
        return np.frombuffer(content, dtype=np.dtype(kind.code))[0].item()


class _Encoded(_StandIn):
    """Stands for `_codecs.encode`: how protocol 2 writes bytes from Python 3. Latin-1 only."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding != "latin1":
            raise ValueError(f"bytes in the encoding {encoding!r}")
        return text.encode("latin1")


class _ArrayClass(_StandIn):
    """Stands for numpy.ndarray, which is only ever named, never called."""

    def __init__(self) -> None:
        raise ValueError("a bare numpy.ndarray")


_STAND_INS: dict[str, type[_StandIn]] = {
    "numpy.dtype": _Type,
    "numpy.ndarray": _ArrayClass,
    "_codecs.encode": _Encoded,
    # NumPy 2 moved its internals from numpy.core to numpy._core.
    **{f"numpy.{core}.multiarray._reconstruct": _Array for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray.scalar": _Number for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _Buffer for core in ("core", "_core")},
}


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path):
        super().__init__(file, encoding="bytes")  # Python 2's strings hold pixels: they stay bytes
        self._path = path

    def find_class(self, module: str, name: str) -> type[_StandIn]:
        stand_in = _STAND_INS.get(f"{module}.{name}")
        if stand_in is None:
            raise UnsafeFileError(
                f"{self._path}: refused, it would run {module}.{name} when read; "
                "a batch of images needs nothing but arrays, lists and text"
            )
        return stand_in


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _plain(path: Path, value: Any) -> Any:
    if not isinstance(value, _Array):
        return value
    try:
        return value.value()
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: an array in it is damaged ({error})") from error
