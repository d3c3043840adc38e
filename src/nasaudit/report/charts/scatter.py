"""Scatter plots of a population of cells: one to choose the axes of, and all of them as a matrix.

Both draw the same wide records, one for each cell: `cell` (the name that rows carry), `label`, `group` (as the
palette writes it), and for measure k its value `m{k}`. The page adds `image`, the cell's drawing, to each record when
it draws, so that a report holds every drawing once and not once for each chart; a file goes without.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from nasaudit.report.charts.frame import CHOSEN, DATA, FAINT, INK, Chart, tooltip
from nasaudit.report.palette import GROUP_TITLES, group_style
from nasaudit.spec.arch import Group

# The page's script sets these when the reader picks other measures.
ACROSS, UP = "across", "up"
HOVERED = "hovered"
PANEL = (134, 134)  # width and height of a panel of the matrix
LINE = 24  # letters of an axis title in a line
TITLE_LINES = 3
WIDE_LINE, LINE_HEIGHT = 40, 16  # of the explorer's titles: letters in a line, pixels from line to line
HEIGHT = 360  # of the explorer
# Vega's own formats write 100 as 1e+2, or 0.00002 with all its zeros.
LABEL = "{0} !== 0 && (abs({0}) < 0.001 || abs({0}) >= 1e6) ? format({0}, '.2~e') : format({0}, '.3~r')"
# Between whole numbers that are close together Vega puts ticks even where it is asked not to.
WHOLE = "floor({0}) !== {0} ? '' : {0}"

Looks = dict[str, Any]  # encodings that all points share
_HOVER: dict[str, Any] = {"on": "pointerover", "clear": "pointerout"}
_LIT = {"param": HOVERED, "empty": False}


@dataclass(frozen=True)
class Axis:
    """A measure as an axis.

    Attributes:
        field: of the records.
        title: with its unit.
        log: whether its values, all above 0, span so much that they are drawn by factors.
        whole: whether they are whole numbers.
    """

    field: str
    title: str
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Panel:
    """A field of the matrix: y over x, and what stands above it."""

    x: Axis
    y: Axis
    note: str = ""


def matrix(groups: Sequence[Group], rows: Sequence[Sequence[Panel]]) -> alt.VConcatChart:
    """Panels of a fixed size in rows from top to bottom, each from left to right.

    A point under the pointer brings its cell out in all of them. `groups` are those of the cells, for the legend.
    """
    looks = _looks(groups)
    drawn, views = [], []
    for y, row in enumerate(rows):
        names = [f"panel-{y}-{x}" for x in range(len(row))]
        panels = [_panel(panel, looks, name) for panel, name in zip(row, names, strict=True)]
        drawn.append(alt.HConcatChart(hconcat=panels, spacing=14))
        views += names
    # One selection for all panels: added one by one, each of them would bring out its own cell alone.
    select = alt.PointSelectionConfig(type="point", fields=["cell"], **_HOVER)
    hovered = alt.TopLevelSelectionParameter(name=HOVERED, select=select, views=views)
    return alt.VConcatChart(
        vconcat=drawn, spacing=18, data=DATA, params=[alt.VariableParameter(name=CHOSEN, value=None), hovered]
    )


def _panel(panel: Panel, looks: Looks, name: str) -> alt.Chart:
    sides: dict[str, Any] = {}
    for side, channel, axis, extent in (("x", alt.X, panel.x, 16), ("y", alt.Y, panel.y, 34)):
        # Always as many lines, so that panels stand in line.
        lines = textwrap.wrap(axis.title, LINE, max_lines=TITLE_LINES, placeholder=" …")
        scale = alt.Scale(type="log", nice=False, padding=6) if axis.log else alt.Scale(zero=False, padding=6)
        drawn = alt.Axis(
            labelFontSize=11,
            titleFontSize=12,
            titlePadding=4,
            tickCount=4,
            labelExpr=(WHOLE if axis.whole else LABEL).format("datum.value"),
            minExtent=extent,
            tickMinStep=1 if axis.whole else alt.Undefined,
        )
        titled = lines + [" "] * (TITLE_LINES - len(lines))
        sides[side] = channel(f"{axis.field}:Q", title=titled, scale=scale, axis=drawn)
    values = [alt.Tooltip(f"{axis.field}:Q", title=axis.title, format=".3~g") for axis in (panel.x, panel.y)]
    mark = _points(looks, size=34).encode(
        tooltip=[*tooltip(label="title", image="image", group="kind"), *values], **sides
    )
    title = alt.TitleParams(
        panel.note or " ", fontSize=11, fontWeight="normal", color=FAINT, offset=3, anchor="start"
    )
    return mark.properties(name=name, width=PANEL[0], height=PANEL[1], title=title)


def explorer(
    groups: Sequence[Group], axes: Sequence[Axis], start: tuple[Axis, Axis], notes: Mapping[str, str]
) -> Chart:
    """One plot whose axes the page's selects set, through the signals `across` and `up`; `start` is drawn at first.

    `groups` are those of the cells, for the legend; `notes` say what is known of a pair, by `across|up`.
    """
    hovered = alt.selection_point(name=HOVERED, fields=["cell"], **_HOVER)
    known = [
        alt.param(name=CHOSEN, value=None),
        alt.param(name=ACROSS, value=start[0].field),
        alt.param(name=UP, value=start[1].field),
        alt.param(
            name="titles",
            value={axis.field: "\n".join(textwrap.wrap(axis.title, WIDE_LINE)) for axis in axes},
        ),
        alt.param(name="logs", value={axis.field: axis.log for axis in axes}),
        alt.param(name="wholes", value={axis.field: axis.whole for axis in axes}),
        alt.param(name="notes", value=dict(notes)),
    ]
    scale = alt.Scale(zero=False, nice=False, padding=10)
    sides = {"x": ACROSS, "y": UP}
    # A scale's type cannot change once it is drawn: values that go by factors come as their logarithm.
    scaled = {side: f"logs[{of}] ? log(datum[{of}]) / LN10 : datum[{of}]" for side, of in sides.items()}
    texts = {
        f"{side}_text": f"titles[{of}] + ': ' + format(datum[{of}], '.3~g')" for side, of in sides.items()
    }
    points = (
        _points(_looks(groups), size=70)
        .properties(data=DATA)
        .transform_filter(f"isValid(datum[{ACROSS}]) && isValid(datum[{UP}])")
        .transform_calculate(**scaled, **texts)
        .encode(
            x=alt.X("x:Q", title=None, scale=scale, axis=_axis(ACROSS)),
            y=alt.Y("y:Q", title=None, scale=scale, axis=_axis(UP, extent=44)),
            tooltip=tooltip(label="title", image="image", group="kind", x_text="x", y_text="y"),
        )
        .add_params(hovered)
    )
    above = f"-26 - {LINE_HEIGHT} * (length(split(titles[{UP}], '\\n')) - 1)"
    written = [
        _text(f"'↑ ' + titles[{UP}]", x=0, y=alt.ExprRef(above)),
        _text(f"notes[{ACROSS} + '|' + {UP}] || ''", x=0, y=-9, color=FAINT),
        _text(f"titles[{ACROSS}] + ' →'", x=alt.ExprRef("width"), y=HEIGHT + 38, align="right"),
    ]
    return (
        Chart(layer=[points, *written])
        .add_params(*known)
        .properties(
            height=HEIGHT,
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            # Room for longer titles: a picture that is drawn does not grow.
            padding={"left": 5, "right": 5, "top": 5 + LINE_HEIGHT, "bottom": 5 + LINE_HEIGHT},
        )
    )


def _axis(signal: str, extent: int = 0) -> alt.Axis:
    value = f"(logs[{signal}] ? pow(10, datum.value) : datum.value)"
    least = alt.ExprRef(f"wholes[{signal}] ? 1 : null")
    labels = f"wholes[{signal}] ? ({WHOLE.format(value)}) : ({LABEL.format(value)})"
    return alt.Axis(labelExpr=labels, tickCount=6, tickMinStep=least, minExtent=extent)


def _text(
    expression: str,
    x: float | alt.ExprRef,
    y: float | alt.ExprRef,
    align: Literal["left", "right"] = "left",
    color: str = INK,
) -> alt.Chart:
    """A line of text by an expression, in pixels from the plot's upper left corner."""
    text: alt.Chart = alt.Chart(alt.InlineData(values=[{}])).mark_text(
        text=alt.ExprRef(expression),
        x=x,
        y=y,
        align=align,
        baseline="middle",
        fontSize=13,
        lineHeight=LINE_HEIGHT,
        color=color,
        lineBreak="\n",
    )
    return text


def _points(looks: Looks, size: int) -> alt.Chart:
    chart: alt.Chart = alt.Chart().mark_point(filled=True, strokeWidth=0.6)
    lit = alt.SizeValue(condition={**_LIT, "value": 4 * size}, value=size)
    points: alt.Chart = chart.encode(size=lit, **looks)
    return points


def _looks(groups: Sequence[Group]) -> Looks:
    """Colour and shape by group; the cell under the pointer stands out, and so does one picked in a legend."""
    titles = [GROUP_TITLES[group] for group in groups]
    colours = alt.Scale(domain=titles, range=[group_style(group).colour for group in groups])
    shapes = alt.Scale(domain=titles, range=[group_style(group).shape for group in groups])
    opacity = [
        {**_LIT, "value": 1},
        {"test": f"{CHOSEN} && datum.label !== {CHOSEN}", "value": 0.12},
        {"param": HOVERED, "empty": True, "value": 0.8},
    ]
    return {
        "color": alt.Color("group:N", scale=colours),
        "shape": alt.Shape("group:N", scale=shapes),
        "opacity": alt.OpacityValue(condition=opacity, value=0.2),
        "stroke": alt.StrokeValue(condition={**_LIT, "value": INK}, value="white"),
    }
