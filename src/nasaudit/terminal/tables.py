"""What `nasaudit list` says, and how any table looks on a terminal."""

import io
from collections.abc import Callable
from typing import Any

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.data.catalogue import DATA
from nasaudit.spec.analyses import ANALYSES
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.remedies.catalogue import REMEDIES
from nasaudit.spec.searches import SEARCHES
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


_LISTS: dict[str, Callable[[], list[Entry]]] = {
    "architectures": _architectures,
    "attacks": _attacks,
    "data": _data,
    "searches": _searches,
    "analyses": _analyses,
    "remedies": _remedies,
}
