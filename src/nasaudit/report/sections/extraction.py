"""Extraction: agreement by budget, what copies are worth at the largest one, and other ways to ask."""

from collections.abc import Mapping
from dataclasses import dataclass

from nasaudit.report import charts, format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import Cell, Figure, Section, Table, Tile
from nasaudit.report.sections.family import Family, Yardstick
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.attacks.extraction import OTHER, SAME
from nasaudit.study.results import Row

FAMILY = "extraction"
# What differs between the rows of one theft, or follows from its budgets, and so does not name it.
VARYING = frozenset({"budget", "budgets", "budget_shares", "epsilon", "images"})
# Said in words; any other field that tells two thefts apart is said as it is.
WORDED = ("surrogate", "labels", "pool")
POOLS: Mapping[str, str] = {
    "pool": "images it was not trained on",
    "train": "its own training images",
    OTHER: "images of another data set",
}
ANSWERS: Mapping[str, str] = {"soft": "probabilities", "hard": "predicted classes"}
METRICS = (
    ("agreement", "agreement"),
    ("surrogate's accuracy", "surrogate_accuracy"),
    ("KL divergence (nats)", "kl"),
    ("cross entropy (nats)", "cross_entropy"),
    ("mean error of a probability", "mean_absolute_error"),
    ("its examples fool the victim", "transfer_asr"),
)


@dataclass(frozen=True)
class Theft:
    """One attack as it was set: the rows of all its budgets.

    Attributes:
        attack: its name.
        identity: what its rows' settings share.
    """

    attack: str
    identity: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, row: Row) -> "Theft":
        """The theft that a row belongs to."""
        return cls(row.attack, tuple((key, text) for key, text in row.setting.items() if key not in VARYING))

    @property
    def setting(self) -> dict[str, str]:
        """The part of a row's setting that names this theft."""
        return dict(self.identity)

    @property
    def is_plain(self) -> bool:
        """Whether verdicts may quote it: random images, soft answers, not another data set."""
        said = self.setting
        return self.attack == "knockoff" and said.get("labels") == "soft" and said.get("pool") != OTHER

    @property
    def surrogate(self) -> str:
        """What the thief trains."""
        name = self.setting.get("surrogate", SAME)
        return "the victim's own architecture" if name == SAME else f"{name} for every victim"

    @property
    def asks(self) -> str:
        """What the thief asks for, about which images."""
        pool = self.setting.get("pool", "pool")
        answers = ANSWERS.get(self.setting.get("labels", "soft"), "answers")
        return f"{answers} on {POOLS.get(pool, f'images of {pool}')}"

    @property
    def title(self) -> str:
        """E.g. `knockoff, probabilities on images it was not trained on; surrogate: resnet for every victim`."""
        others = "".join(f", {key} {text}" for key, text in self.identity if key not in WORDED)
        return f"{self.attack.replace('_', ' ')}, {self.asks}; surrogate: {self.surrogate}{others}"

    @property
    def anchor(self) -> str:
        """A name safe in a file name and in an id."""
        words = "-".join([FAMILY, self.attack, *(text for _, text in self.identity)])
        return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in words)


@dataclass(frozen=True)
class Block:
    """What the page shows of one theft with several budgets."""

    title: str
    anchor: str
    summary: str
    sentence: str
    figure: Figure | None
    by_budget: Table | None
    at_largest: Table


def thefts(evidence: Evidence) -> list[Theft]:
    """Every theft that was measured, in the order of the rows."""
    rows = evidence.of_family(FAMILY)
    return list(dict.fromkeys(Theft.of(row) for row in rows if row.metric == "agreement"))


def main_theft(evidence: Evidence) -> Theft | None:
    """The theft that verdicts quote: a surrogate that is the same for all victims, where that was measured."""
    return max(
        thefts(evidence),
        key=lambda theft: (
            theft.is_plain,
            len(budgets(evidence, theft)) > 1,
            theft.setting.get("surrogate") != SAME,
        ),
        default=None,
    )


def budgets(evidence: Evidence, theft: Theft) -> list[str]:
    """The budgets of a theft, ascending, as the rows write them."""
    found = unique(
        row.setting["budget"]
        for row in evidence.of_family(FAMILY)
        if row.metric == "agreement" and Theft.of(row) == theft
    )
    return sorted(found, key=int)


