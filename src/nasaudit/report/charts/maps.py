"""Filled contours of the loss on a plane, for the page one by one and for a file side by side."""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.charts.frame import DATA, INK, Chart, framed, tooltip
from nasaudit.report.evidence import Subject


def contour_map(colours: Mapping[str, str], reach: float) -> Chart:
    """Filled contours of the loss on a plane, as square as the box that the page gives it; the victim is a cross.

    Records: one for each loop in the order of painting, `label`, `kind` ("loop"), `band`, `loop` (its number), and
    the lists `x` and `y` of its corners; and one of the kind "centre" with the point (0, 0). `colours` gives those of
    the bands, from the lowest to the highest; both axes go from -reach to reach.
    """
    return framed(_contours(colours, reach, legend=False).transform_flatten(["x", "y"])).properties(
        height="container", autosize=alt.AutoSizeParams(type="fit", contains="padding")
    )


def contour_sheet(subjects: Sequence[Subject], colours: Mapping[str, str], reach: float) -> alt.FacetChart:
    """The same of several architectures beside each other, for a file of its own; with the records of all of them."""
    titles = [subject.title for subject in subjects]
    header = alt.Header(labelFontSize=13, labelColor=INK, title=None)
    map_ = _contours(colours, reach, legend=True).properties(width=190, height=190, data=DATA)
    sheet = map_.facet(facet=alt.Facet("label:N").sort(titles).header(header), columns=4)
    return sheet.transform_flatten(["x", "y"])


def _contours(colours: Mapping[str, str], reach: float, legend: bool) -> Chart:
    key = alt.Legend(title="loss (nats)", symbolType="square", symbolStrokeColor="#9aa4ae")
    axis = alt.Axis(values=[-reach, 0, reach], format="~g", grid=False, title=None, domain=False, tickSize=3)
    base = alt.Chart(DATA).encode(
        x=alt.X("x:Q").scale(domain=[-reach, reach], nice=False).axis(axis),
        y=alt.Y("y:Q").scale(domain=[-reach, reach], nice=False).axis(axis),
    )
    bands = (
        base.transform_filter("datum.kind === 'loop'")
        .mark_line(
            # The first loop is at the bottom, and its corners come in order: nothing is to be sorted.
            order=False,
            interpolate="linear-closed",
            stroke="#ffffff",
            strokeWidth=0.7,
            strokeOpacity=0.75,
        )
        .encode(
            detail="loop:N",
            fill=alt.Fill("band:N")
            .scale(domain=list(colours), range=list(colours.values()))
            .legend(key if legend else None),
            tooltip=tooltip(label="architecture", band="loss (nats)"),
        )
    )
    centre = base.transform_filter("datum.kind === 'centre'").mark_point(
        # Dark with a light rim, to be seen on any band.
        shape="cross", filled=True, size=70, color=INK, opacity=1, stroke="#ffffff", strokeWidth=1.5
    )  # fmt: skip
    return Chart(layer=[bands, centre])
