"""Artefacts of records, as results are made of them. A store may be a stranger's: what is wrong is one sentence."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy.typing as npt

from nasaudit.data.safe_npz import load_arrays
from nasaudit.errors import NasauditError, StoreError
from nasaudit.strangers import read_text

MAX_TEXT = 2**28  # bytes of a history or of landscapes
FAULTS = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError)

Arrays = dict[str, npt.NDArray[Any]]


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Where the content of an artefact is taken apart: one of another shape is a StoreError that names it."""
    try:
        yield
    except StoreError:
        raise
    except (NasauditError, *FAULTS) as error:
        raise StoreError(
            f"{path}: damaged, or not what such a task leaves ({type(error).__name__}: {str(error)[:200]}); "
            "run the study again with --mode force, or in another folder"
        ) from error


def read_arrays(path: Path, kinds: Mapping[str, str]) -> Arrays:
    """Arrays [N] of an .npz artefact, by name, as many entries of each.

    Args:
        path: the file.
        kinds: the letters of NumPy's kinds that each array may be of, by its name.

    Raises:
        StoreError: it is no such file.
    """
    with understood(path):
        arrays: Arrays = dict(load_arrays(path, tuple(kinds)))
        sizes = {len(values) for values in arrays.values() if values.ndim == 1}
        if len(sizes) != 1 or any(
            values.ndim != 1 or values.dtype.kind not in kinds[name] for name, values in arrays.items()
        ):
            shapes = ", ".join(
                f"{name} {values.dtype} {list(values.shape)}" for name, values in arrays.items()
            )
            raise ValueError(f"expected an entry an image, got {shapes}")
        return arrays


def read_json(path: Path) -> Any:
    """The content of a JSON artefact.

    Raises:
        StoreError: it is no such file.
    """
    with understood(path):
        return json.loads(read_text(path, StoreError, most=MAX_TEXT))


def outcomes(path: Path) -> Arrays:
    """`index` of each test image in the source, and whether a training gets it right (`correct`)."""
    return read_arrays(path, {"index": "iu", "correct": "b"})


def attacked(path: Path) -> Arrays:
    """What became of each attacked image: `index`, `correct` before the attack, `minimal_epsilon`, `steps`."""
    kinds = {"index": "iu", "correct": "b", "minimal_epsilon": "f", "steps": "iuf"}
    return read_arrays(path, kinds)
