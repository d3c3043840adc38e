"""What `nasaudit list` says, and how any table looks on a terminal."""

import io
from collections.abc import Callable
from typing import Any

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.data.catalogue import DATA, DataSource
from nasaudit.errors import InputError
from nasaudit.measure.catalogue import METRICS
from nasaudit.registry import Registry
from nasaudit.spec.analyses import ANALYSES
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.base import Spec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.remedies.catalogue import REMEDIES
from nasaudit.spec.searches import SEARCHES
from nasaudit.terminal.fields import fields_of, source_of
from nasaudit.terminal.plain import plain

Entry = dict[str, Any]


def entries(what: str) -> list[Entry]:
    """The names of one catalogue, each with what a reader needs to choose."""
    return _LISTS[what]()


def table(what: str, rows: list[Entry], width: int = 120) -> str:
    """Entries as a table, of at most so many letters in a line; a list is a cell of several lines."""
    if not rows:
        return f"no {what} in this version"
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in rows[0]:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*(Text(_cell(value)) for value in row.values()))
    text = io.StringIO()
    Console(file=text, width=width).print(grid)
    return text.getvalue().rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return "\n".join(map(plain, value)) if isinstance(value, list) else plain(value)


def _architectures() -> list[Entry]:
    return [
        {"name": name, "title": entry.title, "group": entry.group, "source": entry.source}
        for name in CATALOGUE
        for entry in (CATALOGUE[name],)
    ]


def _attacks() -> list[Entry]:
    return [
        {
            "name": name,
            "family": spec.family,
            "threat_model": spec.threat_model,
            "summary": spec.summary,
        }
        for name in ATTACKS
        for spec in (ATTACKS[name],)
    ]


def _data() -> list[Entry]:
    return [
        {
            "name": name,
            "shape": None if source.shape is None else "x".join(map(str, source.shape)),
            "classes": source.classes,
            "needs": source.needs,
            "summary": source.summary,
        }
        for name in DATA
        for source in (DATA[name],)
    ]


def _searches() -> list[Entry]:
    return [
        {"name": name, "shape": spec.shape, "summary": spec.summary, "source": spec.source}
        for name in SEARCHES
        for spec in (SEARCHES[name],)
    ]


def _analyses() -> list[Entry]:
    return [{"name": name, "summary": ANALYSES[name].summary} for name in ANALYSES]


def _remedies() -> list[Entry]:
    return [
        {"name": name, "kind": remedy.kind, "title": remedy.title}
        for name in REMEDIES
        for remedy in (REMEDIES[name],)
    ]


def _metrics() -> list[Entry]:
    return [
        {
            "name": name,
            "title": metric.title,
            "unit": metric.unit or "varies",
            "range": "" if metric.limits is None else f"{metric.limits[0]:g} to {metric.limits[1]:g}",
            "worse if": metric.worse,
            "over seeds": metric.pooling,
        }
        for name in METRICS
        for metric in (METRICS[name],)
    ]


def details(what: str, name: str) -> Entry:
    """One entry of a catalogue, with every field that it has.

    Raises:
        UnknownNameError: no such name; the nearest are shown.
        InputError: a catalogue whose entries have no fields.
    """
    if what not in DETAILED:
        raise InputError(
            f"list {what}: no NAME, as its entries have no fields; `list` knows those of "
            f"{', '.join(DETAILED)}"
        )
    registry = DETAILED[what]
    canonical = registry.canonical(name)
    item = registry[canonical]
    (listed,) = [entry for entry in entries(what) if entry["name"] == canonical]
    entry = {**listed, "aliases": registry.aliases(canonical)}
    if isinstance(item, DataSource):
        return {**entry, "origin": item.origin, "fields": fields_of(DataSpec)}
    spec = item if isinstance(item, type) else getattr(item, "spec", None) or getattr(item, "defence", None)
    spec = spec if isinstance(spec, type) else type(spec)
    if not issubclass(spec, Spec):
        return {**entry, "fields": []}
    source = ". ".join(filter(None, [entry.get("source"), source_of(spec)]))
    return {**entry, "source": source, "fields": fields_of(spec)}


def detailed(entry: Entry, width: int = 120) -> str:
    """The same for a person."""
    lines = [
        f"{key}: {_cell(value).replace(chr(10), ', ')}"
        for key, value in entry.items()
        if key != "fields" and value
    ]
    fields = table("fields", entry["fields"], width) if entry["fields"] else "no fields to set"
    return "\n".join([*lines, fields])


DETAILED: dict[str, Registry[Any]] = {
    "attacks": ATTACKS, "analyses": ANALYSES, "searches": SEARCHES, "remedies": REMEDIES, "data": DATA,
}  # fmt: skip
_LISTS: dict[str, Callable[[], list[Entry]]] = {
    "architectures": _architectures,
    "attacks": _attacks,
    "data": _data,
    "searches": _searches,
    "analyses": _analyses,
    "remedies": _remedies,
    "metrics": _metrics,
}
