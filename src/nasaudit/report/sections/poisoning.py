"""Poisoning: what wrong labels cost each architecture, and whether optimised poisons reach their targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nasaudit.report import charts, format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.images import amplified, data_uri
from nasaudit.report.parts import Cell, Figure, Section, Table, Tile
from nasaudit.report.sections.family import Family, Yardstick
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.attacks import Family as FamilyName
from nasaudit.study.headlines import find_headline
from nasaudit.study.results import Pictures, Row

FAMILY: FamilyName = "poisoning"
# What differs between the rows of one attack, and so does not name it.
VARYING = frozenset({"fraction", "poison"})
POISONED = {"label_flip": "of the training labels wrong"}


@dataclass(frozen=True)
class Threat:
    """One attack as it was run: the rows of all its fractions.

    Attributes:
        attack: its name.
        identity: what tells its rows from those of another run of the attack.
    """

    attack: str
    identity: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, row: Row) -> "Threat":
        """The threat that a row belongs to."""
        return cls(row.attack, tuple((key, text) for key, text in row.setting.items() if key not in VARYING))

    @property
    def title(self) -> str:
        """E.g. `Label flip, seed 1`."""
        named = [self.attack.replace("_", " "), *(f"{key} {text}" for key, text in self.identity)]
        return format.first_up(", ".join(named))

    @property
    def anchor(self) -> str:
        """A name safe in a file name and in an id."""
        words = "-".join([FAMILY, self.attack, *(text for _, text in self.identity)])
        return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in words)

    def setting(self, fraction: str = "") -> dict[str, str]:
        """What the rows' setting says at this fraction; "": what it says at all of them."""
        return {**dict(self.identity), **({"fraction": fraction} if fraction else {})}


@dataclass(frozen=True)
class Picture:
    """One poisoned image (data URIs): as it was, as it is learned from, and the difference."""

    clean: str
    poisoned: str
    difference: str
    label: str
    aimed: str
    gain: str
    index: int
    reached: bool


@dataclass(frozen=True)
class Strip:
    """The poisons made for one architecture; `missing` says why there are none."""

    title: str
    pictures: tuple[Picture, ...]
    missing: str = ""


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


def threats(evidence: Evidence) -> list[Threat]:
    """Every attack that was measured, in the order of the rows."""
    return list(dict.fromkeys(Threat.of(row) for row in evidence.of_family(FAMILY) if row.metric == "cad"))


def fractions(evidence: Evidence, threat: Threat) -> list[str]:
    """The fractions of an attack, ascending, as the rows write them."""
    found = unique(
        row.setting["fraction"]
        for row in evidence.of_family(FAMILY)
        if row.metric == "cad" and Threat.of(row) == threat
    )
    return sorted(found, key=float)


def verdict(evidence: Evidence, subject: Subject) -> str | None:
    """What it loses to each attack at the largest fraction, and how many targets an optimised poison reaches."""
    said = []
    for threat in _one_of_each(evidence):
        most = fractions(evidence, threat)[-1]
        drop = _row(evidence, subject, threat, "cad", most)
        reached = _row(evidence, subject, threat, "asr", most)
        if reached is not None:
            said.append(
                f"Slight changes to {_share(float(most))} of the training images, labels correct, make it "
                f"take {format.share_of(reached, 'of the chosen test images')} for the attacker's class."
            )
        elif drop is not None:
            left = _row(evidence, subject, threat, "clean_accuracy", most)
            still = "" if left is None else f", and is {format.value(left)} accurate"
            said.append(
                f"With {_share(float(most))} {_what(threat)} it loses {format.estimate(drop)} of clean "
                f"accuracy{still}."
            )
    return " ".join(said) or None


def tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    """The accuracy lost to wrong labels at the largest fraction."""
    found = find_headline(evidence.results.rows, FAMILY)
    if found is None or subject.name not in found.rows:
        return ()
    row = found.rows[subject.name]
    return (Tile.of(f"lost to {_share(float(row.setting['fraction']))} poison", row),)


