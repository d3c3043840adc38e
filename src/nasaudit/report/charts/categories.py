"""A line for each architecture or group: points on their intervals, bars of parts, strips of many points."""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.charts.frame import (
    DATA,
    FAINT,
    Chart,
    colour_of,
    emphasis,
    framed,
    labels_of,
    shape_of,
    tooltip,
    value_x,
)
from nasaudit.report.evidence import Subject

ROW = 26  # pixels in height of a line with one mark


def interval_chart(
    subjects: Sequence[Subject], x_title: str, *, shares: bool = True, log: bool = False
) -> Chart:
    """One estimate for each architecture as a point on its interval, in the order of `subjects`.

    Records: `label`, `value`, `low`, `high`, `estimate`. With `log` x grows by factors, and all are above 0.
    """
    labels = [subject.title for subject in subjects]
    base = alt.Chart(DATA).encode(
        y=labels_of("label", labels, limit=130),
        color=colour_of(subjects),
        opacity=emphasis(),
    )
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    point = base.mark_point(filled=True, size=80).encode(
        x=value_x(x_title, shares=shares, log=log),
        shape=shape_of(subjects),
        tooltip=tooltip(label="architecture", estimate=x_title),
    )
    return framed(Chart(layer=[rule, point]), height=max(70, ROW * len(labels)))


def grouped_intervals(labels: Sequence[str], subjects: Sequence[Subject], x_title: str) -> Chart:
    """Shares with intervals, an architecture under the other for each label.

    Records: `threat` (of `labels`), `label` (the architecture), `value`, `low`, `high`, `estimate`.
    """
    names = [subject.title for subject in subjects]
    base = alt.Chart(DATA).encode(
        y=labels_of("threat", labels, limit=130),
        yOffset=alt.YOffset("label:N").sort(names),
        color=colour_of(subjects),
        opacity=emphasis(),
    )
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    point = base.mark_point(filled=True, size=70).encode(
        x=alt.X("value:Q")
        .title(x_title)
        .scale(domain=[0, 1], clamp=True, padding=8)
        .axis(format="~%", tickCount=6),
        shape=shape_of(subjects),
        tooltip=tooltip(threat="threat", label="architecture", estimate="figure"),
    )
    return framed(Chart(layer=[rule, point]), height=max(70, (10 + 14 * len(names)) * len(labels)))


def group_strip(groups: Mapping[str, str], x_title: str) -> Chart:
    """One point for each architecture on the line of its group, with a tick at the group's mean.

    Records: `kind` ("architecture" or "mean"), `group` (as `groups` writes it), `label`, `value`, `estimate`.
    `groups` gives the colour of each, from top to bottom.
    """
    names = list(groups)
    base = alt.Chart(DATA).encode(
        y=labels_of("group", names),
        x=alt.X("value:Q").title(x_title).scale(zero=False, padding=12).axis(format="~g", tickCount=6),
        color=alt.Color("group:N").scale(domain=names, range=list(groups.values())).legend(None),
        tooltip=tooltip(label="architecture", estimate=x_title),
    )
    point = (
        base.transform_filter("datum.kind === 'architecture'")
        .mark_point(filled=True, size=80, stroke="white", strokeWidth=0.7)
        .encode(opacity=emphasis(shown=0.75))
    )
    mean = base.transform_filter("datum.kind === 'mean'").mark_tick(thickness=2.5, size=22)
    return framed(Chart(layer=[point, mean]), height=max(70, 34 * len(names)))


def strip(groups: Mapping[str, str], x_title: str, *, shares: bool = False, log: bool = False) -> Chart:
    """One point for each architecture on the line of its group, and the group's median as a tick.

    For more architectures than lines fit on a page. Records: `group`, `label`, `value`, `estimate`. `groups` gives
    the colour of each, from top to bottom; with `log` x grows by factors, and all values are above 0.
    """
    names = list(groups)
    base = alt.Chart(DATA).encode(y=labels_of("group", names))
    point = base.mark_point(filled=True, size=50, stroke="white", strokeWidth=0.7, opacity=0.6).encode(
        x=value_x(x_title, shares=shares, log=log),
        color=alt.Color("group:N").scale(domain=names, range=list(groups.values())).legend(None),
        tooltip=tooltip(label="architecture", estimate=x_title),
    )
    median = base.mark_tick(thickness=2.5, size=24, color=FAINT).encode(x=alt.X("median(value):Q"))
    return framed(Chart(layer=[point, median]), height=max(70, 36 * len(names)))


def stacked_bars(labels: Sequence[str], colours: Mapping[str, str], x_title: str) -> Chart:
    """Quantities that add up, as the parts of one bar for each label, from top to bottom.

    Records: `label`, `part`, `value`, `order` (of the part), `estimate` (as it is written). `colours` gives those of
    the parts, from left to right.
    """
    bar = (
        alt.Chart(DATA)
        .mark_bar(stroke="white", strokeWidth=0.7)
        .encode(
            y=labels_of("label", labels),
            x=alt.X("sum(value):Q").title(x_title).axis(format="~g", tickCount=6),
            color=alt.Color("part:N").scale(domain=list(colours), range=list(colours.values())),
            order=alt.Order("order:Q"),
            opacity=emphasis(),
            tooltip=tooltip(label="architecture", part="op", estimate=x_title),
        )
    )
    return framed(Chart(layer=[bar]), height=max(70, ROW * len(labels)))


def moments(labels: Sequence[str], colours: Mapping[str, str], x_title: str) -> Chart:
    """An estimate at several moments, one under the other for each label, on an axis that grows by factors.

    Records: `label` (of the line: an architecture or a group), `name` (of the architecture), `moment`, `value`,
    `low`, `high`, `estimate`; all above 0. `colours` gives those of the moments, in their order.
    """
    names = list(colours)
    base = alt.Chart(DATA).encode(
        y=labels_of("label", labels),
        yOffset=alt.YOffset("moment:N").sort(names),
        color=alt.Color("moment:N").scale(domain=names, range=list(colours.values())),
        opacity=emphasis(shown=0.85, field="name"),
    )
    rule = base.mark_rule(strokeWidth=1.8).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    point = base.mark_point(filled=True, size=46).encode(
        x=value_x(x_title, log=True),
        tooltip=tooltip(name="architecture", moment="moment", estimate=x_title),
    )
    return framed(Chart(layer=[rule, point]), height=max(90, 36 * len(labels)))
