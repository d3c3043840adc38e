"""Tables with a line for each architecture."""

from collections.abc import Callable, Mapping, Sequence

from nasaudit.measure.catalogue import metric_of
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import ABSENT, Cell, Table
from nasaudit.results.schema import Row

# Its title, and the cells of the architectures that have one, by name.
Column = tuple[str, Mapping[str, Cell]]


def heading(metric: str) -> str:
    """What a column of a metric is called: its title, with the unit where neither that nor the numbers say it."""
    known = metric_of(metric)
    said = known.shown != "significant" or known.unit in known.title
    return known.title if said else f"{known.title} ({known.unit})"


def column(title: str, rows: Mapping[str, Row], cell: Callable[[Row], Cell] = Cell.of) -> Column:
    """A column of a table: the row of each architecture that has one, by name."""
    return title, {name: cell(row) for name, row in rows.items()}


def table(evidence: Evidence, caption: str, columns: Sequence[Column], keep_empty: bool = False) -> Table:
    """A line for each architecture, a dash where it has no cell.

    Args:
        evidence: whose architectures.
        caption: over the table.
        columns: from left to right.
        keep_empty: whether a column without any cell has its place as well.
    """
    kept = [(title, cells) for title, cells in columns if cells or keep_empty]
    absent = Cell(ABSENT)
    return Table(
        caption,
        ("", *(title for title, _ in kept)),
        tuple(
            (Cell(subject.title), *(cells.get(subject.name, absent) for _, cells in kept))
            for subject in evidence.subjects
        ),
        tuple(subject.name for subject in evidence.subjects),
    )
