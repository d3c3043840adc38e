"""NAS-designed against hand-made architectures, family by family: table, strips, and one plain sentence for each.

The statistics are those of `verdicts.groups`; here they become words. Random and custom cells, and those
that were searched for robustness, are shown and stand in neither group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.charts import categories
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.palette import GROUP_COLOURS, GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table
from nasaudit.report.sections.families.base import Family
from nasaudit.results.base import Span
from nasaudit.results.verdict_models import GroupComparison, GroupTest
from nasaudit.spec.arch import Group
from nasaudit.stats.holm import ALPHA, FEWEST

SHOWN: tuple[Group, ...] = ("nas", "manual", "robust_nas", "random")
TESTED = ("difference", "Cliff's delta", "p", "after Holm", "could see")
OUTCOMES = {
    "supports": "supports",
    "contradicts": "contradicts",
    "neither": "neither supports nor contradicts",
}
# Of an attack of which nothing was published.
UNPUBLISHED = {
    "differs": "finds a difference between the groups, of which nothing was published",
    "neither": "can show no difference between the groups, of which nothing was published",
}
FOUND = "4 of 5 such studies"  # power .8


@dataclass(frozen=True)
class Block:
    """What the page says of one family."""

    title: str
    sentences: tuple[str, ...]
    figure: Figure


def section(evidence: Evidence, families: Sequence[Family]) -> Section | None:
    """A table of all families; for each that was tested, a sentence and a strip. None without two of both groups."""
    known: dict[str, Family] = {family.name: family for family in families}
    compared = [
        pair for pair in evidence.results.comparisons if pair.n_nas and pair.n_manual and pair.family in known
    ]
    if all(min(pair.n_nas, pair.n_manual) < FEWEST for pair in compared):
        return None
    blocks = [
        _block(evidence, known[pair.family], pair, pair.test) for pair in compared if pair.test is not None
    ]
    measured = []  # which measure, of which attack, at which setting
    for pair in compared:
        setting = [f"{key.replace('_', ' ')} {text}" for key, text in pair.setting.items()]
        attack = ", ".join([pair.attack.replace("_", " "), *setting])
        measured.append(f"{known[pair.family].title} by the {pair.measure} ({attack})")
    content = {
        "table": _table(evidence, known, compared),
        "blocks": blocks,
        "why": unique(f"{format.first_up(pair.why)}." for pair in compared if pair.why),
        "measured": format.listing(measured),
        "method": _method([pair.test for pair in compared if pair.test is not None]),
    }
    figures = tuple(block.figure for block in blocks)
    return Section("groups", "NAS against hand-made", "groups.html.j2", content, figures)


def too_few(evidence: Evidence) -> list[str]:
    """Why groups were not compared, where there are too few of them for that."""
    small = [pair for pair in evidence.results.comparisons if 0 < min(pair.n_nas, pair.n_manual) < FEWEST]
    return unique(f"{format.first_up(pair.why)}." for pair in small if pair.why)


def group_verdict(evidence: Evidence, family: Family) -> str | None:
    """What the test over architectures says on the published direction, as a clause; None where none was made."""
    for pair in evidence.results.comparisons:
        if pair.family == family.name and pair.test is not None:
            return _verdict(family, pair, pair.test)
    return None


def _verdict(family: Family, pair: GroupComparison, test: GroupTest) -> str:
    over = f"{pair.n_nas} NAS-designed and {pair.n_manual} hand-made architectures"
    finding = _finding(pair, test, family.claim(pair.published))
    return f"over {over} ({pair.n_models} models), this study {finding}. {_numbers(pair, test)}"


def _finding(pair: GroupComparison, test: GroupTest, direction: str) -> str:
    return UNPUBLISHED[test.finding] if pair.published is None else f"{OUTCOMES[test.finding]} {direction}"


def _block(evidence: Evidence, family: Family, pair: GroupComparison, test: GroupTest) -> Block:
    values = {value.architecture for value in pair.values}
    missing = [
        subject.title
        for subject in evidence.subjects
        if subject.spec.group in ("nas", "manual") and subject.name not in values
    ]
    sentences = [format.first_up(_verdict(family, pair, test))]
    if pair.published_size:
        sentences.append(f"Published: {pair.published_size}.")
    # So that the silence of a test is not taken for a proof of equality.
    if test.detectable_difference is None:
        sentences.append(
            f"With so few architectures the smallest p that this test can give is {format.p_value(test.smallest_p)}: "
            "no difference, however large, could have been found."
        )
    elif test.detectable_difference:
        size = format.size(test.detectable_difference, pair.metric, pair.unit)
        sentences.append(
            f"A true difference of {size} would have been found in {FOUND}; of smaller ones the test says little."
        )
    if missing:
        sentences.append(f"Without {format.listing(missing)}: no such measurement.")
    if pair.unlike:
        sentences.append(f"Caution: {pair.unlike}, so a difference may come from the training.")
    if pair.unequal and pair.accuracy_gap is not None:
        better = "more" if pair.accuracy_gap > 0 else "less"
        sentences.append(
            f"Caution: on average the NAS-designed architectures are {format.points(pair.accuracy_gap)} "
            f"{better} accurate, and a difference may come from that alone."
        )
    return Block(
        title=f"{format.first_up(family.title)}: {_finding(pair, test, 'the published direction')}",
        sentences=tuple(sentences),
        figure=_figure(evidence, family, pair),
    )


def _numbers(pair: GroupComparison, test: GroupTest) -> str:
    difference = test.difference
    if difference.low == difference.high == 0:
        return f"All have the same {pair.measure}, so it tells none of them apart."
    corrected = f" after Holm's correction for {test.families} families" if test.families > 1 else ""
    p = format.p_value(test.p_holm)
    return (
        f"The {pair.measure} differs by "
        f"{format.change(difference.value, pair.metric, pair.unit)} {_bounds(difference, pair)} "
        f"(NAS-designed minus hand-made; p{format.NBSP}{p if p.startswith('<') else f'= {p}'}{corrected})."
    )


def _method(tests: Sequence[GroupTest]) -> str:
    if not tests:
        return ""
    splits = "over all splits" if all(test.exact for test in tests) else "over random splits"
    holm = f", after Holm's correction over {len(tests)} families" if len(tests) > 1 else ""
    return (
        "Each architecture counts once, with the mean over its trainings: neither images nor trainings are "
        f"replicates of an architecture. p: two-sided permutation test of the means, {splits}, and the least that "
        f"it could have been; a finding takes at most {ALPHA:g}{holm}. Differences: Welch's {format.INTERVAL}, each "
        "for its family alone. Cliff's delta: +1 if every NAS-designed architecture has a higher value than every "
        "hand-made one. Could see: the true difference that such a study finds with a probability of 80 %. Random "
        "cells are in neither group, nor are cells that were searched for robustness."
    )


def _table(evidence: Evidence, known: dict[str, Family], compared: Sequence[GroupComparison]) -> Table:
    tested = any(pair.test is not None for pair in compared)
    groups = [group for group in SHOWN if any(pair.of_group(group) for pair in compared)]
    rows = [
        (
            Cell(format.first_up(known[pair.family].title), pair.measure),
            *(_group_cell(evidence, pair, group) for group in groups),
            *(_test_cells(pair) if tested else ()),
        )
        for pair in compared
    ]
    columns = ("", *(GROUP_TITLES[group] for group in groups), *(TESTED if tested else ()))
    caption = "Mean over architectures, with their number; higher is worse for the defender"
    return Table(caption, columns, tuple(rows))


def _group_cell(evidence: Evidence, pair: GroupComparison, group: Group) -> Cell:
    values = pair.of_group(group)
    if not values:
        return Cell(ABSENT)
    models = sum(value.models for value in values)
    alone = evidence.titles.get(values[0].architecture, values[0].architecture)
    who = alone if len(values) == 1 and group != "random" else str(len(values))
    return Cell(
        format.quantity(pair.means[group], pair.metric, pair.unit),
        f"{who} ({models} model{'s' * (models != 1)})",
    )


def _test_cells(pair: GroupComparison) -> tuple[Cell, ...]:
    test = pair.test
    if test is None:
        return (Cell(ABSENT),) * len(TESTED)
    seen = test.detectable_difference
    delta = test.cliffs_delta
    return (
        Cell(
            format.change(test.difference.value, pair.metric, pair.unit),
            _bounds(test.difference, pair),
        ),
        Cell(f"{delta.value:+.2f}", f"[{delta.low:.2f},{format.NBSP}{delta.high:.2f}]"),
        Cell(
            format.p_value(test.p), f"\N{GREATER-THAN OR EQUAL TO} {format.significant(test.smallest_p, 2)}"
        ),
        Cell(format.p_value(test.p_holm)),
        Cell("nothing" if seen is None else format.size(seen, pair.metric, pair.unit)),
    )


def _figure(evidence: Evidence, family: Family, pair: GroupComparison) -> Figure:
    points = format.in_points(pair.metric, pair.unit)
    shown = {title: group for group, title in GROUP_TITLES.items() if pair.of_group(group)}
    records = []
    for title, group in shown.items():
        marks = [
            ("architecture", evidence.titles.get(value.architecture, value.architecture), value.value)
            for value in pair.of_group(group)
        ]
        if len(marks) > 1:
            marks.append(("mean", f"mean of {len(marks)}", pair.means[group]))
        records += [
            {
                "kind": kind,
                "group": title,
                "label": label,
                "value": 100 * value if points else value,
                "estimate": format.quantity(value, pair.metric, pair.unit),
            }
            for kind, label, value in marks
        ]
    return Figure(
        name=f"groups-{pair.family}",
        title=format.first_up(pair.measure),
        about=family.title,
        caption="One point for each architecture, the mean over its trainings; the tick is the mean of its group.",
        alt=f"Strip plot of the {pair.measure} of each architecture by group; the means are in the table above.",
        records=records,
        chart=categories.group_strip(
            {title: GROUP_COLOURS[group] for title, group in shown.items()},
            f"{pair.measure}{' (%)' if points else ''}",
        ),
        legend=False,
    )


def _bounds(span: Span, pair: GroupComparison) -> str:
    low, high = (format.amount(end, pair.metric, pair.unit) for end in (span.low, span.high))
    return f"[{low},{format.NBSP}{high}]"