def yardstick(evidence: Evidence) -> Yardstick | None:
    """The accuracy lost to wrong labels at the largest fraction."""
    found = find_headline(evidence.results.rows, FAMILY)
    if found is None:
        return None
    left = {
        name: evidence.pooled(name, FAMILY, "clean_accuracy", row.setting, row.attack)
        for name, row in found.rows.items()
    }
    fraction = next(iter(found.rows.values())).setting["fraction"]
    return Yardstick(
        found.rows,
        f"clean accuracy lost with {_share(float(fraction))} {POISONED['label_flip']}",
        {name: row for name, row in left.items() if row is not None},
        ("Of the test images", "are still classified correctly"),
    )


def section(evidence: Evidence) -> Section | None:
    """A curve with its tables for every attack; for optimised poisons also what they reach and how they look."""
    blocks = [_block(evidence, threat) for threat in threats(evidence)]
    if not blocks:
        return None
    figures = tuple(block.figure for block in blocks if block.figure is not None)
    return Section("poisoning", "Poisoning", "poisoning.html.j2", {"blocks": blocks}, figures)


def _block(evidence: Evidence, threat: Threat) -> Block:
    grid = fractions(evidence, threat)
    poisoned = [fraction for fraction in grid if float(fraction) > 0]
    optimised = [_targets_table(evidence, threat, fraction) for fraction in poisoned]
    tables = [table for table in optimised if table is not None] or [
        _table(evidence, threat, "Clean accuracy lost", "cad", poisoned, ("on average", "cad_area")),
        _table(evidence, threat, "Clean accuracy that is left", "clean_accuracy", grid),
    ]
    return Block(
        title=threat.title,
        anchor=threat.anchor,
        summary=ATTACKS[threat.attack].summary if threat.attack in ATTACKS else "",
        sentence=_costs(evidence, threat, grid[-1]),
        figure=_figure(evidence, threat, grid) if len(grid) > 1 else None,
        tables=tuple(tables),
        strips=tuple(_strips(evidence, threat)),
    )


def _costs(evidence: Evidence, threat: Threat, fraction: str) -> str:
    """Who loses least and who most."""
    rows = [row for s in evidence.subjects if (row := _row(evidence, s, threat, "cad", fraction)) is not None]
    if not rows:
        return ""
    low, high = min(rows, key=lambda row: row.value), max(rows, key=lambda row: row.value)
    where = f"With {_share(float(fraction))} {_what(threat)}"
    if len(rows) == 1:
        return f"{where}, {evidence.titles[low.architecture]} loses {format.estimate(low)} of clean accuracy."
    return (
        f"{where}, models lose from {format.estimate(low)} of clean accuracy ({evidence.titles[low.architecture]}) "
        f"to {format.estimate(high)} ({evidence.titles[high.architecture]})."
    )


