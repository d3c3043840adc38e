"""The figures of a whole store, or what its records say of each image, as one table. No torch.

A store holds the records of many studies, and no study's plan is asked: a row says what its record says.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasaudit.errors import InputError
from nasaudit.results.artefacts import Arrays, attacked, outcomes, read_arrays
from nasaudit.results.base import format_setting
from nasaudit.store.artefacts import EVASION, OUTCOMES, SCORES
from nasaudit.store.files import explain_full_disk
from nasaudit.store.reading import DistrustError, read_record
from nasaudit.store.records import Record
from nasaudit.store.store import Store
from nasaudit.store.upkeep import Tell

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 50_000  # rows that are written at once
SCORED = {"index": "iu", "member": "b", "score": "iuf"}

# What each column holds, and its type in a Parquet file.
OF_A_RECORD = {
    "digest": "string",  # of the task
    "kind": "string",  # of the task: train, evasion, victim_analysis, ...
    "state": "string",  # ok or failed
    "label": "string",
    "architecture": "string",  # that is attacked, trained or analysed
    "data": "string",
    "scale": "string",
    "seed": "int64",  # of the training
    "attack": "string",  # by name; of a training on poisoned images the poison's
    "fraction": "double",  # of the poison
    "analysis": "string",
    "seconds": "double",
    "finished": "string",
    "version": "string",  # of nasaudit
    "device": "string",
}
FIGURES = {
    **OF_A_RECORD,
    "metric": "string",
    "setting": "string",  # as in results.csv
    "value": "double",
    "low": "double",
    "high": "double",
    "n": "int64",
    "unit": "string",
    "bound": "string",
}
IMAGES = {
    **OF_A_RECORD,
    "index": "int64",  # position of the image in the data set
    "correct": "bool",  # before an evasion; after the training, which may be one on poisoned images
    "success": "bool",  # of an evasion, at the largest epsilon
    "minimal_epsilon": "double",
    "steps": "int64",
    "member": "bool",
    "score": "double",
}

Row = dict[str, Any]


def write_table(store: Store, path: Path, *, images: bool = False, tell: Tell = iter) -> int:
    """Write the table as a Parquet file; damaged records are left out.

    Args:
        store: whose records.
        path: of the file.
        images: a row an image, of every record that says something of images; or else a row a figure.
        tell: goes over the digests, and may tell somebody how far it is.

    Returns:
        How many rows.

    Raises:
        InputError: pyarrow is not installed.
        StoreError: an artefact is damaged, or the disk is full.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise InputError("Parquet needs pyarrow: pip install 'nasaudit[parquet]'") from error
    columns = IMAGES if images else FIGURES
    types = {"bool": pa.bool_(), "double": pa.float64(), "int64": pa.int64(), "string": pa.string()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    rows = image_rows(store, tell) if images else figure_rows(store, tell)
    count = 0
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with explain_full_disk(path.parent), pq.ParquetWriter(temporary, schema) as writer:
            for batch in _batches(rows):
                writer.write_table(_table(batch, schema))
                count += len(batch)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def figure_rows(store: Store, tell: Tell = iter) -> Iterator[Row]:
    """A row for each figure of each record, columns as in FIGURES; one without figures for each failure."""
    for record, _ in _records(store, tell):
        about = _about(record)
        if record.state == "failed":
            yield about
        for measured in record.measurements:
            estimate = measured.estimate
            yield {
                **about,
                "metric": measured.metric,
                "setting": format_setting(dict(measured.setting)),
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "n": estimate.n,
                "unit": estimate.unit,
                "bound": estimate.bound or "",
            }


def image_rows(store: Store, tell: Tell = iter) -> Iterator[Row]:
    """A row for each image of each record that says something of images, columns as in IMAGES."""
    for record, folder in _records(store, tell):
        about = _about(record)
        arrays = _of_images(record, folder)
        names = list(arrays)
        for values in zip(*(arrays[name].tolist() for name in names), strict=True):
            yield {**about, **dict(zip(names, values, strict=True))}


def _of_images(record: Record, folder: Path) -> Arrays:
    known = record.artefacts
    if EVASION in known and record.kind == "evasion":
        arrays = attacked(folder / EVASION)
        largest = max(record.task.get("attack", {}).get("epsilons") or [np.inf])
        return {
            **arrays,
            "success": arrays["minimal_epsilon"] <= largest,
            "steps": arrays["steps"].astype(int),
        }
    if SCORES in known:
        return read_arrays(folder / SCORES, SCORED)
    if OUTCOMES in known and record.kind == "train":
        return outcomes(folder / OUTCOMES)
    return {}


def _records(store: Store, tell: Tell) -> Iterator[tuple[Record, Path]]:
    digests: Collection[str] = store.digests()
    for digest in tell(digests):
        store.bring(digest)
        folder = store.path(digest)
        try:
            yield read_record(folder, digest, deep=False), folder
        except (DistrustError, FileNotFoundError):
            continue


def _about(record: Record) -> Row:
    """The columns of a record; what its task does not say is absent."""
    task = record.task
    victim = _part(task, "victim") or task
    poison = _part(task, "poison")
    architecture = _part(victim, "architecture")
    attack = _part(task, "attack") or _part(poison, "attack")
    fractions = _part(poison, "attack").get("fractions") or ()
    seed = victim.get("seed")
    return {
        "digest": record.digest,
        "kind": record.kind,
        "state": record.state,
        "label": record.label,
        "architecture": _text(architecture.get("name")),
        "data": _text(_part(victim, "data").get("name")),
        "scale": _text(architecture.get("scale")),
        "seed": seed if isinstance(seed, int) and abs(seed) < 2**63 else None,
        "attack": _text(attack.get("name")),
        "fraction": float(fractions[0]) if fractions and isinstance(fractions[0], int | float) else None,
        "analysis": _text(_part(task, "analysis").get("name")),
        "seconds": record.seconds,
        "finished": record.finished,
        "version": record.versions.get("nasaudit"),
        "device": record.versions.get("device"),
    }


def _part(task: Any, name: str) -> dict[str, Any]:
    part = task.get(name) if isinstance(task, dict) else None
    return part if isinstance(part, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _table(batch: list[Row], schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_pylist(batch, schema=schema)