def verdict(evidence: Evidence, subject: Subject) -> str | None:
    """How like it a copy is, after how many queries, and what the copy is good for."""
    theft = main_theft(evidence)
    if theft is None:
        return None
    most = _largest(evidence, subject, theft)
    if most is None:
        return None
    agreement = _row(evidence, subject, theft, "agreement", most)
    if agreement is None:
        return None
    return (
        f"A thief who asks for its {ANSWERS.get(theft.setting.get('labels', ''), 'answers')} on "
        f"{format.whole(int(most))} images gets a copy ({_copy(theft)}) that agrees with it on "
        f"{format.share_of(agreement, 'of the test images')}.{_examples(evidence, subject, theft, most)}"
    )


def tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    """The agreement after the largest budget."""
    theft = main_theft(evidence)
    most = None if theft is None else _largest(evidence, subject, theft)
    if theft is None or most is None:
        return ()
    row = _row(evidence, subject, theft, "agreement", most)
    return () if row is None else (Tile.of(f"copied by {format.whole(int(most))} queries", row),)


def yardstick(evidence: Evidence) -> Yardstick | None:
    """The agreement at the largest budget, of a surrogate that is the same for all where that was measured."""
    theft = main_theft(evidence)
    if theft is None:
        return None
    most = budgets(evidence, theft)[-1]
    rows = _by_name(evidence, theft, "agreement", most)
    if not rows:
        return None
    return Yardstick(
        rows,
        f"agreement of a copy after {format.whole(int(most))} queries (surrogate: {theft.surrogate})",
        _by_name(evidence, theft, "transfer_asr", most),
        ("Of the adversarial examples made on the copies", "work"),
    )


def section(evidence: Evidence) -> Section | None:
    """A curve with its tables for every theft with several budgets; the others side by side."""
    found = thefts(evidence)
    if not found:
        return None
    swept = [theft for theft in found if len(budgets(evidence, theft)) > 1] or found[:1]
    blocks = [_block(evidence, theft) for theft in swept]
    variants = [theft for theft in found if theft not in swept]
    content = {
        "blocks": blocks,
        "variants": [
            _at_budget(evidence, theft, budgets(evidence, theft)[-1], _first_up(theft.title))
            for theft in variants
        ],
        "floor": _floor(evidence),
    }
    figures = tuple(block.figure for block in blocks if block.figure is not None)
    return Section("extraction", "Extraction", "extraction.html.j2", content, figures)


def _block(evidence: Evidence, theft: Theft) -> Block:
    grid = budgets(evidence, theft)
    return Block(
        title=_first_up(theft.title),
        anchor=theft.anchor,
        summary=ATTACKS[theft.attack].summary if theft.attack in ATTACKS else "",
        sentence=_gets(evidence, theft, grid[-1]),
        figure=_figure(evidence, theft, grid) if len(grid) > 1 else None,
        by_budget=_budget_table(evidence, theft, grid) if len(grid) > 1 else None,
        at_largest=_at_budget(evidence, theft, grid[-1], "All that was measured"),
    )


def _gets(evidence: Evidence, theft: Theft, budget: str) -> str:
    """What a thief gets for how many queries, over all victims."""
    rows = list(_by_name(evidence, theft, "agreement", budget).values())
    if not rows:
        return ""
    low, high = min(rows, key=lambda row: row.value), max(rows, key=lambda row: row.value)
    if len(rows) == 1:
        said = format.share_of(low, "of the test images")
    else:
        said = (
            f"from {format.estimate(low)} of the test images ({evidence.titles.get(low.architecture)}) "
            f"to {format.estimate(high)} ({evidence.titles.get(high.architecture)})"
        )
    return f"For {format.whole(int(budget))} queries a thief gets a copy that says what the victim says on {said}."


def _figure(evidence: Evidence, theft: Theft, grid: list[str]) -> Figure:
    records = []
    for subject in evidence.subjects:
        for budget in grid:
            row = _row(evidence, subject, theft, "agreement", budget)
            if row is not None and int(budget) > 0:  # the axis is logarithmic
                records.append(
                    {
                        "label": subject.title,
                        "x": int(budget),
                        "value": row.value,
                        "low": row.low,
                        "high": row.high,
                        "at": format.whole(int(budget)),
                        "estimate": format.estimate(row),
                    }
                )
    return Figure(
        name=theft.anchor,
        title="Agreement by budget",
        about=theft.title,
        caption="Share of the test images on which the copy and the victim predict the same class, by the number of "
        f"images that the victim was asked about. The bands are {format.INTERVAL}s.",
        alt="Line chart of the agreement by query budget for "
        f"{format.listing(list(evidence.titles.values()))}; the numbers are in the table below.",
        records=records,
        chart=charts.curve(evidence.subjects, "queries", "agreement", measured="agrees on", x_log=True),
    )


