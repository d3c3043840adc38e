"""A line for each architecture or group: points on their intervals, bars of parts, strips of many points."""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.charts.frame import (
    CHOSEN,
    DATA,
    FAINT,
    Chart,
    colour_of,
    emphasis,
    framed,
    labels_of,
    quantity,
    shape_of,
    share_x,
    tooltip,
)
from nasaudit.report.evidence import Subject

ROW = 26  # pixels in height of a line with one mark


def interval_chart(
    subjects: Sequence[Subject], x_title: str, *, shares: bool = True, log: bool = False
) -> Chart:
    """One estimate for each architecture as a point on its interval, in the order of `subjects`.

    Records: `label`, `value`, `low`, `high`, `estimate`.

    Args:
        subjects: whom to draw, from top to bottom.
        x_title: what is estimated.
        shares: whether it is a share.
        log: whether x grows by factors; all records must then be above 0.
    """
    labels = [subject.title for subject in subjects]
    base = alt.Chart(DATA).encode(
        y=labels_of("label", labels, limit=130),
        color=colour_of(subjects),
        opacity=emphasis(),
    )
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2="high:Q")
    point = base.mark_point(filled=True, size=80).encode(
        x=share_x("value", x_title) if shares else quantity(x_title, log),
        shape=shape_of(subjects),
        tooltip=tooltip(label="architecture", estimate=x_title),
    )
    return framed(Chart(layer=[rule, point]), height=max(70, ROW * len(labels)))


def group_strip(groups: Mapping[str, str], x_title: str) -> Chart:
    """One point for each architecture on the line of its group, with a tick at the group's mean.

    Records: `kind` ("architecture" or "mean"), `group` (as `groups` writes it), `label`, `value`, `estimate`.

    Args:
        groups: the colour of each group's name, from top to bottom.
        x_title: what is measured.
    """
    names, colours = list(groups), list(groups.values())
    base = alt.Chart(DATA).encode(
        y=labels_of("group", names),
        x=alt.X("value:Q").title(x_title).scale(zero=False, padding=12).axis(format="~g", tickCount=6),
        color=alt.Color("group:N").scale(domain=names, range=colours).legend(None),
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

    For more architectures than lines fit on a page. Records: `group`, `label`, `value` (with `log` above 0),
    `estimate`.

    Args:
        groups: the colour of each group's name, from top to bottom.
        x_title: what is measured.
        shares: whether it is a share.
        log: whether x grows by factors.
    """
    names = list(groups)
    x = share_x("value", x_title) if shares else quantity(x_title, log)
    base = alt.Chart(DATA).encode(y=labels_of("group", names))
    point = base.mark_point(filled=True, size=50, stroke="white", strokeWidth=0.7, opacity=0.6).encode(
        x=x,
        color=alt.Color("group:N").scale(domain=names, range=list(groups.values())).legend(None),
        tooltip=tooltip(label="architecture", estimate=x_title),
    )
    median = base.mark_tick(thickness=2.5, size=24, color=FAINT).encode(x=alt.X("median(value):Q"))
    return framed(Chart(layer=[point, median]), height=max(70, 36 * len(names)))


def stacked_bars(labels: Sequence[str], colours: Mapping[str, str], x_title: str) -> Chart:
    """Quantities that add up, as the parts of one bar for each label.

    Records: `label`, `part`, `value`, `order` (of the part), `estimate` (as it is written).

    Args:
        labels: of the bars, from top to bottom.
        colours: of each part, from left to right.
        x_title: what is added up.
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
    `low`, `high`, `estimate`; all above 0.

    Args:
        labels: of the lines, from top to bottom.
        colours: of each moment, in their order.
        x_title: what is estimated.
    """
    names = list(colours)
    base = alt.Chart(DATA).encode(
        y=labels_of("label", labels),
        yOffset=alt.YOffset("moment:N").sort(names),
        color=alt.Color("moment:N").scale(domain=names, range=list(colours.values())),
        opacity={
            "condition": {"test": f"!{CHOSEN} || datum.name === {CHOSEN}", "value": 0.85},
            "value": 0.12,
        },
    )
    rule = base.mark_rule(strokeWidth=1.8).encode(x=alt.X("low:Q"), x2="high:Q")
    point = base.mark_point(filled=True, size=46).encode(
        x=quantity(x_title, log=True),
        tooltip=tooltip(name="architecture", moment="moment", estimate=x_title),
    )
    return framed(Chart(layer=[rule, point]), height=max(90, 36 * len(labels)))