def _figure(evidence: Evidence, threat: Threat, grid: Sequence[str]) -> Figure:
    records = [
        {
            "label": subject.title,
            "x": round(100 * float(fraction), 6),
            "value": 100 * row.value,
            "low": 100 * row.low,
            "high": 100 * row.high,
            "at": _share(float(fraction)),
            "estimate": format.estimate(row),
        }
        for subject in evidence.subjects
        for fraction in grid
        if (row := _row(evidence, subject, threat, "cad", fraction)) is not None
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
    over_all: tuple[str, str] | None = None,
) -> Table:
    """A column for each fraction; `over_all` adds one with a measure of all fractions."""
    table = [
        [_row(evidence, subject, threat, metric, fraction) for fraction in grid]
        for subject in evidence.subjects
    ]
    columns = [_share(float(fraction)) for fraction in grid]
    if over_all is not None:
        areas = [_row(evidence, subject, threat, over_all[1]) for subject in evidence.subjects]
        if any(row is not None for row in areas):
            columns.append(over_all[0])
            table = [[*rows, area] for rows, area in zip(table, areas, strict=True)]
    return Table(
        f"{caption}, by poisoned share of the training images",
        ("", *columns),
        tuple(
            (Cell(subject.title), *(Cell.of(row) for row in rows))
            for subject, rows in zip(evidence.subjects, table, strict=True)
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _targets_table(evidence: Evidence, threat: Threat, fraction: str) -> Table | None:
    """What an optimised poison reaches, and costs; None for an attack without targets.

    The mismatch is one minus the cosine between the gradients of poison and target.
    """
    columns = (
        ("targets reached", "asr", ""),
        ("reached without poison", "floor", ""),
        ("gain in confidence", "confidence_gain", ""),
        ("mismatch of unchanged images", "matching_loss", "before"),
        ("of the poison", "matching_loss", "after"),
        ("accuracy lost", "cad", ""),
        ("accuracy left", "clean_accuracy", ""),
    )
    table = [
        [_row(evidence, subject, threat, metric, fraction, when) for _, metric, when in columns]
        for subject in evidence.subjects
    ]
    if all(rows[0] is None for rows in table):
        return None
    return Table(
        f"Targets, with {_share(float(fraction))} of the training images poisoned",
        ("", *(title for title, _, _ in columns)),
        tuple(
            (Cell(subject.title), *(Cell.of(row) for row in rows))
            for subject, rows in zip(evidence.subjects, table, strict=True)
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _strips(evidence: Evidence, threat: Threat) -> list[Strip]:
    """The poisons of each architecture; of its seeds, the first."""
    chosen: dict[str, Pictures] = {}
    for entry in evidence.results.pictures:
        if entry.family == FAMILY and entry.attack == threat.attack and entry.setting == threat.setting():
            chosen.setdefault(entry.architecture, entry)
    return [_strip(evidence, entry) for entry in chosen.values()]


def _strip(evidence: Evidence, entry: Pictures) -> Strip:
    title = f"Poisons for {evidence.titles.get(entry.architecture, entry.architecture)}, seed {entry.seed}"
    path = evidence.folder / entry.file
    if not path.is_file():
        return Strip(title, (), f"The file {entry.file} is not in the study's folder.")
    names = evidence.results.class_names
    with np.load(path, allow_pickle=False) as arrays:
        pictures = tuple(_picture(dict(arrays), k, names) for k in range(len(arrays["label"])))
    return Strip(title, pictures)


def _picture(arrays: dict[str, np.ndarray], k: int, names: Sequence[str]) -> Picture:
    clean, poisoned = arrays["clean"][k], arrays["poisoned"][k]
    change = (poisoned.astype(np.float64) - clean) / 255
    largest = float(np.abs(change).max())
    gain = 0.5 / largest if largest > 0 else 1.0
    return Picture(
        clean=data_uri(clean),
        poisoned=data_uri(poisoned),
        difference=data_uri(amplified(change, gain)),
        label=_class_name(names, int(arrays["label"][k])),
        aimed=_class_name(names, int(arrays["aimed_label"][k])),
        gain=f"×{format.significant(gain, 2)}",
        index=int(arrays["index"][k]),
        reached=bool(arrays["reached"][k]),
    )


def _class_name(names: Sequence[str], position: int) -> str:
    return names[position] if 0 <= position < len(names) else str(position)


def _one_of_each(evidence: Evidence) -> list[Threat]:
    """The first run of each attack."""
    return list({threat.attack: threat for threat in reversed(threats(evidence))}.values())[::-1]


def _share(fraction: float) -> str:
    """A poisoned share as it was asked for: `40 %`, not `40.0 %`."""
    return format.percent(fraction).replace(f".0{format.NBSP}", format.NBSP)


def _what(threat: Threat) -> str:
    return POISONED.get(threat.attack, f"of the training images poisoned ({threat.attack.replace('_', ' ')})")


def _row(
    evidence: Evidence, subject: Subject, threat: Threat, metric: str, fraction: str = "", poison: str = ""
) -> Row | None:
    """The row over all seeds of exactly this threat."""
    setting = {**threat.setting(fraction), **({"poison": poison} if poison else {})}
    return evidence.pooled(subject.name, FAMILY, metric, setting, threat.attack)


POISONING = Family(
    name=FAMILY,
    title="poisoning",
    section=section,
    verdict=verdict,
    tiles=tiles,
    yardstick=yardstick,
    verb="poison",
)
