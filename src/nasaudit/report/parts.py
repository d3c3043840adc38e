"""What a section of the report is made of: paragraphs, tables, figures, pictures. Plain data, no HTML.

A part's `kind` is the macro of `macros.html.j2` that draws it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from nasaudit.report import format
from nasaudit.report.charts import frame
from nasaudit.results.schema import Row

ABSENT = "–"


@dataclass(frozen=True)
class Cell:
    """One cell of a table: what is read first, the small print under it, and where it is a figure its numbers.

    `numbers` are value, ends of the interval and n, for who copies the table; () where it is no figure.
    """

    text: str
    note: str = ""
    numbers: tuple[float, ...] = ()

    @classmethod
    def of(cls, row: Row | None) -> "Cell":
        """A row as value over interval and n; a dash where there is none."""
        return cls(ABSENT) if row is None else cls.figure(row, format.interval_and_n(row))

    @classmethod
    def figure(cls, row: Row, note: str) -> "Cell":
        """A row as value over small print of one's own."""
        numbers = (row.value, row.low, row.high, row.n)
        return cls(format.value(row), note, tuple(float(f"{number:.6g}") for number in numbers))


@dataclass(frozen=True)
class Text:
    """A paragraph; a quiet one is small print."""

    kind: ClassVar = "text"

    words: str
    quiet: bool = False


@dataclass(frozen=True)
class Table:
    """The first column names the row. `swatches` are architecture names whose colour marks the row."""

    kind: ClassVar = "table"

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

    kind: ClassVar = "figure"

    name: str
    title: str
    caption: str
    alt: str
    chart: frame.Drawn
    records: frame.Records
    about: str = ""
    legend: bool = True
    key: tuple[tuple[str, str], ...] = ()

    def for_page(self) -> frame.Spec:
        """The Vega-Lite specification that the page embeds."""
        return frame.vega_lite(self.chart, self.records)

    def for_file(self, with_legend: bool = True) -> frame.Spec:
        """The Vega-Lite specification of the figure as a file of its own; `with_legend`: of the architectures."""
        title = f"{self.title}: {self.about}" if self.about else self.title
        return frame.vega_lite(
            self.chart, self.records, title, legend=bool(self.key) or (self.legend and with_legend)
        )


@dataclass(frozen=True)
class Picture:
    """Images beside each other with a caption.

    Attributes:
        images: data URI and description of each.
        caption: plain and bold words by turns.
        note: the small print.
    """

    images: tuple[tuple[str, str], ...]
    caption: tuple[str, ...]
    note: str


@dataclass(frozen=True)
class Strip:
    """Pictures under a title that opens them; `missing` says why there are none."""

    kind: ClassVar = "strip"

    title: str
    pictures: tuple[Picture, ...] = ()
    missing: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class Map:
    """A figure that shares its legend with its neighbours. `spec` is Vega-Lite; the rest as in a Figure."""

    name: str
    title: str
    caption: str
    alt: str
    spec: frame.Spec


@dataclass(frozen=True)
class Maps:
    """Maps beside each other, the colours that they share, and all of them as one figure for a file.

    Attributes:
        unit: what the colours stand for, in a word.
        bands: label and colour, from the lowest to the highest.
    """

    kind: ClassVar = "maps"

    unit: str
    bands: tuple[tuple[str, str], ...]
    maps: tuple[Map, ...]
    sheet: Figure


@dataclass(frozen=True)
class Slide:
    """One picture of several; `text` stands where there is no picture."""

    label: str
    uri: str
    alt: str
    text: str = ""


@dataclass(frozen=True)
class Slides:
    """Pictures of which one is seen, the last at first; a slider changes to the others, which are counted in `by`."""

    kind: ClassVar = "slides"

    title: str
    by: str
    slides: tuple[Slide, ...]
    caption: str

    @property
    def pictures(self) -> tuple[Slide, ...]:
        """Each picture once."""
        return tuple({(slide.uri, slide.text): slide for slide in self.slides}.values())

    @property
    def order(self) -> list[tuple[str, int]]:
        """Label, and place among `pictures`, of each slide."""
        places = {(slide.uri, slide.text): place for place, slide in enumerate(self.pictures)}
        return [(slide.label, places[slide.uri, slide.text]) for slide in self.slides]


@dataclass(frozen=True)
class Block:
    """Parts under a heading of their own, or behind it where they are folded."""

    kind: ClassVar = "block"

    title: str
    anchor: str
    parts: tuple["Part", ...]
    folded: bool = False

    @classmethod
    def of(cls, title: str, anchor: str, *parts: "Part | str | None", folded: bool = False) -> "Block":
        """With the parts that there are; bare words are a paragraph."""
        return cls(title, anchor, present(parts), folded)


Part = Text | Table | Figure | Strip | Maps | Slides | Block


# How much of a section the page shows before anything is opened.
Fold = Literal["open", "lead", "closed"]


@dataclass(frozen=True)
class Section:
    """A part of the page: `template` renders `parts` or `content`; its `figures` become PNG files too.

    Of a section whose `fold` is "lead" the first chart is shown, and the rest when asked for.
    """

    anchor: str
    title: str
    template: str
    content: Mapping[str, object]
    figures: tuple[Figure, ...] = ()
    parts: tuple[Part, ...] = ()
    fold: Fold = "open"

    @classmethod
    def of(cls, anchor: str, title: str, *parts: Part | str | None) -> "Section":
        """With the parts that there are; bare words are a paragraph."""
        kept = present(parts)
        return cls(anchor, title, "parts.html.j2", {}, tuple(figures(kept)), kept)

    def folded(self, fold: Fold) -> "Section":
        """The same section, shown as far as `fold` says."""
        return replace(self, fold=fold)

    @property
    def lead(self) -> Figure | None:
        """The first chart that is not folded itself."""
        return next(_shown(self.parts), None)

    @property
    def rest(self) -> tuple[Part, ...]:
        """The parts without the lead."""
        return tuple(_without(self.parts, self.lead))


def _shown(parts: Sequence[Part]) -> Iterator[Figure]:
    for part in parts:
        if isinstance(part, Figure):
            yield part
        elif isinstance(part, Block) and not part.folded:
            yield from _shown(part.parts)


def _without(parts: Sequence[Part], lead: Part | None) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Block):
            yield replace(part, parts=tuple(_without(part.parts, lead)))
        elif part is not lead:
            yield part


def present(parts: Sequence[Part | str | None]) -> tuple[Part, ...]:
    """The parts that there are; bare words become a paragraph."""
    return tuple(Text(part) if isinstance(part, str) else part for part in parts if part)


def folded(title: str, *parts: Part | str | None) -> Block | None:
    """Parts behind a line that opens them; None where there are none."""
    kept = present(parts)
    return Block(title, "", kept, folded=True) if kept else None


def figures(parts: Sequence[Part]) -> Iterator[Figure]:
    """All figures in their order, wherever they stand."""
    for part in parts:
        match part:
            case Figure():
                yield part
            case Maps():
                yield part.sheet
            case Block():
                yield from figures(part.parts)
