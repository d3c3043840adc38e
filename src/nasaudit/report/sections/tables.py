"""Tables with a line for each architecture."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from nasaudit.measure.catalogue import metric_of
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import ABSENT, Cell, Table
from nasaudit.results.schema import Row

# Its title, and the cells of the architectures that have one, by name.
Column = tuple[str, Mapping[str, Cell]]


def heading(metric: str) -> str:
    """What a column of a metric is called: its title, with the unit where neither that nor the numbers say it."""
    known = metric_of(metric)
    has_unit = known.shown != "significant" or known.unit in known.title
    return known.title if has_unit else f"{known.title} ({known.unit})"


def column(title: str, rows: Mapping[str, Row], cell: Callable[[Row], Cell] = Cell.of) -> Column:
    """A column of a table: the row of each architecture that has one, by name."""
    return title, {name: cell(row) for name, row in rows.items()}


def table(evidence: Evidence, caption: str, columns: Sequence[Column], keep_empty: bool = False) -> Table:
    """A line for each architecture, a dash where it has no cell.

    A column without any cell has its place only with `keep_empty`.
    """
    kept = [(title, cells) for title, cells in columns if cells or keep_empty]
    absent = Cell(ABSENT)
    return listed(
        caption,
        [title for title, _ in kept],
        (
            (subject, "", [cells.get(subject.name, absent) for _, cells in kept])
            for subject in evidence.subjects
        ),
    )


def listed(
    caption: str, titles: Sequence[str], lines: Iterable[tuple[Subject, str, Iterable[Cell]]]
) -> Table:
    """Lines of chosen architectures: which, the small print under its name, and its cells."""
    drawn = list(lines)
    return Table(
        caption,
        ("", *titles),
        tuple((Cell(subject.title, note), *cells) for subject, note, cells in drawn),
        tuple(subject.name for subject, _, _ in drawn),
    )
