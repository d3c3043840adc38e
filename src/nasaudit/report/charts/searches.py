"""How a search went: the weights of ops and whatever else its trace counts, epoch by epoch.

Records are plain, as in `charts`.
"""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.charts.frame import (
    DATA,
    FAINT,
    INK,
    Chart,
    against_accuracy,
    emphasis,
    framed,
    labels_of,
    tooltip,
)
from nasaudit.report.palette import COLOURS

ROW, HEIGHT = 24, 220  # pixels in height: of an edge, and of what goes by epochs
# One hue, from what is next to nothing to what is all of an edge; dark enough at its end for white figures.
SHADES = ("#f3f6f9", "#0b4f8a")
DARK_FROM = 0.55  # share from which figures are white


def op_shares(colours: Mapping[str, str], x_title: str, stops: Sequence[float] = ()) -> Chart:
    """The share of each op in all weights of a cell, as parts of one bar for each epoch.

    Records: `x` (the epoch), `part` (the op), `order`, `value` (a share), `estimate`.

    Args:
        colours: of the ops, from below upwards.
        x_title: what x counts.
        stops: epochs that are marked.
    """
    bars = (
        alt.Chart(DATA)
        .mark_bar(stroke="white", strokeWidth=0.3)
        .encode(
            x=alt.X("x:O").title(x_title).axis(labelAngle=0, grid=False),
            y=alt.Y("value:Q").title("share of the weights").scale(domain=[0, 1]).axis(format="%"),
            color=alt.Color("part:N").scale(domain=list(colours), range=list(colours.values())),
            order=alt.Order("order:Q"),
            tooltip=[alt.Tooltip("x:O", title=x_title), *tooltip(part="op", estimate="share")],
        )
    )
    marks = alt.Chart(alt.InlineData(values=[{"x": stop} for stop in stops]))
    rule = marks.mark_rule(color=INK, strokeWidth=2, strokeDash=[4, 3]).encode(x="x:O")
    return framed(Chart(layer=[bars, rule] if stops else [bars]), height=HEIGHT)


def edge_weights(edges: Sequence[str], ops: Sequence[str]) -> Chart:
    """The weight of each op on each edge as a map with the figures in it.

    Records: `edge` (of `edges`), `op` (of `ops`), `value` in [0,1], `estimate` (as it stands in the map).
    """
    base = alt.Chart(DATA).encode(
        y=labels_of("edge", edges),
        x=alt.X("op:N").title(None).sort(list(ops)).axis(labelAngle=-30, ticks=False, domain=False),
    )
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color("value:Q").scale(domain=[0, 1], range=list(SHADES)).legend(None),
        tooltip=tooltip(edge="edge", op="op", estimate="weight"),
    )
    figures = base.mark_text(fontSize=11).encode(
        text="estimate:N",
        color=alt.ColorValue(
            condition={"test": f"datum.value >= {DARK_FROM}", "value": "white"}, value="#1b1f25"
        ),
    )
    layers = alt.LayerChart(layer=[cells, figures]).resolve_scale(color="independent")
    return framed(layers, height=ROW * len(edges))


def progress(
    colours: Mapping[str, str],
    x_title: str,
    y_title: str,
    *,
    shares: bool = False,
    whole: bool = False,
    level: float | None = None,
) -> Chart:
    """A line for each of a few things, by epochs.

    Records: `line` (of `colours`), `label` (which a legend of architectures brings out), `x`, `value`, `estimate`.

    Args:
        colours: of the lines.
        x_title: what x counts.
        y_title: what is drawn.
        shares: whether it is a share.
        whole: whether 0 is at the foot of the axis.
        level: a value that is marked.
    """
    base = alt.Chart(DATA).encode(
        x=alt.X("x:Q").title(x_title).scale(nice=False, padding=8).axis(tickMinStep=1, format="d"),
        y=alt.Y("value:Q")
        .title(y_title)
        .scale(zero=whole)
        .axis(format="~%" if shares else "~g", tickCount=5),
        color=alt.Color("line:N").scale(domain=list(colours), range=list(colours.values())),
        opacity=emphasis(),
    )
    line = base.mark_line(strokeWidth=2)
    point = base.mark_point(filled=True, size=26).encode(
        tooltip=[*tooltip(line="of"), alt.Tooltip("x:Q", title=x_title), *tooltip(estimate=y_title)]
    )
    layers = [line, point]
    if level is not None:
        mark = alt.Chart(alt.InlineData(values=[{"value": level}]))
        layers.insert(0, mark.mark_rule(color=FAINT, strokeDash=[4, 3]).encode(y="value:Q"))
    return framed(Chart(layer=layers), height=HEIGHT)


def children(y_title: str, *, shares: bool, joined: bool) -> Chart:
    """What the children of a search reached: accuracy and one other objective; the front is ringed.

    Records: `number` (of the child), `accuracy`, `value`, `front` (bool), and for the tooltip `accuracy_text` and
    `estimate`. `joined`: whether the front is one in these two alone, so that a line says what it beats.
    """
    x, y = against_accuracy("accuracy as a child", y_title, "~%" if shares else "~s")
    base = alt.Chart(DATA).encode(x=x, y=y)
    front = base.transform_filter("datum.front")
    line = front.mark_line(interpolate="step-before", color=FAINT, strokeWidth=1.2, strokeDash=[4, 3])
    ring = front.mark_point(filled=False, shape="circle", size=200, stroke=INK, strokeWidth=1.2)
    point = base.mark_point(filled=True, size=70, stroke="white", strokeWidth=0.7, color=COLOURS[0]).encode(
        tooltip=[
            alt.Tooltip("number:Q", title="child"),
            *tooltip(accuracy_text="accuracy", estimate=y_title),
        ]
    )
    return framed(Chart(layer=[line, ring, point] if joined else [ring, point]), height=HEIGHT)
