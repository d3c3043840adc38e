"""What a section of the report is made of: tables, figures, pictures. Plain data, no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import altair as alt

from nasaudit.report import format
from nasaudit.study.results import Row

ABSENT = "–"


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what is read first, and the small print under it."""

    text: str
    note: str = ""

    @classmethod
    def of(cls, row: Row | None) -> "Cell":
        """A row as value over interval and n; a dash where there is none."""
        return cls(ABSENT) if row is None else cls(format.value(row), format.interval_and_n(row))


@dataclass(frozen=True)
class Table:
    """The first column names the row. `swatches` are architecture names whose colour marks the row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    swatches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A chart with all that a reader without the picture needs.

    Attributes:
        name: unique in the report; the PNG's file name without its ending.
        alt: what the chart shows, in words.
    """

    name: str
    title: str
    caption: str
    alt: str
    chart: alt.LayerChart | alt.Chart


@dataclass(frozen=True)
class Section:
    """A part of the page: `template` renders `content`; its `figures` become PNG files too."""

    anchor: str
    title: str
    template: str
    content: Mapping[str, object]
    figures: tuple[Figure, ...] = field(default=())
