"""What hardening did: the advice first, then before and after, what it costs, trade-offs and doses.

Everything comes from `results.remedies`, which `verdicts.remedies` judged; the sentences are those of `remedy_words`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.charts.remedies import Look
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table
from nasaudit.report.remedy_names import Names
from nasaudit.report.sections.remedies import method as remedy_method
from nasaudit.report.sections.remedies import words as remedy_words
from nasaudit.report.sections.remedies.figures import dose_curves, point_looks, trade_offs
from nasaudit.report.sections.remedies.words import Hardening
from nasaudit.results.verdict_models import Effect, Remedied

ANCHOR = "remedies"
MARKS = {
    "recommended": "better",
    "promising": "undecided",
    "too costly": "worse",
    "cost unknown": "undecided",
    "no help": "same",
    "not measured": "same",
}
COSTS = ("", "parameters", "FLOPs", "training time")


@dataclass(frozen=True)
class Change:
    """A figure before and after; `finding` is also its mark. Without an effect the cell is empty."""

    text: str = ABSENT
    finding: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A remedy in the table of changes."""

    name: str
    note: str
    mark: str
    advice: str
    reason: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Block:
    """What the page says of one original."""

    anchor: str
    title: str
    threats: tuple[str, ...]
    remedies: tuple[str, ...]
    talk: tuple[str, ...]
    method: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]  # the threat, and the figure that stands for it
    lines: tuple[Line, ...]
    costs: Table | None
    looks: tuple[Look, ...]
    trade_offs: tuple[Figure, ...]
    left_out: tuple[str, ...]  # remedies without an accuracy, which no trade-off can show
    doses: tuple[Figure, ...]


def hardenings(evidence: Evidence) -> list[Hardening]:
    """The remedies of the study by what they harden."""
    results = evidence.results
    names = Names.of(results, evidence.titles)
    return evidence.once(
        "hardenings", lambda: remedy_words.hardenings(results.remedies, names, len(results.study.seeds))
    )


def section(evidence: Evidence) -> Section | None:
    """A block for each original; None in a study without remedies."""
    originals = hardenings(evidence)
    if not originals:
        return None
    blocks = [_block(evidence, hardening, position) for position, hardening in enumerate(originals)]
    content = {"blocks": blocks, "folded": evidence.crowded}
    figures = tuple(figure for block in blocks for figure in (*block.trade_offs, *block.doses))
    return Section(ANCHOR, "Remedies", "remedies.html.j2", content, figures)


def _block(evidence: Evidence, hardening: Hardening, position: int) -> Block:
    # A number and not the name, which may be a user's and hold anything.
    anchor = f"{ANCHOR}-{position}"
    columns = _columns(hardening)
    drawn = [] if evidence.crowded else trade_offs(evidence, hardening, anchor)
    return Block(
        anchor=anchor,
        title=remedy_words.title(hardening),
        threats=tuple(remedy_words.threat(hardening, family) for family in hardening.families),
        remedies=tuple(remedy_words.sentence(hardening, remedied) for remedied in hardening.remedies),
        talk=tuple(remedy_method.talk(hardening)),
        method=tuple(remedy_method.method(hardening)),
        columns=tuple((remedy_words.TITLES.get(family, family), measure) for family, measure in columns),
        lines=tuple(_line(hardening, remedied, columns) for remedied in hardening.remedies),
        costs=_costs(evidence, hardening),
        looks=tuple(point_looks(evidence, hardening)) if drawn else (),
        trade_offs=tuple(drawn),
        left_out=tuple(
            hardening.names.full(remedied)
            for remedied in hardening.remedies
            if drawn and remedied.kind != "answers" and remedied.accuracy is None and remedied.effects
        ),
        doses=() if evidence.crowded else tuple(dose_curves(hardening, anchor)),
    )


def _columns(hardening: Hardening) -> list[tuple[str, str]]:
    """Family and measure of everything that was compared, family by family, the headline first."""
    measured = dict.fromkeys(
        (effect.family, effect.measure)
        for headline in (True, False)
        for remedied in hardening.remedies
        for effect in remedied.effects
        if effect.headline == headline
    )
    order = [*remedy_words.TITLES, *(family for family, _ in measured)]
    return sorted(measured, key=lambda pair: order.index(pair[0]))


def _line(hardening: Hardening, remedied: Remedied, columns: list[tuple[str, str]]) -> Line:
    by_column = {(effect.family, effect.measure): effect for effect in remedied.effects}
    accuracy = (
        Change("as it was", "same", ("the network stays",))
        if remedied.kind == "answers" and remedied.accuracy is None
        else _change(remedied.accuracy)
    )
    return Line(
        name=hardening.names.remedy(remedied),
        note=hardening.names.other_name(remedied),
        mark=MARKS[remedied.advice],
        advice=remedied.advice,
        # What follows the advice, without the word that stands there already.
        reason=remedy_words.because(hardening, remedied)
        .removeprefix(f"{remedied.advice} ")
        .removeprefix("not recommended: "),
        changes=(accuracy, *(_change(by_column.get(column)) for column in columns)),
    )


def _change(effect: Effect | None) -> Change:
    if effect is None:
        return Change()
    change, metric, unit = effect.difference, effect.metric, effect.unit
    same = effect.finding == "same"
    notes = [format.change(change.value, metric, unit) if same else remedy_words.changed(effect)]
    if effect.p_holm is not None:
        notes.append(f"p{format.NBSP}{format.p_value(effect.p_holm)} after Holm")
    return Change(
        format.from_to(effect.before.value, effect.after.value, metric, unit), effect.finding, tuple(notes)
    )


# Costs -----------------------------------------------------------------------------------------------------------


def _costs(evidence: Evidence, hardening: Hardening) -> Table | None:
    """Size and speed of what has another network or another training; None where nothing of it is known."""
    rows = []
    for remedied in hardening.remedies:
        if remedied.kind == "answers":
            continue
        cells = (
            _ratio(remedied.parameters, format.whole),
            _ratio(remedied.flops, format.millions),
            _seconds(evidence, remedied),
        )
        if any(cell.text != ABSENT for cell in cells):
            name = Cell(hardening.names.remedy(remedied), hardening.names.other_name(remedied))
            rows.append((name, *cells))
    if not rows:
        return None
    return Table("What it costs in size and speed", COSTS, tuple(rows))


def _ratio(sizes: tuple[float, float] | None, written: Callable[[float], str], note: str = "") -> Cell:
    if sizes is None:
        return Cell(ABSENT)
    before, after = sizes
    first, second = written(before), written(after)
    if before == after:
        return Cell(first, " · ".join(part for part in ("as before", note) if part))
    percent = round(100 * (after / before - 1)) if before else None
    ratio = "" if percent is None else f"{'+' * (percent > 0)}{percent}{format.NBSP}%"
    return Cell(
        f"{first} \N{RIGHTWARDS ARROW} {second}", " · ".join(part for part in (ratio, note) if part)
    )  # fmt: skip


def _seconds(evidence: Evidence, remedied: Remedied) -> Cell:
    """Mean wall time of a training, over the seeds that both have."""
    seconds = evidence.results.seconds
    pairs = [
        (seconds[before], seconds[after])
        for seed in evidence.results.study.seeds
        if (before := f"train {remedied.original} (seed {seed})") in seconds
        and (after := f"train {remedied.variant} (seed {seed})") in seconds
    ]
    if not pairs:
        return Cell(ABSENT)
    before, after = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
    trainings = "1 training" if len(pairs) == 1 else f"mean of {len(pairs)} trainings"
    return _ratio((before, after), format.duration, trainings)