def _budget_table(evidence: Evidence, theft: Theft, grid: list[str]) -> Table:
    return Table(
        "Agreement by budget, of all test images",
        ("", *(f"{format.whole(int(budget))} queries" for budget in grid)),
        tuple(
            (
                Cell(subject.title),
                *(Cell.of(_row(evidence, subject, theft, "agreement", budget)) for budget in grid),
            )
            for subject in evidence.subjects
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _at_budget(evidence: Evidence, theft: Theft, budget: str, what: str) -> Table:
    """All metrics at one budget, and the queries that were really counted."""
    table = [
        [_row(evidence, subject, theft, metric, budget) for _, metric in METRICS]
        for subject in evidence.subjects
    ]
    counted = [_row(evidence, subject, theft, "queries", budget) for subject in evidence.subjects]
    kept = [k for k in range(len(METRICS)) if any(row[k] is not None for row in table)]
    rows = zip(evidence.subjects, table, counted, strict=True)
    return Table(
        f"{what}: {format.whole(int(budget))} queries",
        ("", *(METRICS[k][0] for k in kept), "queries"),
        tuple(
            (
                Cell(subject.title),
                *(Cell.of(row[k]) for k in kept),
                Cell.of(None) if queries is None else Cell(format.whole(queries.value)),
            )
            for subject, row, queries in rows
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _floor(evidence: Evidence) -> Table | None:
    """How often noise of the same size fools each victim; the same for all thefts."""
    rows = [(subject, _noise(evidence, subject)) for subject in evidence.subjects]
    if all(row is None for _, row in rows):
        return None
    size = next(row.setting["epsilon"] for _, row in rows if row is not None)
    return Table(
        f"Random sign noise of the same size ({size}) fools the victim: what adversarial examples must exceed",
        ("", "fooled by noise"),
        tuple((Cell(subject.title), Cell.of(row)) for subject, row in rows),
        tuple(subject.name for subject, _ in rows),
    )


def _examples(evidence: Evidence, subject: Subject, theft: Theft, budget: str) -> str:
    row = _row(evidence, subject, theft, "transfer_asr", budget)
    if row is None:
        return ""
    noise = _noise(evidence, subject)
    beside = "" if noise is None else f"; random noise of that size fools it on {format.value(noise)}"
    return (
        f" Adversarial examples made on the copy (PGD, {row.setting['epsilon']}) fool it on "
        f"{format.share_of(row, 'of the images that it gets right')}{beside}."
    )


def _noise(evidence: Evidence, subject: Subject) -> Row | None:
    for theft in thefts(evidence):
        row = evidence.pooled(subject.name, FAMILY, "floor", theft.setting, theft.attack)
        if row is not None:
            return row
    return None


def _copy(theft: Theft) -> str:
    name = theft.setting.get("surrogate", SAME)
    return "of the same architecture" if name == SAME else f"a {name}"


def _largest(evidence: Evidence, subject: Subject, theft: Theft) -> str | None:
    """The largest budget that this victim has a row for."""
    grid = budgets(evidence, theft)
    return next(
        (budget for budget in reversed(grid) if _row(evidence, subject, theft, "agreement", budget)), None
    )


def _row(evidence: Evidence, subject: Subject, theft: Theft, metric: str, budget: str) -> Row | None:
    return evidence.pooled(subject.name, FAMILY, metric, {**theft.setting, "budget": budget}, theft.attack)


def _by_name(evidence: Evidence, theft: Theft, metric: str, budget: str) -> dict[str, Row]:
    rows = {subject.name: _row(evidence, subject, theft, metric, budget) for subject in evidence.subjects}
    return {name: row for name, row in rows.items() if row is not None}


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


EXTRACTION = Family(
    name=FAMILY,
    title="extraction",
    section=section,
    verdict=verdict,
    tiles=tiles,
    yardstick=yardstick,
    verb="steal",
)
