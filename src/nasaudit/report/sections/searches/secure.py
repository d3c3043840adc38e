"""Searches that are to be secure beside plain ones, as tables; and what the levers of one-shot searches came to."""

from collections.abc import Iterator, Sequence

from nasaudit.report import format
from nasaudit.report.parts import Cell, Table
from nasaudit.report.sections.searches.words import FEW, change, ends, search_title, titled
from nasaudit.results.schema import StudyResults
from nasaudit.results.searched.fronts import BesidePlain, PulledLevers


def beside_plain(caption: str, titles: tuple[str, str, str], pairs: Sequence[BesidePlain]) -> Table:
    """A line for each measure.

    Args:
        caption: what is subtracted from what.
        titles: of the secure cells, of the plain ones, and of the finding.
        pairs: one for each measure.
    """
    secure, plain, finding = titles
    rows = tuple(
        (
            Cell(format.first_up(pair.measure)),
            *(
                Cell(format.quantity(mean, pair.metric, pair.unit), f"{len(values)}")
                for mean, values in zip(pair.means, (pair.secure, pair.plain), strict=True)
            ),
            Cell(change(pair), ends(pair)),
            Cell(pair.finding),
        )
        for pair in pairs
    )
    columns = ("", secure, plain, "difference", finding)
    return Table(f"{caption}; but for accuracy, higher is worse for the defender", columns, rows)


def sentences(results: StudyResults) -> Iterator[str]:
    """What levers changed of what was found, a paragraph for each set of them."""
    for pulled in results.pulled_levers:
        words = [f"{_title(pulled)} beside {titled(pulled.method)} as published, at equal epochs:"]
        changes = [
            f"{pair.measure} {change(pair)}" + ("" if pair.finding == "undecided" else f" ({pair.finding})")
            for pair in pulled.beside_plain
        ]
        words.append(f"{format.listing(changes)}.")
        if not any(pair.finding != "undecided" for pair in pulled.beside_plain):
            words.append("None of it can be told from chance.")
        if len(pulled.pairs) < FEW:
            words.append("So few seeds say little of the levers (--searches).")
        yield " ".join(words)


def tables(results: StudyResults) -> Iterator[Table]:
    """Cells found with levers beside those found without, by accuracy and every family."""
    for pulled in results.pulled_levers:
        caption = f"Cells of {_title(pulled)} minus those of the search as published"
        yield beside_plain(caption, ("with levers", "as published", "with levers is"), pulled.beside_plain)


def _title(pulled: PulledLevers) -> str:
    return search_title(pulled.method, levers=pulled.levers)
