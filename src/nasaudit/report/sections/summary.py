"""The top of the report: flags, what the comparison says, and a card for each architecture."""

from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Cell, Section, Tile
from nasaudit.report.sections.cells import Drawing, drawings
from nasaudit.report.sections.comparison import Finding, findings
from nasaudit.report.sections.families import FAMILIES


@dataclass(frozen=True)
class Card:
    """One architecture in plain words."""

    subject: Subject
    tiles: tuple[Tile, ...]
    sentences: tuple[str, ...]
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True)
class Notice:
    """A line of the box at the top."""

    message: str
    about: str = ""
    target: str = ""  # anchor of the section with the details


def section(evidence: Evidence) -> Section:
    """Flags, findings and cards."""
    return Section(
        "verdict",
        "Verdict",
        "summary.html.j2",
        {"notices": notices(evidence), "findings": compare(evidence), "cards": cards(evidence)},
    )


def notices(evidence: Evidence) -> list[Notice]:
    """The study's flags, and one line for its failures if no flag says so."""
    results = evidence.results
    lines = [
        Notice(flag.message, format.listing([evidence.titles.get(name, name) for name in flag.architectures]))
        if flag.architectures
        else Notice(flag.message)
        for flag in results.flags
    ]
    if results.failures and not any(flag.kind == "failed_task" for flag in results.flags):
        count = len(results.failures)
        said = "1 task failed" if count == 1 else f"{count} tasks failed"
        lines.append(Notice(f"{said}; the results below are without it", target="failures"))
    return lines


def compare(evidence: Evidence) -> list[Finding]:
    """What each family's yardstick says of the architectures, side by side."""
    return [finding for family in FAMILIES for finding in findings(evidence, family)]


def cards(evidence: Evidence) -> list[Card]:
    """One card for each architecture, in the order of the study."""
    return [
        Card(
            subject,
            _tiles(evidence, subject),
            _sentences(evidence, subject),
            drawings(evidence, subject),
        )
        for subject in evidence.subjects
    ]


def _tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    accuracy = evidence.accuracy(subject.name)
    first = () if accuracy is None else (Tile("accurate", Cell.of(accuracy)),)
    return first + tuple(tile for family in FAMILIES for tile in family.tiles(evidence, subject))


def _sentences(evidence: Evidence, subject: Subject) -> tuple[str, ...]:
    accuracy = evidence.accuracy(subject.name)
    said = [
        "Its accuracy was not measured."
        if accuracy is None
        else f"It classifies {format.share_of(accuracy, 'of the test images correctly')}."
    ]
    verdicts = [family.verdict(evidence, subject) for family in FAMILIES]
    said += [verdict for verdict in verdicts if verdict is not None]
    if len(said) == 1:
        said.append("No attack on it was measured.")
    return tuple(said)
