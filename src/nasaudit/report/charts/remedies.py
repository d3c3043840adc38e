"""The charts of remedies: what they cost against what they gain, and what each dose of one does.

Records are plain, as in `charts`; a name given by a user appears only as a data value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from nasaudit.report.charts.frame import DATA, FAINT, INK, Chart, against_accuracy, emphasis, framed, tooltip
from nasaudit.report.palette import COLOURS, SHAPES

# The original: a star with five points, as large as the other shapes.
STAR = "M0,-1.7L.4,-.53L1.62,-.53L.61,.2L1,1.38L0,.65L-1,1.38L-.61,.2L-1.62,-.53L-.4,-.53Z"
HEIGHT = 250


@dataclass(frozen=True)
class Look:
    """How a point or a line is drawn: `shape` is a name of Vega's, or STAR; `note` stands behind the label."""

    label: str
    colour: str
    shape: str
    note: str = ""


def line_looks(labels: Sequence[str]) -> list[Look]:
    """One look for each of a few lines that are no architectures."""
    return [
        Look(label, COLOURS[k % len(COLOURS)], SHAPES[k // len(COLOURS) % len(SHAPES)])
        for k, label in enumerate(labels)
    ]


def trade_off(
    points: Sequence[Look], y_title: str, *, shares: bool, of: str = "remedy", joined: bool = True
) -> Chart:
    """A vulnerability over the clean accuracy, both with intervals; what no other beats is ringed and joined.

    Records: `label`, `remedy`, `accuracy`, `accuracy_low`, `accuracy_high`, `value`, `low`, `high`, `front` (bool),
    and for the tooltip `accuracy_text`, `estimate` and `beaten` (in words). `points` gives the looks by label; `of`
    is what the tooltip calls `remedy`; `joined`: whether the front is one in these two alone.
    """
    labels = [look.label for look in points]
    x, y = against_accuracy("clean accuracy", y_title, "~%" if shares else "~g")
    base = alt.Chart(DATA).encode(
        color=alt.Color("label:N").scale(domain=labels, range=[look.colour for look in points])
    )
    across = base.mark_rule(strokeWidth=1.4).encode(
        x=alt.X("accuracy_low:Q"), x2=alt.X2("accuracy_high:Q"), y=y, opacity=emphasis(shown=0.5)
    )
    up = base.mark_rule(strokeWidth=1.4).encode(
        x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), opacity=emphasis(shown=0.5)
    )
    front = alt.Chart(DATA).transform_filter("datum.front")
    # Between two points of the front nothing is better than the right one: the step is at the left one.
    line = front.mark_line(
        interpolate="step-before", color=FAINT, strokeWidth=1.2, strokeDash=[4, 3]
    ).encode(x=x, y=y)  # fmt: skip
    ring = front.mark_point(filled=False, shape="circle", size=330, stroke=INK, strokeWidth=1.2).encode(
        x=x, y=y
    )
    point = base.mark_point(filled=True, size=110, stroke="white", strokeWidth=0.7).encode(
        x=x,
        y=y,
        shape=alt.Shape("label:N").scale(domain=labels, range=[look.shape for look in points]),
        opacity=emphasis(),
        tooltip=tooltip(
            remedy=of,
            label="architecture",
            accuracy_text="clean accuracy",
            estimate=y_title,
            beaten="trade-off",
        ),
    )
    layers = [line, across, up, ring, point] if joined else [across, up, ring, point]
    return framed(Chart(layer=layers), height=HEIGHT)


def dose_curve(lines: Sequence[Look], most: int, y_title: str, *, shares: bool) -> Chart:
    """A figure by how much of a remedy was applied, one line for each remedy, with the interval as a band.

    Records: `line`, `dose` (0: the original; `most`: the largest), `value`, `low`, `high`, `name` (of the model),
    `estimate`. `lines` gives the looks by `line`.
    """
    labels = [look.label for look in lines]
    base = alt.Chart(DATA).encode(
        x=alt.X("dose:Q")
        .title("dose (nodes or skips of each cell)")
        .scale(domain=[0, most], nice=False, padding=8)
        .axis(values=list(range(most + 1)), format="d", grid=False),
        color=alt.Color("line:N").scale(domain=labels, range=[look.colour for look in lines]),
    )
    y = (
        alt.Y("value:Q")
        .title(y_title)
        .scale(zero=False, padding=8)
        .axis(format="~%" if shares else "~g", tickCount=5)
    )
    band = base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    line = base.mark_line(strokeWidth=2).encode(y=y)
    point = base.mark_point(filled=True, size=60, stroke="white", strokeWidth=0.7, opacity=1).encode(
        y=y,
        shape=alt.Shape("line:N").scale(domain=labels, range=[look.shape for look in lines]),
        tooltip=[
            *tooltip(line="remedy", name="architecture"),
            alt.Tooltip("dose:Q", title="dose"),
            *tooltip(estimate=y_title),
        ],
    )
    return framed(Chart(layer=[band, line, point]), height=HEIGHT)
