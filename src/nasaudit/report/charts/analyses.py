"""The charts of the analyses: what cells are made of, estimates at several moments, a profile over depth.

Records are plain, as in `charts`; a name given by a user appears only as a data value.
"""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.charts.curves import (
    CHOSEN,
    DATA,
    FAINT,
    Chart,
    colour_of,
    dash_of,
    emphasis,
    framed,
    quantity,
    shape_of,
    share_x,
)
from nasaudit.report.evidence import Subject
from nasaudit.report.palette import CROWD

ROW = 26  # pixels in height of a line with one mark


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
            y=_labels(labels),
            x=alt.X("sum(value):Q").title(x_title).axis(format="~g", tickCount=6),
            color=alt.Color("part:N").scale(domain=list(colours), range=list(colours.values())),
            order=alt.Order("order:Q"),
            opacity=emphasis(),
            tooltip=[
                alt.Tooltip("label:N", title="architecture"),
                alt.Tooltip("part:N", title="op"),
                alt.Tooltip("estimate:N", title=x_title),
            ],
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
        y=_labels(labels),
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
        tooltip=[
            alt.Tooltip("name:N", title="architecture"),
            alt.Tooltip("moment:N", title="moment"),
            alt.Tooltip("estimate:N", title=x_title),
        ],
    )
    return framed(Chart(layer=[rule, point]), height=max(90, 36 * len(labels)))


def depth_profile(subjects: Sequence[Subject], y_title: str) -> Chart:
    """A measure of each layer over its place in the network, one line for each architecture, by factors.

    Records: `label`, `depth` (0: the first layer, 1: the last), `layer` (its name), `value` above 0, `estimate`.

    Args:
        subjects: whom to draw.
        y_title: what is measured.
    """
    crowd = len(subjects) > CROWD
    base = alt.Chart(DATA).encode(
        x=alt.X("depth:Q")
        .title("place in the network")
        .scale(domain=[0, 1], padding=6)
        .axis(
            values=[0, 0.5, 1],
            labelExpr="datum.value === 0 ? 'input' : datum.value === 1 ? 'output' : 'middle'",
        ),
        y=alt.Y("value:Q").title(y_title).scale(type="log", padding=8).axis(format="~g", tickCount=5),
        color=colour_of(subjects),
    )
    line = base.mark_line(strokeWidth=1 if crowd else 2).encode(
        strokeDash=dash_of(subjects, legend=False), opacity=emphasis(shown=0.45 if crowd else 1)
    )
    point = base.mark_point(filled=True, size=12 if crowd else 46).encode(
        shape=shape_of(subjects),
        opacity=emphasis(shown=0.6 if crowd else 1),
        tooltip=[
            alt.Tooltip("label:N", title="architecture"),
            alt.Tooltip("layer:N", title="layer"),
            alt.Tooltip("estimate:N", title=y_title),
        ],
    )
    return framed(Chart(layer=[line, point]))


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
    base = alt.Chart(DATA).encode(
        y=alt.Y("group:N").title(None).sort(names).axis(ticks=False, domain=False, labelLimit=150)
    )
    point = base.mark_point(filled=True, size=50, stroke="white", strokeWidth=0.7, opacity=0.6).encode(
        x=x,
        color=alt.Color("group:N").scale(domain=names, range=list(groups.values())).legend(None),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("estimate:N", title=x_title)],
    )
    median = base.mark_tick(thickness=2.5, size=24, color=FAINT).encode(x=alt.X("median(value):Q"))
    return framed(Chart(layer=[point, median]), height=max(70, 36 * len(names)))


def _labels(labels: Sequence[str]) -> alt.Y:
    return alt.Y("label:N").title(None).sort(list(labels)).axis(ticks=False, domain=False, labelLimit=150)
