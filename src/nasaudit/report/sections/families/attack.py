"""One attack as a study ran it, and what the sections of all families show of it: rows, a curve, tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar, Self

from nasaudit.report import format
from nasaudit.report.charts.curves import curve
from nasaudit.report.charts.frame import Records
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import Figure, Table, Text
from nasaudit.report.sections.tables import column, heading, table
from nasaudit.results.schema import Curve, Headline, Pictures, Row
from nasaudit.spec.attacks import ATTACKS, THREAT_MODELS, AttackSpec, Family, attack_title
from nasaudit.spec.units import as_number


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

        def attacks() -> list[Self]:
            rows = evidence.of_family(cls.family)
            return list(dict.fromkeys(cls.of(row) for row in rows if row.metric == cls.metric))

        return evidence.once((cls, "measured"), attacks)

    @classmethod
    def judged(cls, headline: Headline) -> Self:
        """The one by which the family is judged: what verdicts quote."""
        return cls.of(next(iter(headline.rows.values())))

    @property
    def setting(self) -> dict[str, str]:
        """The part of a row's setting that names this attack."""
        return dict(self.identity)

    @property
    def name(self) -> str:
        """The attack as it is written in prose, without what tells this run of it from another."""
        return attack_title(self.attack)

    @property
    def spec(self) -> type[AttackSpec] | None:
        """What is known of it before it runs; None for one that is not registered here."""
        if self.attack not in ATTACKS:
            return None
        return ATTACKS[self.attack]

    @property
    def summary(self) -> Text | None:
        """What the attack does, in a sentence."""
        return None if self.spec is None else Text(f"{format.first_up(self.spec.summary)}.", quiet=True)

    @property
    def access(self) -> str:
        """What the attacker has of the victim, as a clause after "who"."""
        return f"uses {self.name}" if self.spec is None else THREAT_MODELS[self.spec.threat_model].access

    @property
    def anchor(self) -> str:
        """A name safe in a file name and in an id."""
        return anchor(self.family, self.attack, *(text for _, text in self.identity))

    def row(self, evidence: Evidence, subject: Subject, metric: str, **where: str) -> Row | None:
        """The row over all seeds; `where` says at which values of what varies."""
        return evidence.pooled(subject.name, self.family, metric, self.attack, **(self.setting | where))

    def by_name(self, evidence: Evidence, metric: str, **where: str) -> dict[str, Row]:
        """Such a row of each architecture that has one, by name."""
        return evidence.by_name(self.family, metric, self.attack, **(self.setting | where))

    def rows(self, evidence: Evidence, metric: str = "") -> list[Row]:
        """Its rows of a metric ("": the family's), of any architecture."""
        wanted = metric or self.metric

        def own() -> list[Row]:
            rows = evidence.of_family(self.family)
            return [row for row in rows if row.metric == wanted and self.of(row) == self]

        return evidence.once((self, wanted), own)

    def values(self, evidence: Evidence, key: str, metric: str = "") -> list[str]:
        """What a key that varies was set to, ascending, as the rows of a metric ("": the family's) write it."""
        return sorted(
            unique(row.setting[key] for row in self.rows(evidence, metric)),
            key=lambda text: as_number(text) or 0.0,
        )

    def pictures(self, evidence: Evidence) -> list[Pictures]:
        """The pictures of each architecture; of its seeds, the first."""
        chosen: dict[str, Pictures] = {}
        for entry in evidence.results.pictures:
            if entry.family == self.family and self.of(entry) == self:
                chosen.setdefault(entry.architecture, entry)
        return list(chosen.values())

    def table(
        self,
        evidence: Evidence,
        caption: str,
        columns: Sequence[tuple[str, str, Mapping[str, str]]],
        keep_empty: bool = False,
    ) -> Table:
        """A line for each architecture; a column: its title ("": the metric's own), a metric, and where."""
        cells = [
            column(title or heading(metric), self.by_name(evidence, metric, **where))
            for title, metric, where in columns
        ]
        return table(evidence, caption, cells, keep_empty)

    def points(
        self,
        evidence: Evidence,
        metric: str,
        key: str,
        place: Callable[[str], tuple[float, str]],
        scale: float = 1,
        **where: str,
    ) -> list[dict[str, object]]:
        """Records of `curves.curve`: a metric over all values of `key`, at the settings `where`.

        `place` tells where a value is on the axis and how it is written; the chart's unit is 1 / `scale`.
        """
        return [
            point(subject, row, *place(text), scale)
            for subject in evidence.subjects
            for text in self.values(evidence, key)
            if (row := self.row(evidence, subject, metric, **{key: text}, **where)) is not None
        ]


def anchor(*words: str) -> str:
    """Words as one name that is safe in a file name and in an id."""
    return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in "-".join(words))


def point(subject: Subject, row: Row, x: float, at: str, scale: float = 1) -> dict[str, object]:
    """A record of `curves.curve`: a row over x, which is written as `at`; the chart's unit is 1 / `scale`."""
    return {
        "label": subject.title,
        "x": x,
        "value": scale * row.value,
        "low": scale * row.low,
        "high": scale * row.high,
        "at": at,
        "estimate": format.estimate(row),
    }


def curve_figure(
    evidence: Evidence,
    name: str,
    about: str,
    title: str,
    caption: str,
    drawn: str,
    records: Records,
    axes: tuple[str, str],
    measured: str,
    numbers: str = "the numbers are in the table below",
    *,
    x_log: bool = False,
    shares: bool = True,
    whole: bool = True,
) -> Figure:
    """A curve with bands; `drawn` says in words what it is a curve of, and `numbers` where they can be read.

    `axes` are the titles of x and y; the rest as in `curves.curve`.
    """
    return Figure(
        name=name,
        title=title,
        about=about,
        caption=f"{caption} The bands are {format.INTERVAL}s.",
        alt=f"Line chart of {drawn} for {evidence.names}; {numbers}.",
        records=records,
        chart=curve(evidence.subjects, *axes, measured=measured, x_log=x_log, shares=shares, whole=whole),
    )


def extremes(evidence: Evidence, rows: Mapping[str, Row], whole: str) -> str:
    """The lowest and the highest of several rows with their architectures, as shares or parts of a whole."""
    low, high = (pick(rows.values(), key=attrgetter("value")) for pick in (min, max))
    lowest, highest = (evidence.titles[row.architecture] for row in (low, high))
    return f"from {format.estimate(low)} {whole} ({lowest}) to {format.estimate(high)} ({highest})"
