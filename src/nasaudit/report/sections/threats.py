"""The first screen: one line a threat, the most serious first, with a level, a figure and what to do about it.

The levels are those of `verdicts.threats`; here they become words and one picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.charts import categories
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Cell, Figure, Table
from nasaudit.report.sections.remedies import section as remedies
from nasaudit.results.flags import concerning
from nasaudit.results.schema import Row
from nasaudit.results.verdict_models import Level, Threat
from nasaudit.spec.attacks import ATLAS, FAMILIES, OWASP, Family
from nasaudit.verdicts.threats import NOTHING

# More architectures than columns fit beside each other: then the least and the most serious are named.
COLUMNS = 4
LEAST_AND_MOST = (Cell("least"), Cell("most"))


@dataclass(frozen=True)
class Words:
    """A threat as it is said to somebody who has to decide.

    Attributes:
        name: what the attacker does.
        meaning: the same in a clause.
        figure: what the figure counts; `{...}` are keys of the row's setting.
        advice: what to do, where nothing better was measured.
    """

    name: str
    meaning: str
    figure: str
    advice: str


THREATS: Mapping[Family, Words] = {
    "evasion": Words(
        "Evade",
        "change an input a little, so that it is misclassified",
        "of its correct images fall at {epsilon}",
        "Train it adversarially (nasaudit mitigate --remedies training), and do not let it decide alone on what "
        "strangers send.",
    ),
    "poisoning": Words(
        "Poison",
        "spoil training data, so that accuracy falls",
        "of accuracy lost with {fraction} of the training data poisoned",
        "Know where labels come from, and hold out clean images to notice a fall.",
    ),
    "backdoor": Words(
        "Backdoor",
        "plant a trigger that calls up a class of the attacker's choice",
        "of triggered images obey, once it is planted",
        "Take weights, data and training only from sources you trust; compare the hashes above before you ship.",
    ),
    "extraction": Words(
        "Steal",
        "copy it by asking questions",
        "of the copy's answers agree after {budget} queries",
        "Limit queries and what an answer tells (nasaudit mitigate --remedies answers).",
    ),
    "membership": Words(
        "Infer members",
        "find out who was in the training data",
        "AUC of telling members from others; 0.5 is guessing",
        "Train it with less overfitting or with clipped, noisy gradients (nasaudit mitigate --remedies dp_sgd).",
    ),
}


@dataclass(frozen=True)
class Line:
    """One threat: name, meaning, level, a cell for each column, advice; whether a flag speaks of its figures."""

    name: str
    meaning: str
    level: Level
    about: str
    cells: tuple[tuple[str, Cell], ...]  # with the level of each
    advice: str
    doubtful: bool = False


def lines(evidence: Evidence) -> list[Line]:
    """All five, in the order of the verdict."""
    how = {each.family: each for each in evidence.results.untested}
    made = []
    for threat in evidence.results.threats:
        words = THREATS[threat.family]
        if threat.level == "not tested":
            missing = how.get(threat.family)
            advice = "" if missing is None else f"{format.first_up(missing.why)}: {missing.how}."
            made.append(Line(words.name, words.meaning, threat.level, "", (), advice))
            continue
        rows = {
            each.architecture: (each.level, evidence.results.rows[each.position]) for each in threat.figures
        }
        setting = {**_told(next(iter(rows.values()))[1])}
        cells = tuple(
            (rows[name][0], Cell.of(rows[name][1])) if name in rows else ("", Cell("–"))
            for name in columns(evidence)
        )
        if not cells:
            ordered = sorted(rows, key=lambda name: rows[name][1].value)
            cells = tuple(
                (rows[name][0], _named(evidence, name, rows[name][1])) for name in (ordered[0], ordered[-1])
            )
        advice = _advice(evidence, threat, words)
        made.append(
            Line(
                words.name,
                words.meaning,
                threat.level,
                words.figure.format_map(setting),
                cells,
                advice,
                bool(concerning(evidence.results.flags, threat.family)),
            )
        )
    return made


def columns(evidence: Evidence) -> tuple[str, ...]:
    """The architectures that have a column of their own; none where there are too many."""
    names = tuple(subject.name for subject in evidence.subjects)
    return names if len(names) <= COLUMNS else ()


def heads(evidence: Evidence) -> tuple[Cell, ...]:
    """The titles of the columns of figures: an architecture and its accuracy, without which no figure can be read."""
    names = columns(evidence)
    return tuple(Cell(evidence.titles[name], _accuracy(evidence, name)) for name in names) or LEAST_AND_MOST


def _accuracy(evidence: Evidence, name: str) -> str:
    row = evidence.accuracy(name)
    if row is None:
        return "accuracy not measured"
    return f"{format.value(row)} accurate" + (" (seen in training?)" if name in evidence.doubtful else "")


def figure(evidence: Evidence) -> Figure | None:
    """All threats of all architectures with their intervals; None where there are too many lines, or nothing."""
    if not columns(evidence):
        return None
    records = [
        {
            "threat": THREATS[threat.family].name,
            "label": evidence.titles[each.architecture],
            "estimate": format.estimate(row),
            **dict(zip(("value", "low", "high"), _harm(threat.family, row), strict=True)),
        }
        for threat in evidence.results.threats
        for each in threat.figures
        for row in [evidence.results.rows[each.position]]
    ]
    if not records:
        return None
    names = [THREATS[threat.family].name for threat in evidence.results.threats if threat.figures]
    return Figure(
        "threats",
        "All threats at a glance",
        "How far each attack gets: 0 % is nothing, 100 % all that it could. Shares are drawn as they are; of an AUC, "
        f"twice its distance from guessing. The bars are {format.INTERVAL}s.",
        "Dot plot of the five threats with their intervals; the figures are in the table above.",
        categories.grouped_intervals(names, evidence.subjects, "how far the attack gets"),
        records,
    )


def listed(evidence: Evidence) -> Table:
    """Where public lists of threats have the five, in the order of the page."""
    return Table(
        "Techniques and risks that the threats are tested against",
        ("", ATLAS, OWASP),
        tuple(
            (
                Cell(THREATS[threat.family].name),
                Cell("; ".join(f"{each.id} {each.name}" for each in words.atlas)),
                Cell(f"{words.owasp.id} {words.owasp.name}"),
            )
            for threat in evidence.results.threats
            for words in [FAMILIES[threat.family]]
        ),
    )


def _harm(family: Family, row: Row) -> tuple[float, float, float]:
    values = (row.value, row.low, row.high)
    if family != "membership":
        return values
    value, low, high = (2 * each - 1 for each in values)
    return value, low, high


def _told(row: Row) -> dict[str, str]:
    """Keys of the setting as a person reads them."""
    told = dict(row.setting)
    if "fraction" in told:
        told["fraction"] = format.round_percent(told["fraction"])
    if "budget" in told:
        told["budget"] = format.whole(int(told["budget"]))
    return told


def _named(evidence: Evidence, name: str, row: Row) -> Cell:
    return Cell.figure(row, f"{evidence.titles.get(name, name)} · {format.interval(row)}")


def _advice(evidence: Evidence, threat: Threat, words: Words) -> str:
    """A remedy that was measured and recommended comes before what is generally advised."""
    names = [
        hardening.names.full(remedied)
        for hardening in remedies.hardenings(evidence)
        for remedied in hardening.remedies
        if threat.family in remedied.recommended
    ]
    if names:
        return f"Recommended by this study: {format.listing(names)}."
    lows = [evidence.results.rows[each.position].low for each in threat.figures]
    if threat.level == "low" and max(lows) > NOTHING[threat.family]:
        return f"Little, but surely something. {words.advice}"
    if threat.level == "unclear":
        return "Audit it with more seeds or images: these cannot tell whether the attack does anything."
    if threat.level == "low":
        return f"No step follows from this attack; --attacks {threat.family} tries all others of its kind."
    return words.advice
