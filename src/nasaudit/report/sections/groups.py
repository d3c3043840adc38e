"""NAS-designed against hand-made architectures, family by family: table, strips, and one plain sentence for each.

The statistics are those of `verdicts.groups`; here they become words. Random and custom cells are shown and stand
in neither group.
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
from nasaudit.results.flags import ACCURACY_GAP
from nasaudit.results.verdict_models import GroupComparison, GroupTest
from nasaudit.spec.arch import Group
from nasaudit.stats.holm import ALPHA

SHOWN: tuple[Group, ...] = ("nas", "manual", "random")
TESTED = ("difference", "Cliff's delta", "p", "after Holm", "could see")
OUTCOMES = {
    "supports": "supports",
    "contradicts": "contradicts",
    "neither": "neither supports nor contradicts",
}
FOUND = "4 of 5 such studies"  # power .8


@dataclass(frozen=True)
class Block:
    """What the page says of one family."""

    title: str
    sentences: tuple[str, ...]
    figure: Figure


def section(evidence: Evidence, families: Sequence[Family]) -> Section | None:
    """A table of all families; for each that was tested, a sentence and a strip. None without both groups."""
    known: dict[str, Family] = {family.name: family for family in families}
    compared = [
        one for one in evidence.results.comparisons if one.n_nas and one.n_manual and one.family in known
    ]
    if not compared:
        return None
    blocks = [_block(evidence, known[one.family], one, one.test) for one in compared if one.test is not None]
    content = {
        "table": _table(evidence, known, compared),
        "blocks": blocks,
        "why": unique(f"{format.first_up(one.why)}." for one in compared if one.why),
        "measured": format.listing([_measured(known[one.family], one) for one in compared]),
        "method": _method([one.test for one in compared if one.test is not None]),
    }
    figures = tuple(block.figure for block in blocks)
    return Section("groups", "NAS against hand-made", "groups.html.j2", content, figures)


def group_verdict(evidence: Evidence, family: Family) -> str | None:
    """What the test over architectures says on the published direction, as a clause; None where none was made."""
    for one in evidence.results.comparisons:
        if one.family == family.name and one.test is not None:
            return f"{_over(one)}, this study {_stance(family, one, one.test)}. {_numbers(one, one.test)}"
    return None


def _block(evidence: Evidence, family: Family, one: GroupComparison, test: GroupTest) -> Block:
    published = [f"Published: {one.published_size}."] if one.published_size else []
    return Block(
        title=f"{format.first_up(family.title)}: {OUTCOMES[test.finding]} the published direction",
        sentences=(
            f"{format.first_up(_over(one))}, this study {_stance(family, one, test)}. {_numbers(one, test)}",
            *published,
            *_could_have_seen(one, test),
            *_missing(evidence, one),
            *_accuracy(one),
        ),
        figure=_figure(evidence, family, one),
    )


def _over(one: GroupComparison) -> str:
    return f"over {one.n_nas} NAS-designed and {one.n_manual} hand-made architectures ({one.n_models} models)"


def _stance(family: Family, one: GroupComparison, test: GroupTest) -> str:
    return f"{OUTCOMES[test.finding]} {family.claim(one.published)}"


def _numbers(one: GroupComparison, test: GroupTest) -> str:
    if test.difference.low == test.difference.high == 0:
        return f"All have the same {one.measure}, so it tells none of them apart."
    corrected = f" after Holm's correction for {test.families} families" if test.families > 1 else ""
    return (
        f"The {one.measure} differs by {_span(test.difference, one)} (NAS-designed minus hand-made; "
        f"p{format.NBSP}{_equals(test.p_holm)}{corrected})."
    )


def _could_have_seen(one: GroupComparison, test: GroupTest) -> list[str]:
    """So that the silence of a test is not taken for a proof of equality."""
    if test.detectable_difference is None:
        return [
            f"With so few architectures the smallest p that this test can give is {format.p_value(test.smallest_p)}: "
            "no difference, however large, could have been found."
        ]
    if test.detectable_difference == 0:
        return []
    size = format.size(test.detectable_difference, one.metric, one.unit)
    return [
        f"A true difference of {size} would have been found in {FOUND}; of smaller ones the test says little."
    ]


def _missing(evidence: Evidence, one: GroupComparison) -> list[str]:
    have = {value.architecture for value in one.values}
    absent = [
        subject.title
        for subject in evidence.subjects
        if subject.spec.group in ("nas", "manual") and subject.name not in have
    ]
    return [f"Without {format.listing(absent)}: no such measurement."] if absent else []


def _accuracy(one: GroupComparison) -> list[str]:
    if one.accuracy_gap is None or abs(one.accuracy_gap) <= ACCURACY_GAP:
        return []
    better = "more" if one.accuracy_gap > 0 else "less"
    return [
        f"Caution: on average the NAS-designed architectures are {format.points(one.accuracy_gap)} {better} "
        "accurate, and a difference may come from that alone."
    ]


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
        "cells are in neither group."
    )


def _table(evidence: Evidence, known: dict[str, Family], compared: Sequence[GroupComparison]) -> Table:
    tested = any(one.test is not None for one in compared)
    groups = [group for group in SHOWN if any(one.of_group(group) for one in compared)]
    rows = [
        (
            Cell(format.first_up(known[one.family].title), one.measure),
            *(_group_cell(evidence, one, group) for group in groups),
            *(_test_cells(one) if tested else ()),
        )
        for one in compared
    ]
    columns = ("", *(GROUP_TITLES[group] for group in groups), *(TESTED if tested else ()))
    caption = "Mean over architectures, with their number; higher is worse for the defender"
    return Table(caption, columns, tuple(rows))


def _group_cell(evidence: Evidence, one: GroupComparison, group: Group) -> Cell:
    values = one.of_group(group)
    if not values:
        return Cell(ABSENT)
    models = sum(value.models for value in values)
    alone = evidence.titles.get(values[0].architecture, values[0].architecture)
    who = alone if len(values) == 1 and group != "random" else str(len(values))
    return Cell(
        format.quantity(one.means[group], one.metric, one.unit),
        f"{who} ({models} model{'s' * (models != 1)})",
    )


def _test_cells(one: GroupComparison) -> tuple[Cell, ...]:
    test = one.test
    if test is None:
        return (Cell(ABSENT),) * len(TESTED)
    seen = test.detectable_difference
    delta = test.cliffs_delta
    return (
        Cell(format.change(test.difference.value, one.metric, one.unit), _bounds(test.difference, one)),
        Cell(f"{delta.value:+.2f}", f"[{delta.low:.2f},{format.NBSP}{delta.high:.2f}]"),
        Cell(
            format.p_value(test.p), f"\N{GREATER-THAN OR EQUAL TO} {format.significant(test.smallest_p, 2)}"
        ),
        Cell(format.p_value(test.p_holm)),
        Cell("nothing" if seen is None else format.size(seen, one.metric, one.unit)),
    )


def _figure(evidence: Evidence, family: Family, one: GroupComparison) -> Figure:
    points = format.in_points(one.metric, one.unit)
    shown = {title: group for group, title in GROUP_TITLES.items() if one.of_group(group)}
    records = []
    for title, group in shown.items():
        marks = [
            ("architecture", evidence.titles.get(value.architecture, value.architecture), value.value)
            for value in one.of_group(group)
        ]
        if len(marks) > 1:
            marks.append(("mean", f"mean of {len(marks)}", one.means[group]))
        records += [
            {
                "kind": kind,
                "group": title,
                "label": label,
                "value": 100 * value if points else value,
                "estimate": format.quantity(value, one.metric, one.unit),
            }
            for kind, label, value in marks
        ]
    return Figure(
        name=f"groups-{one.family}",
        title=format.first_up(one.measure),
        about=family.title,
        caption="One point for each architecture, the mean over its trainings; the tick is the mean of its group.",
        alt=f"Strip plot of the {one.measure} of each architecture by group; the means are in the table above.",
        records=records,
        chart=categories.group_strip(
            {title: GROUP_COLOURS[group] for title, group in shown.items()},
            f"{one.measure}{' (%)' if points else ''}",
        ),
        legend=False,
    )


def _measured(family: Family, one: GroupComparison) -> str:
    """Which measure, of which attack, at which setting."""
    setting = [f"{key.replace('_', ' ')} {text}" for key, text in one.setting.items()]
    return f"{family.title} by the {one.measure} ({', '.join([one.attack.replace('_', ' '), *setting])})"


def _span(span: Span, one: GroupComparison) -> str:
    return f"{format.change(span.value, one.metric, one.unit)} {_bounds(span, one)}"


def _bounds(span: Span, one: GroupComparison) -> str:
    low, high = (format.amount(end, one.metric, one.unit) for end in (span.low, span.high))
    return f"[{low},{format.NBSP}{high}]"


def _equals(p: float) -> str:
    said = format.p_value(p)
    return said if said.startswith("<") else f"= {said}"
