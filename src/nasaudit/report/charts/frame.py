"""What all charts of the report share: how axes, lines and legends look, and how a chart becomes Vega-Lite.

Charts take plain records; nothing is measured here. A name given by a user appears only as a data value, never as a
field name or in an expression.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import altair as alt
from altair.utils import schemapi

from nasaudit.report.evidence import Subject

# The page's script sets this parameter when a name in a legend is tapped; null shows all alike.
CHOSEN = "chosen"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, FAINT, RULE = "#1b1f24", "#57606a", "#e3e6ea"
FILE_WIDTH = 640  # pixels of a chart that stands alone
LABEL_LIMIT = 160  # pixels of a name in its legend

# A chart's records stand apart from its description, which Altair checks against its schema: checking
# thousands of records as well would take longer than all the rest of the report.
DATA = alt.NamedData(name="records")

Records = Sequence[Mapping[str, object]]
Chart = alt.LayerChart
# A matrix of panels keeps their size, whatever its place.
Drawn = alt.LayerChart | alt.VConcatChart | alt.FacetChart
Spec = dict[str, object]  # Vega-Lite, as JSON has it


def unchecked() -> AbstractContextManager[None]:
    """Inside of the block charts are not held against Altair's schema, part by part and as a whole.

    That takes as long as all the rest of a page. What a chart draws stands apart from it, so its form cannot fail at
    one study and not at another: a test checks those of a page with everything.
    """
    return schemapi.debug_mode(False)


def vega_lite(chart: Drawn, records: Records, title: str = "", legend: bool = False) -> Spec:
    """A chart with the type and the rules that all share, and its records.

    One with a title stands alone; without, it is as wide as its place on the page, which has its own legend.
    """
    if title:
        chart = chart.properties(title=title)
    if isinstance(chart, alt.LayerChart):
        chart = chart.properties(width=FILE_WIDTH if title else "container")
    letters = max((len(str(record.get("label", record.get("line", "")))) for record in records), default=0)
    # As many names as stand beside each other under a file's picture.
    columns = max(1, min(6, FILE_WIDTH // (min(LABEL_LIMIT, 7 * letters) + 36)))
    # All at once: each step copies the whole chart.
    styled = chart.properties(
        config=alt.Config(
            font=FONT,
            background="white",
            view=alt.ViewConfig(stroke=None),
            axis=alt.AxisConfig(
                labelColor=FAINT, titleColor=INK, titleFontWeight="normal", titlePadding=8, labelFontSize=12,
                titleFontSize=13, gridColor=RULE, domainColor="#9aa4ae", tickColor="#9aa4ae", labelOverlap=True,
            ),
            title=alt.TitleConfig(anchor="start", color=INK, fontSize=15, offset=12),
            legend=alt.LegendConfig(
                disable=not legend, title=None, orient="bottom", columns=columns, labelColor=INK,
                labelFontSize=12, labelLimit=LABEL_LIMIT, symbolSize=110, symbolOpacity=1,
            ),
        )
    )  # fmt: skip
    spec = styled.to_dict(validate=schemapi.DEBUG_MODE)
    # Altair keeps lines of reference (the diagonal of a ROC curve) in the same place.
    return {**spec, "datasets": {**spec.get("datasets", {}), DATA.name: list(records)}}


def framed(chart: Chart, height: int = 300) -> Chart:
    """The height, and the parameter behind the legend."""
    return chart.add_params(alt.param(name=CHOSEN, value=None)).properties(
        height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )


def against_accuracy(x_title: str, y_title: str, y_format: str) -> tuple[alt.X, alt.Y]:
    """The axes of what is the better the more accurate and the less vulnerable it is: `accuracy` and `value`."""
    x = alt.X("accuracy:Q").title(f"{x_title} \N{RIGHTWARDS ARROW} better").scale(zero=False, padding=12)
    y = alt.Y("value:Q").title(f"{y_title} \N{DOWNWARDS ARROW} better").scale(zero=False, padding=12)
    return x.axis(format="~%", tickCount=4), y.axis(format=y_format, tickCount=5)


def tooltip(**titles: str) -> list[alt.Tooltip]:
    """What the pointer brings up: columns of the records with their titles."""
    return [alt.Tooltip(f"{column}:N", title=title) for column, title in titles.items()]


def labels_of(column: str, labels: Sequence[str], limit: int = 150) -> alt.Y:
    """A line for each label, from top to bottom."""
    return (
        alt.Y(f"{column}:N").title(None).sort(list(labels)).axis(ticks=False, domain=False, labelLimit=limit)
    )


def share_y(field: str, title: str) -> alt.Y:
    """A share upwards, from 0 to 100 %."""
    return alt.Y(f"{field}:Q").title(title).scale(domain=[0, 1]).axis(format=".0%", tickCount=5)


def value_x(title: str, *, shares: bool = False, log: bool = False) -> alt.X:
    """`value` along x, from where the values begin: in percent, by factors, or as it is."""
    scale, axis = alt.Scale(zero=False, padding=10), alt.Axis(tickCount=5)
    if shares:
        scale, axis = alt.Scale(zero=False, padding=8), alt.Axis(format="~%", tickCount=6)
    elif log:
        scale, axis = alt.Scale(type="log", padding=10), alt.Axis(format="~g", tickCount=5)
    return alt.X("value:Q").title(title).scale(scale).axis(axis)


def colour_of(subjects: Sequence[Subject]) -> alt.Color:
    """Each architecture in its colour."""
    titles, colours = [s.title for s in subjects], [s.style.colour for s in subjects]
    return alt.Color("label:N").scale(domain=titles, range=colours)


def dash_of(subjects: Sequence[Subject]) -> alt.StrokeDash:
    """Each architecture's line in its dash; without a legend it would take that of the colours away."""
    titles, dashes = [s.title for s in subjects], [s.style.dash for s in subjects]
    return alt.StrokeDash("label:N").scale(domain=titles, range=dashes)


def shape_of(subjects: Sequence[Subject]) -> alt.Shape:
    """Each architecture's points in its shape."""
    titles, shapes = [s.title for s in subjects], [s.style.shape for s in subjects]
    return alt.Shape("label:N").scale(domain=titles, range=shapes)


def emphasis(shown: float = 1.0, faded: float = 0.12, field: str = "label") -> alt.OpacityValue:
    """Full strength unless another architecture, by its name in `field`, was picked in the legend."""
    chosen = {"test": f"!{CHOSEN} || datum.{field} === {CHOSEN}", "value": shown}
    return alt.OpacityValue(faded, condition=chosen)
