"""What a section of the report is made of: tables, figures, pictures. Plain data, no HTML."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.results.schema import Row

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
class Tile:
    """A figure in large print: what it is, the figure, its interval and n."""

    label: str
    cell: Cell

    @classmethod
    def of(cls, label: str, row: Row) -> "Tile":
        """A row's value in its shortest form, so that three tiles fit beside each other on a phone."""
        return cls(label, Cell(format.short_value(row), format.interval_and_n(row)))


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
        title: heading on the page; `about` completes it where the figure stands alone.
        alt: what the chart shows, in words.
        records: what it draws.
        legend: whether the reader needs one (not where the architectures label an axis).
        key: title and colour of what is drawn, where the colours are not those of the architectures.
    """

    name: str
    title: str
    caption: str
    alt: str
    chart: charts.Drawn
    records: charts.Records
    about: str = ""
    legend: bool = True
    key: tuple[tuple[str, str], ...] = ()

    @property
    def full_title(self) -> str:
        """The title where no heading stands above."""
        return f"{self.title}: {self.about}" if self.about else self.title

    def for_page(self) -> charts.Spec:
        """The Vega-Lite specification that the page embeds."""
        return charts.for_page(self.chart, self.records)

    def for_file(self, with_legend: bool = True) -> charts.Spec:
        """The Vega-Lite specification of the figure as a file of its own; `with_legend`: of the architectures."""
        legend = bool(self.key) or (self.legend and with_legend)
        return charts.for_file(self.chart, self.records, self.full_title, legend)


@dataclass(frozen=True)
class Section:
    """A part of the page: `template` renders `content`; its `figures` become PNG files too."""

    anchor: str
    title: str
    template: str
    content: Mapping[str, object]
    figures: tuple[Figure, ...] = field(default=())
