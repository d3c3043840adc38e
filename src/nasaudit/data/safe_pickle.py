"""Read pickled batches of arrays without running what is in them.

A pickle is a program: it names functions and has them called. The published batches of CIFAR and ImageNet32
name only what NumPy writes for a plain array. `load_batch` knows those few names, and maps each to a class of
this file that merely keeps values and checks them, so not even NumPy's own reconstruction meets untrusted
input. Any other name is refused before it is imported.

The machine that runs the program is the one that Python has in Python: the one in C asks for as much memory as a file
claims to need, and ends the process when it compares tuples that are nested a million deep.
"""

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nasaudit.errors import DataError, UnsafeFileError
from nasaudit.strangers import read_bytes

MAX_BATCH_BYTES = 2**30  # the largest published batch, of ImageNet32, has 0.4 GB
MAX_STEPS = 5_000_000  # of the program; that batch has a few for each of 128,117 labels
MAX_INNER = 64  # values of a tuple in a tuple: shapes and the states of types have fewer
_PLAIN_TYPE = re.compile(r"[<>|=]?[biuf][1248]|[<>|=]?b1")


def load_batch(path: Path) -> dict[str, Any]:
    """The dictionary in a batch file, with text keys and its arrays as NumPy arrays.

    Byte strings of Python 2 stay bytes where they are values.

    Raises:
        UnsafeFileError: the file asks for a function or class that no array needs; it is named.
        DataError: the file is missing, truncated or no pickled dictionary.
    """
    program = read_bytes(path, DataError, most=MAX_BATCH_BYTES)
    try:
        content = _ArrayUnpickler(_Program(program), path).load()
    except UnsafeFileError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way: the documentation of pickle says so
        raise DataError(
            f"{path}: truncated, or not a pickled batch ({error or type(error).__name__})"
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a pickled dictionary, got {type(content).__name__}")
    if not all(isinstance(key, str | bytes) for key in content):
        raise DataError(f"{path}: expected a dictionary whose keys are text")
    return {_text(key): _plain(path, value) for key, value in content.items()}


def check_program(program: bytes, pickles: int = 1) -> None:
    """Refuse pickles that would fill the memory, never end, or nest tuples until a reader in C fails.

    Nothing that they name is imported: this says nothing of what they would run.

    Args:
        program: the pickles, one after the other; anything may follow.
        pickles: how many are looked at, where there are as many.

    Raises:
        DataError: one is damaged, or beyond the bounds.
    """
    content = _Program(program)
    try:
        for _ in range(pickles):
            if content.tell() < len(program):
                _Observed(content).load()
    except Exception as error:
        raise DataError(f"damaged, or beyond all bounds ({error or type(error).__name__})") from error


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


class _Program(io.BytesIO):
    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line.endswith(b"\n"):
            raise EOFError("a line that does not end")
        return line


class _Machine(pickle._Unpickler):
    """Runs a program within bounds; what its names stand for is said by `find_class`."""

    stack: list[Any]

    def __init__(self, program: _Program):
        super().__init__(program, encoding="bytes")  # Python 2's strings hold pixels: they stay bytes
        self._steps = 0

    def _step(self, load: Callable[[Any], None], makes_tuple: bool) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} steps")
        load(self)
        if makes_tuple:
            _check_flat(self.stack[-1])


def _check_flat(value: tuple[Any, ...]) -> None:
    """Tuples of tuples of values are all that arrays need; to hash or compare deeper ones can take for ever."""
    for inner in value:
        if isinstance(inner, tuple) and (
            len(inner) > MAX_INNER or any(isinstance(innermost, tuple) for innermost in inner)
        ):
            raise ValueError("tuples nested deeper than those of an array")


def _stepping(load: Callable[[Any], None], makes_tuple: bool) -> Callable[[Any], None]:
    return lambda machine: machine._step(load, makes_tuple)


_TUPLES = tuple(getattr(pickle, name)[0] for name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"))
# Sets are in no batch, and their members are hashed like keys.
_SETS = tuple(getattr(pickle, name)[0] for name in ("EMPTY_SET", "ADDITEMS", "FROZENSET"))
_Machine.dispatch = {
    opcode: _stepping(load, opcode in _TUPLES)
    for opcode, load in pickle._Unpickler.dispatch.items()
    if opcode not in _SETS
}
# Python's own asks for memory before it reads; as bytes the content is as good.
_Machine.dispatch[pickle.BYTEARRAY8[0]] = _Machine.dispatch[pickle.BINBYTES8[0]]


class _ArrayUnpickler(_Machine):
    def __init__(self, program: _Program, path: Path):
        super().__init__(program)
        self._path = path

    def find_class(self, module: str, name: str) -> type[_StandIn]:
        stand_in = _STAND_INS.get(f"{module}.{name}")
        if stand_in is None:
            raise UnsafeFileError(
                f"{self._path}: refused, it would run {module}.{name} when read; "
                "a batch of images needs nothing but arrays, lists and text"
            )
        return stand_in


class _Anything(_StandIn):
    """Stands for whatever a program names, where only its course is looked at."""

    def __new__(cls, *arguments: Any) -> "_Anything":
        return super().__new__(cls)

    def __init__(self, *arguments: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass

    def __call__(self, *arguments: Any) -> "_Anything":
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def extend(self, values: Any) -> None:
        pass


class _Observed(_Machine):
    def find_class(self, module: str, name: str) -> type[_StandIn]:
        return _Anything

    def persistent_load(self, key: Any) -> _Anything:
        return _Anything()


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)


def _plain(path: Path, value: Any) -> Any:
    if not isinstance(value, _Array):
        return value
    try:
        return value.value()
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise DataError(f"{path}: an array in it is damaged ({error})") from error
