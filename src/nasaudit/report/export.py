"""Figures of a study as others take them in: a table for a paper in LaTeX or Markdown, and numbers for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nasaudit.errors import InputError
from nasaudit.report import format
from nasaudit.report.evidence import Evidence
from nasaudit.results.assemble import to_frame
from nasaudit.results.image_table import image_table
from nasaudit.results.opened import OpenedStudy
from nasaudit.results.schema import Row, StudyResults
from nasaudit.spec.attacks import FAMILIES, attack_title
from nasaudit.spec.units import as_number

if TYPE_CHECKING:
    import pandas as pd

ABSENT = "\N{EN DASH}"
SETTING = "setting."  # how the frame's columns of settings begin
PIPES = str.maketrans({"|": "\\|", "\n": " "})


@dataclass(frozen=True)
class PaperTable:
    """The headline of each family, an architecture a row.

    Attributes:
        columns: their heads, the first of the names.
        rows: text cells; a figure with its 95 % interval.
        best: for each row which cells are the best of their column: the most accurate, or the least harmed. A tie is
            nobody's.
        caption: data, scale, protocol, seeds, what the columns count and how many units each interval rests on.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[bool, ...], ...]
    caption: str


def paper_table(results: StudyResults) -> PaperTable:
    """The table that a paper prints of a study."""
    evidence = Evidence(results, Path())
    columns, figures, notes = ["architecture"], [], []
    accuracies = evidence.by_name("training", "clean_accuracy", split="test")
    if accuracies:
        columns.append("accuracy")
        figures.append((accuracies, max))
        notes.append(f"accuracy on test images{_units(list(accuracies.values()))}")
    for headline in results.headlines:
        columns.append(FAMILIES[headline.family].title)
        figures.append((headline.rows, min))
        attack = attack_title(headline.attack)
        notes.append(
            f"{FAMILIES[headline.family].title}: {headline.measure}, {attack}{_units(list(headline.rows.values()))}"
        )
    rows, best = [], []
    for subject in evidence.subjects:
        cells = [of_name.get(subject.name) for of_name, _ in figures]
        rows.append((subject.title, *(ABSENT if row is None else _cell(row) for row in cells)))
        marks = (
            row is not None and _is_best(row, list(of.values()), pick is max)
            for row, (of, pick) in zip(cells, figures, strict=True)
        )
        best.append((False, *marks))
    study = results.study
    seeds = f"{len(study.seeds)} training seed{'s' * (len(study.seeds) > 1)}"
    caption = (
        f"{study.data.label}, scale {study.scale}, protocol {study.protocol}, {seeds}; 95 % intervals in brackets, "
        "the best of a column in bold, which says nothing of its distance from the next. "
        f"{format.first_up('; '.join(notes))}."
    )
    return PaperTable(tuple(columns), tuple(rows), tuple(best), caption.replace(format.NBSP, " "))


def to_latex(results: StudyResults) -> str:
    """The paper's table as LaTeX, with the rules of booktabs."""
    import pandas as pd

    table = paper_table(results)
    frame = pd.DataFrame(table.rows, columns=list(table.columns))
    bold = pd.DataFrame(
        [["textbf:--rwrap;" if mark else "" for mark in marks] for marks in table.best], columns=frame.columns
    )
    styled = (
        frame.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis="columns")
    )
    styled = styled.apply(lambda _: bold, axis=None)
    text: str = styled.to_latex(
        hrules=True,
        caption=_latex(table.caption),
        label="tab:nasaudit",
        position_float="centering",
        column_format="l" + "r" * (len(table.columns) - 1),
    )
    return "% needs \\usepackage{booktabs}\n" + text


def to_markdown(results: StudyResults) -> str:
    """The paper's table as Markdown."""
    table = paper_table(results)
    lines = [table.columns, ("---", *("---:" for _ in table.columns[1:]))]
    for cells, marks in zip(table.rows, table.best, strict=True):
        told = [cell.translate(PIPES) for cell in cells]
        lines.append(tuple(f"**{cell}**" if mark else cell for cell, mark in zip(told, marks, strict=True)))
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{body}\n\n{table.caption}\n"


def numbers(results: StudyResults) -> "pd.DataFrame":
    """The tidy rows, with each setting that is a number in all rows as a number: `8/255` is 0.0314.

    `atlas` and `owasp` say where public lists of threats have the row's family.
    """
    import pandas as pd

    frame = to_frame(results)
    place = int(frame.columns.get_indexer(pd.Index(["family"]))[0]) + 1
    owasp = {family: words.owasp.id for family, words in FAMILIES.items()}
    atlas = {family: " ".join(each.id for each in words.atlas) for family, words in FAMILIES.items()}
    frame.insert(place, "atlas", [atlas.get(family, "") for family in frame["family"]])
    frame.insert(place + 1, "owasp", [owasp.get(family, "") for family in frame["family"]])
    for column in frame.columns:
        if column.startswith(SETTING):
            texts = frame[column]
            values = [as_number(text) if isinstance(text, str) else None for text in texts]
            if all(
                value is not None for value, text in zip(values, texts, strict=True) if isinstance(text, str)
            ):
                frame[column] = pd.array(values, dtype="Float64")
    frame["seed"] = frame["seed"].astype(str)  # a number, or `all`
    return frame


def table(results: StudyResults, images_of: OpenedStudy | None = None) -> "pd.DataFrame":
    """The numbers, or, with a study's records, one row an image (`results.image_table`)."""
    return numbers(results) if images_of is None else image_table(images_of)


def to_csv(frame: "pd.DataFrame") -> str:
    """A table as CSV."""
    return frame.to_csv(index=False, lineterminator="\n")


def to_parquet(frame: "pd.DataFrame", path: Path) -> None:
    """A table as a Parquet file.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        frame.to_parquet(path, index=False)
    except ImportError as error:
        raise InputError("Parquet needs pyarrow: pip install 'nasaudit[parquet]', or take --csv") from error


def _cell(row: Row) -> str:
    return " ".join(
        part for part in (format.value(row, format.LIMITS), format.interval(row)) if part
    ).replace(format.NBSP, " ")


def _is_best(row: Row, rows: Sequence[Row], most: bool) -> bool:
    values = [each.value for each in rows]
    return len(rows) > 1 and row.value == (max if most else min)(values) and values.count(row.value) == 1


def _units(rows: Sequence[Row]) -> str:
    sizes = sorted({row.n for row in rows})
    if not sizes:
        return ""
    return f" (n = {sizes[0]:,})" if len(sizes) == 1 else f" (n = {sizes[0]:,} to {sizes[-1]:,})"


def _latex(text: str) -> str:
    for plain in "\\&%$#_{}":
        text = text.replace(plain, "\\" + plain if plain != "\\" else "\\textbackslash ")
    return (
        text.replace("~", "\\textasciitilde ").replace("^", "\\textasciicircum ").replace("\N{EN DASH}", "--")
    )
