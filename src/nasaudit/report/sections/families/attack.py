"""One attack as a study ran it, and what the sections of all families show of it: rows, points of a curve, tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Self

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import ABSENT, Cell, Table
from nasaudit.results.schema import Curve, Pictures, Row
from nasaudit.spec.attacks import ATTACKS, Family

Column = tuple[
    str, Mapping[str, Cell]
]  # its title, and the cells of the architectures that have one, by name


@dataclass(frozen=True)
class MeasuredAttack:
    """One attack as it was run: the rows of all values of what varies in it (epsilon, fraction, budget).

    A family derives its own from this one, and adds how it is said.

    Attributes:
        family: of all its rows.
        metric: the one that every run of the family's attacks has rows of.
        varying: what differs between the rows of one run, or follows from that, and so does not name it.
        sort: whether the identity is in the order of its keys; otherwise as the rows have it.
        attack: its name.
        identity: what its rows' settings share, and what so tells it from another run of the attack.
    """

    family: ClassVar[Family]
    metric: ClassVar[str]
    varying: ClassVar[frozenset[str]]
    sort: ClassVar[bool] = False

    attack: str
    identity: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, entry: Row | Curve | Pictures) -> Self:
        """The attack that a row, a curve or a file of pictures belongs to."""
        pairs = [(key, text) for key, text in entry.setting.items() if key not in cls.varying]
        return cls(entry.attack, tuple(sorted(pairs) if cls.sort else pairs))

    @classmethod
    def measured(cls, evidence: Evidence) -> list[Self]:
        """Every one that has rows, in their order."""
        rows = evidence.of_family(cls.family)
        return evidence.once(
            (cls, "measured"),
            lambda: list(dict.fromkeys(cls.of(row) for row in rows if row.metric == cls.metric)),
        )

    @classmethod
    def judged(cls, evidence: Evidence) -> Self | None:
        """The one by which the family is judged: what verdicts quote; None without a headline."""
        headline = evidence.headline(cls.family)
        return None if headline is None else cls.of(next(iter(headline.rows.values())))

    @property
    def setting(self) -> dict[str, str]:
        """The part of a row's setting that names this attack."""
        return dict(self.identity)

    @property
    def summary(self) -> str:
        """What the attack does, in a sentence; empty for one that is not registered here."""
        return summary(self.attack)

    @property
    def anchor(self) -> str:
        """A name safe in a file name and in an id."""
        return anchor(self.family, self.attack, *(text for _, text in self.identity))

    def row(self, evidence: Evidence, subject: Subject, metric: str, **where: str) -> Row | None:
        """The row over all seeds; `where` says at which values of what varies."""
        return evidence.pooled(subject.name, self.family, metric, {**self.setting, **where}, self.attack)

    def by_name(self, evidence: Evidence, metric: str, **where: str) -> dict[str, Row]:
        """Such a row of each architecture that has one, by name."""
        rows = {subject.name: self.row(evidence, subject, metric, **where) for subject in evidence.subjects}
        return {name: row for name, row in rows.items() if row is not None}

    def values(self, evidence: Evidence, key: str, metric: str = "") -> list[str]:
        """What a key that varies was set to, ascending, as the rows of a metric ("": the family's) write it."""
        rows = evidence.of_family(self.family)
        found = evidence.once(
            (self, key, metric or self.metric),
            lambda: unique(
                row.setting[key]
                for row in rows
                if row.metric == (metric or self.metric) and self.of(row) == self
            ),
        )
        return sorted(found, key=Fraction)

    def pictures(self, evidence: Evidence) -> list[Pictures]:
        """The pictures of each architecture; of its seeds, the first."""
        chosen: dict[str, Pictures] = {}
        for entry in evidence.results.pictures:
            if entry.family == self.family and self.of(entry) == self:
                chosen.setdefault(entry.architecture, entry)
        return list(chosen.values())


def summary(attack: str) -> str:
    """What an attack does, in a sentence; empty for one that is not registered here."""
    return ATTACKS[attack].summary if attack in ATTACKS else ""


def anchor(*words: str) -> str:
    """Words as one name that is safe in a file name and in an id."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in "-".join(words))


def point(subject: Subject, row: Row, x: float, at: str, scale: float = 1) -> dict[str, object]:
    """A record of `charts.curve`: a row over x, which is written as `at`; the chart's unit is 1 / `scale`."""
    return {
        "label": subject.title,
        "x": x,
        "value": scale * row.value,
        "low": scale * row.low,
        "high": scale * row.high,
        "at": at,
        "estimate": format.estimate(row),
    }


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
