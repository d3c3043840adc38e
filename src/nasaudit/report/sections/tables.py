"""Tables with a line for each architecture."""

from collections.abc import Callable, Mapping, Sequence

from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import ABSENT, Cell, Table
from nasaudit.results.schema import Row

# Its title, and the cells of the architectures that have one, by name.
Column = tuple[str, Mapping[str, Cell]]


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
