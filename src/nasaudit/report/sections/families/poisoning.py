"""Poisoning: what wrong labels cost each architecture, and whether optimised poisons reach their targets."""

from collections.abc import Sequence
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Figure, Section, Table, Tile
from nasaudit.report.sections.families.attack import MeasuredAttack, column, point, table
from nasaudit.report.sections.families.base import Family, Wording
from nasaudit.report.sections.families.poisoning_pictures import Strip
from nasaudit.results.schema import Headline
from nasaudit.spec.attacks import Family as FamilyName

FAMILY: FamilyName = "poisoning"
POISONED = {"label_flip": "of the training labels wrong"}


class Threat(MeasuredAttack):
    """One attack as it was run: the rows of all its fractions."""

    family = FAMILY
    metric = "cad"
    varying = frozenset({"fraction", "poison"})

    @property
    def title(self) -> str:
        """E.g. `Label flip, seed 1`."""
        named = [self.attack.replace("_", " "), *(f"{key} {text}" for key, text in self.identity)]
        return format.first_up(", ".join(named))

    @property
    def poisoned(self) -> str:
        """What is wrong with a share of the training images, after "With 20 %"."""
        return POISONED.get(self.attack, f"of the training images poisoned ({self.attack.replace('_', ' ')})")

    def fractions(self, evidence: Evidence) -> list[str]:
        """The fractions, ascending, as the rows write them."""
        return self.values(evidence, "fraction")


@dataclass(frozen=True)
class Block:
    """What the page shows of one attack."""

    title: str
    anchor: str
    summary: str
    sentence: str
    figure: Figure | None
    tables: tuple[Table, ...]
    strips: tuple[Strip, ...]


def verdict(evidence: Evidence, subject: Subject) -> str | None:
    """What it loses to each attack at the largest fraction, and how many targets an optimised poison reaches."""
    said = []
    for threat in _one_of_each(evidence):
        most = threat.fractions(evidence)[-1]
        drop = threat.row(evidence, subject, "cad", fraction=most)
        reached = threat.row(evidence, subject, "asr", fraction=most)
        if reached is not None:
            said.append(
                f"Slight changes to {_share(float(most))} of the training images, labels correct, make it "
                f"take {format.share_of(reached, 'of the chosen test images')} for the attacker's class."
            )
        elif drop is not None:
            left = threat.row(evidence, subject, "clean_accuracy", fraction=most)
            still = "" if left is None else f", and is {format.value(left)} accurate"
            said.append(
                f"With {_share(float(most))} {threat.poisoned} it loses {format.estimate(drop)} of clean "
                f"accuracy{still}."
            )
    return " ".join(said) or None


def tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    """The accuracy lost to the poison that verdicts quote."""
    headline = evidence.headline(FAMILY)
    row = None if headline is None else headline.rows.get(subject.name)
    if row is None:
        return ()
    return (Tile.of(f"lost to {_share(float(row.setting['fraction']))} poison", row),)


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the poisoned share; beside it the accuracy that is left."""
    threat, fraction = Threat.of(next(iter(headline.rows.values()))), headline.setting["fraction"]
    return Wording(
        f"clean accuracy lost with {_share(float(fraction))} {threat.poisoned}",
        threat.by_name(evidence, "clean_accuracy", fraction=fraction),
        ("Of the test images", "are still classified correctly"),
    )


def section(evidence: Evidence) -> Section | None:
    """A curve with its tables for every attack; for optimised poisons also what they reach and how they look."""
    blocks = [_block(evidence, threat) for threat in Threat.measured(evidence)]
    if not blocks:
        return None
    figures = tuple(block.figure for block in blocks if block.figure is not None)
    return Section("poisoning", "Poisoning", "poisoning.html.j2", {"blocks": blocks}, figures)


def _block(evidence: Evidence, threat: Threat) -> Block:
    grid = threat.fractions(evidence)
    poisoned = [fraction for fraction in grid if float(fraction) > 0]
    optimised = [_targets_table(evidence, threat, fraction) for fraction in poisoned]
    tables = [table for table in optimised if table is not None] or [
        _table(evidence, threat, "Clean accuracy lost", "cad", poisoned, [("on average", "cad_area")]),
        _table(evidence, threat, "Clean accuracy that is left", "clean_accuracy", grid),
    ]
    return Block(
        title=threat.title,
        anchor=threat.anchor,
        summary=threat.summary,
        sentence=_costs(evidence, threat, grid[-1]),
        figure=_figure(evidence, threat, grid) if len(grid) > 1 else None,
        tables=tuple(tables),
        strips=tuple(Strip.of(evidence, entry) for entry in threat.pictures(evidence)),
    )


def _costs(evidence: Evidence, threat: Threat, fraction: str) -> str:
    """Who loses least and who most."""
    rows = list(threat.by_name(evidence, "cad", fraction=fraction).values())
    if not rows:
        return ""
    low, high = min(rows, key=lambda row: row.value), max(rows, key=lambda row: row.value)
    where = f"With {_share(float(fraction))} {threat.poisoned}"
    if len(rows) == 1:
        return f"{where}, {evidence.titles[low.architecture]} loses {format.estimate(low)} of clean accuracy."
    return (
        f"{where}, models lose from {format.estimate(low)} of clean accuracy ({evidence.titles[low.architecture]}) "
        f"to {format.estimate(high)} ({evidence.titles[high.architecture]})."
    )


def _figure(evidence: Evidence, threat: Threat, grid: Sequence[str]) -> Figure:
    records = [
        point(subject, row, round(100 * float(fraction), 6), _share(float(fraction)), scale=100)
        for subject in evidence.subjects
        for fraction in grid
        if (row := threat.row(evidence, subject, "cad", fraction=fraction)) is not None
    ]
    return Figure(
        name=threat.anchor,
        title="Accuracy lost by poisoned share",
        about=threat.title,
        caption="Clean accuracy without poison minus that with it, on the same test images, in points. "
        f"Higher is worse for the defender. The bands are {format.INTERVAL}s.",
        alt="Line chart of the clean accuracy lost by the poisoned share of the training images for "
        f"{format.listing(list(evidence.titles.values()))}; the numbers are in the table below.",
        records=records,
        chart=charts.curve(
            evidence.subjects,
            "poisoned training images (%)",
            "clean accuracy lost (points)",
            measured="loses",
            shares=False,
        ),
    )


def _table(
    evidence: Evidence,
    threat: Threat,
    caption: str,
    metric: str,
    grid: Sequence[str],
    over_all: Sequence[tuple[str, str]] = (),
) -> Table:
    """A column for each fraction; `over_all` adds measures of all fractions, where there are any."""
    columns = [
        column(_share(float(fraction)), threat.by_name(evidence, metric, fraction=fraction))
        for fraction in grid
    ]
    measures = [column(title, threat.by_name(evidence, measure)) for title, measure in over_all]
    return table(
        evidence,
        f"{caption}, by poisoned share of the training images",
        [*columns, *(measure for measure in measures if measure[1])],
        keep_empty=True,
    )


def _targets_table(evidence: Evidence, threat: Threat, fraction: str) -> Table | None:
    """What an optimised poison reaches, and costs; None for an attack without targets.

    The mismatch is one minus the cosine between the gradients of poison and target.
    """
    if not threat.by_name(evidence, "asr", fraction=fraction):
        return None
    columns: list[tuple[str, str, dict[str, str]]] = [
        ("targets reached", "asr", {}),
        ("reached without poison", "floor", {}),
        ("gain in confidence", "confidence_gain", {}),
        ("mismatch of unchanged images", "matching_loss", {"poison": "before"}),
        ("of the poison", "matching_loss", {"poison": "after"}),
        ("accuracy lost", "cad", {}),
        ("accuracy left", "clean_accuracy", {}),
    ]
    return table(
        evidence,
        f"Targets, with {_share(float(fraction))} of the training images poisoned",
        [
            column(title, threat.by_name(evidence, metric, fraction=fraction, **where))
            for title, metric, where in columns
        ],
        keep_empty=True,
    )


def _one_of_each(evidence: Evidence) -> list[Threat]:
    """The first run of each attack."""
    return list({threat.attack: threat for threat in reversed(Threat.measured(evidence))}.values())[::-1]


def _share(fraction: float) -> str:
    """A poisoned share as it was asked for: `40 %`, not `40.0 %`."""
    return format.percent(fraction).replace(f".0{format.NBSP}", format.NBSP)


POISONING = Family(
    name=FAMILY,
    title="poisoning",
    section=section,
    verdict=verdict,
    tiles=tiles,
    wording=wording,
    verb="poison",
)
