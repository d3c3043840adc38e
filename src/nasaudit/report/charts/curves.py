"""The report's charts. Each takes plain records and returns an Altair chart; nothing is measured here.

A name given by a user appears only as a data value, never as a field name or in an expression.
"""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.evidence import Subject
from nasaudit.report.palette import CROWD

# The page's script sets this parameter when a name in a legend is tapped; null shows all alike.
CHOSEN = "chosen"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, FAINT, RULE = "#1b1f24", "#57606a", "#e3e6ea"
FILE_WIDTH = 640  # pixels of a chart that stands alone
LABEL_LIMIT = 160  # pixels of a name in its legend
# Points of the running mean in convergence charts: single batches are too noisy to follow.
SMOOTHED = 11

# A chart's records stand apart from its description, which Altair checks against its schema: checking
# thousands of records as well would take longer than all the rest of the report.
DATA = alt.NamedData(name="records")

Records = Sequence[Mapping[str, object]]
Chart = alt.LayerChart
# A matrix of panels keeps their size, whatever its place.
Drawn = alt.LayerChart | alt.VConcatChart | alt.FacetChart
Spec = dict[str, object]  # Vega-Lite, as JSON has it


def curve(
    subjects: Sequence[Subject],
    x_title: str,
    y_title: str,
    *,
    measured: str = "",
    x_log: bool = False,
    shares: bool = True,
    whole: bool = True,
) -> Chart:
    """A measure by a quantity that the attacker chooses (epsilon, a budget), with the 95 % interval as a band.

    Records: `label`, `x` (in the units of `x_title`), `value`, `low`, `high`, and for the tooltip `at` (x as it is
    written) and `estimate` (the value with interval and n as it is written).

    Args:
        subjects: whom to draw, in this order.
        x_title: what x is counted in.
        y_title: what is measured.
        measured: the tooltip's word for the measure; "": `y_title`.
        x_log: whether x grows by factors; x must then be above 0.
        shares: whether the measure is a share.
        whole: whether a share is drawn from 0 to 100 %, or as far as it goes (where all lines lie close together).
    """
    scale = alt.Scale(type="log", nice=False, padding=6) if x_log else alt.Scale(nice=False, padding=6)
    base = alt.Chart(DATA).encode(
        x=alt.X("x:Q").title(x_title).scale(scale).axis(format="~g", tickCount=8),
        color=colour_of(subjects),
    )
    band = base.mark_area(interpolate="linear").encode(
        y=alt.Y("low:Q"), y2="high:Q", opacity=emphasis(shown=0.15, faded=0.03)
    )
    y = alt.Y("value:Q").title(y_title).scale(zero=False)
    if shares:
        y = _share("value", y_title) if whole else y.axis(format="~%", tickCount=5)
    crowd = len(subjects) > CROWD
    line = base.mark_line(interpolate="linear", strokeWidth=1 if crowd else 2).encode(
        y=y, strokeDash=dash_of(subjects, legend=False), opacity=emphasis(shown=0.45 if crowd else 1)
    )
    point = base.mark_point(filled=True, size=10 if crowd else 46, stroke="white", strokeWidth=0.7).encode(
        y=y,
        shape=shape_of(subjects),
        opacity=emphasis(shown=0.6 if crowd else 1),
        tooltip=[
            alt.Tooltip("label:N", title="architecture"),
            alt.Tooltip("at:N", title=x_title),
            alt.Tooltip("estimate:N", title=measured or y_title),
        ],
    )
    # The bands of so many lie over each other; the intervals are in the table.
    return framed(Chart(layer=[line, point] if crowd else [band, line, point]))


def roc_curve(subjects: Sequence[Subject], lowest: float) -> Chart:
    """True over false positive rate, both logarithmic, one line for each training seed; the diagonal is guessing.

    Carlini et al., "Membership Inference Attacks From First Principles", IEEE S&P 2022: what matters is how many
    members are found at few false alarms, which linear axes hide.

    Records: `label`, `seed`, `fpr`, `tpr`, both at least `lowest`.

    Args:
        subjects: whom to draw, in this order.
        lowest: where both axes begin, above 0.
    """
    scale = alt.Scale(type="log", domain=[lowest, 1], clamp=True)
    axis = alt.Axis(format="~%", tickCount=4)
    base = alt.Chart(DATA).encode(
        x=alt.X("fpr:Q").title("false positive rate").scale(scale).axis(axis),
        y=alt.Y("tpr:Q").title("true positive rate").scale(scale).axis(axis),
    )
    crowd = len(subjects) > CROWD
    line = base.mark_line(strokeWidth=1 if crowd else 1.8, interpolate="step-after").encode(
        color=colour_of(subjects),
        detail="seed:N",
        strokeDash=dash_of(subjects, legend=False),
        opacity=emphasis(shown=0.45 if crowd else 0.9),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("seed:N", title="training seed")],
    )
    ends: list[dict[str, object]] = [{"fpr": lowest, "tpr": lowest}, {"fpr": 1, "tpr": 1}]
    diagonal = alt.Chart(alt.InlineData(values=ends))
    guessing = diagonal.mark_line(color=FAINT, strokeWidth=1, strokeDash=[3, 3]).encode(x="fpr:Q", y="tpr:Q")
    return framed(Chart(layer=[guessing, line]), height=360)


def convergence_curve(
    subjects: Sequence[Subject], field: str, y_title: str, smoothed: int = SMOOTHED
) -> Chart:
    """Loss or accuracy of the training batches by images seen: one line for each seed, running mean.

    Records: `label`, `seed`, `images`, and the column `field`.

    Args:
        subjects: whom to draw, in this order.
        field: "loss" or "accuracy".
        y_title: what the line means.
        smoothed: points of the running mean.
    """
    half = smoothed // 2
    base = (
        alt.Chart(DATA)
        .transform_window(
            smooth=f"mean({field})",
            frame=[-half, half],
            groupby=["label", "seed"],
            sort=[alt.SortField("images")],
        )
        .encode(
            x=alt.X("images:Q")
            .title("training images seen")
            .scale(nice=False)
            .axis(format="~s", tickCount=6),
            y=_share("smooth", y_title) if field == "accuracy" else alt.Y("smooth:Q").title(y_title),
            color=colour_of(subjects),
            detail="seed:N",
        )
    )
    crowd = len(subjects) > CROWD
    line = base.mark_line(strokeWidth=1 if crowd else 1.6).encode(
        strokeDash=dash_of(subjects, legend=True),
        opacity=emphasis(shown=0.45 if crowd else 0.85),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("seed:N", title="training seed")],
    )
    return framed(Chart(layer=[line]))


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
        y=alt.Y("label:N").title(None).sort(labels).axis(ticks=False, domain=False, labelLimit=130),
        color=colour_of(subjects),
        opacity=emphasis(),
    )
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2="high:Q")
    point = base.mark_point(filled=True, size=80).encode(
        x=share_x("value", x_title) if shares else quantity(x_title, log),
        shape=shape_of(subjects),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("estimate:N", title=x_title)],
    )
    return framed(Chart(layer=[rule, point]), height=max(70, 26 * len(labels)))


def group_strip(groups: Mapping[str, str], x_title: str) -> Chart:
    """One point for each architecture on the line of its group, with a tick at the group's mean.

    Records: `kind` ("architecture" or "mean"), `group` (as `groups` writes it), `label`, `value`, `estimate`.

    Args:
        groups: the colour of each group's name, from top to bottom.
        x_title: what is measured.
    """
    names, colours = list(groups), list(groups.values())
    base = alt.Chart(DATA).encode(
        y=alt.Y("group:N").title(None).sort(names).axis(ticks=False, domain=False, labelLimit=150),
        x=alt.X("value:Q").title(x_title).scale(zero=False, padding=12).axis(format="~g", tickCount=6),
        color=alt.Color("group:N").scale(domain=names, range=colours).legend(None),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("estimate:N", title=x_title)],
    )
    point = (
        base.transform_filter("datum.kind === 'architecture'")
        .mark_point(filled=True, size=80, stroke="white", strokeWidth=0.7)
        .encode(opacity=emphasis(shown=0.75))
    )
    mean = base.transform_filter("datum.kind === 'mean'").mark_tick(thickness=2.5, size=22)
    return framed(Chart(layer=[point, mean]), height=max(70, 34 * len(names)))


def contour_map(colours: Mapping[str, str], reach: float) -> Chart:
    """Filled contours of the loss on a plane, as square as the box that the page gives it; the victim is a cross.

    Records: one for each loop in the order of painting, `label`, `kind` ("loop"), `band`, `loop` (its number), and
    the lists `x` and `y` of its corners; and one of the kind "centre" with the point (0, 0).

    Args:
        colours: the colour of each band's name, from the lowest to the highest.
        reach: both axes go from -reach to reach.
    """
    return framed(_contours(colours, reach, legend=False).transform_flatten(["x", "y"])).properties(
        height="container", autosize=alt.AutoSizeParams(type="fit", contains="padding")
    )


def contour_sheet(subjects: Sequence[Subject], colours: Mapping[str, str], reach: float) -> alt.FacetChart:
    """The same of several architectures beside each other, for a file of its own.

    Records: as of `contour_map`, of all `subjects`.

    Args:
        subjects: whom to draw, in this order.
        colours: see `contour_map`.
        reach: see `contour_map`.
    """
    titles = [subject.title for subject in subjects]
    header = alt.Header(labelFontSize=13, labelColor=INK, title=None)
    map_ = _contours(colours, reach, legend=True).properties(width=190, height=190, data=DATA)
    sheet = map_.facet(facet=alt.Facet("label:N").sort(titles).header(header), columns=4)
    return sheet.transform_flatten(["x", "y"])


def _contours(colours: Mapping[str, str], reach: float, legend: bool) -> Chart:
    key = alt.Legend(title="loss (nats)", symbolType="square", symbolStrokeColor="#9aa4ae")
    base = alt.Chart(DATA).encode(
        x=alt.X("x:Q").scale(domain=[-reach, reach], nice=False).axis(_few(reach)),
        y=alt.Y("y:Q").scale(domain=[-reach, reach], nice=False).axis(_few(reach)),
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
            tooltip=[
                alt.Tooltip("label:N", title="architecture"),
                alt.Tooltip("band:N", title="loss (nats)"),
            ],
        )
    )
    centre = base.transform_filter("datum.kind === 'centre'").mark_point(
        # Dark with a light rim, to be seen on any band.
        shape="cross", filled=True, size=70, color=INK, opacity=1, stroke="#ffffff", strokeWidth=1.5
    )  # fmt: skip
    return Chart(layer=[bands, centre])


def _few(reach: float) -> alt.Axis:
    return alt.Axis(values=[-reach, 0, reach], format="~g", grid=False, title=None, domain=False, tickSize=3)


def slice_curve(subjects: Sequence[Subject]) -> Chart:
    """The loss on the line between two trainings of each architecture, with rules at both.

    Records: `label`, `alpha` (0 and 1 are the trainings), `loss`.

    Args:
        subjects: whom to draw, in this order.
    """
    base = alt.Chart(DATA).encode(
        x=alt.X("alpha:Q")
        .title("from one training (0) to another (1)")
        .scale(nice=False)
        .axis(tickCount=5, format="~g"),
        y=alt.Y("loss:Q").title("loss (nats)").scale(zero=True),
    )
    line = base.mark_line(strokeWidth=2).encode(
        color=colour_of(subjects), strokeDash=dash_of(subjects, legend=True), opacity=emphasis(shown=0.9)
    )
    point = base.mark_point(filled=True, size=28).encode(
        color=colour_of(subjects),
        opacity=emphasis(),
        tooltip=[
            alt.Tooltip("label:N", title="architecture"),
            alt.Tooltip("alpha:Q", title="place on the line"),
            alt.Tooltip("loss:Q", title="loss (nats)", format=".3g"),
        ],
    )
    ends = alt.Chart(alt.InlineData(values=[{"alpha": 0}, {"alpha": 1}]))
    rules = ends.mark_rule(color=FAINT, strokeDash=[3, 3]).encode(x="alpha:Q")
    return framed(Chart(layer=[rules, line, point]))


def for_page(chart: Drawn, records: Records) -> Spec:
    """The Vega-Lite specification of a chart as wide as its place; the page draws the legend."""
    return _finished(_wide(chart, "container"), records, legend=False)


def for_file(chart: Drawn, records: Records, title: str, legend: bool) -> Spec:
    """The Vega-Lite specification of a chart that stands alone."""
    return _finished(_wide(chart.properties(title=title), FILE_WIDTH), records, legend)


def _wide(chart: Drawn, width: int | str) -> Drawn:
    return chart.properties(width=width) if isinstance(chart, alt.LayerChart) else chart


def _finished(chart: Drawn, records: Records, legend: bool) -> Spec:
    """Type and rules that all charts share, and the records."""
    letters = max((len(str(record.get("label", record.get("line", "")))) for record in records), default=0)
    styled = (
        chart.configure(font=FONT, background="white")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=FAINT, titleColor=INK, titleFontWeight="normal", titlePadding=8, labelFontSize=12,
            titleFontSize=13, gridColor=RULE, domainColor="#9aa4ae", tickColor="#9aa4ae", labelOverlap=True,
        )
        .configure_title(anchor="start", color=INK, fontSize=15, offset=12)
        .configure_legend(
            disable=not legend, title=None, orient="bottom", columns=_columns(letters), labelColor=INK,
            labelFontSize=12, labelLimit=LABEL_LIMIT, symbolSize=110, symbolOpacity=1,
        )
    )  # fmt: skip
    spec = styled.to_dict()
    # Altair keeps lines of reference (the diagonal of a ROC curve) in the same place.
    return {**spec, "datasets": {**spec.get("datasets", {}), DATA.name: list(records)}}


def _columns(letters: int) -> int:
    """How many names of so many letters stand beside each other under a file's picture."""
    return max(1, min(6, FILE_WIDTH // (min(LABEL_LIMIT, 7 * letters) + 36)))


def framed(chart: Chart, height: int = 300) -> Chart:
    """The height, and the parameter behind the legend."""
    return chart.add_params(alt.param(name=CHOSEN, value=None)).properties(
        height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )


def _share(field: str, title: str) -> alt.Y:
    return alt.Y(f"{field}:Q").title(title).scale(domain=[0, 1]).axis(format=".0%", tickCount=5)


def share_x(field: str, title: str) -> alt.X:
    """A share along x in percent, from where the values begin."""
    return alt.X(f"{field}:Q").title(title).scale(zero=False, padding=8).axis(format="~%", tickCount=6)


def quantity(title: str, log: bool) -> alt.X:
    """`value` along x, from where the values begin; with `log` by factors."""
    scale = alt.Scale(type="log", padding=10) if log else alt.Scale(zero=False, padding=10)
    x = alt.X("value:Q").title(title).scale(scale)
    return x.axis(format="~g", tickCount=5) if log else x.axis(tickCount=5)


def colour_of(subjects: Sequence[Subject]) -> alt.Color:
    """Each architecture in its colour."""
    titles, colours = [s.title for s in subjects], [s.style.colour for s in subjects]
    return alt.Color("label:N").scale(domain=titles, range=colours)


def dash_of(subjects: Sequence[Subject], legend: bool) -> alt.StrokeDash:
    """Each architecture's line in its dash."""
    titles, dashes = [s.title for s in subjects], [s.style.dash for s in subjects]
    dash = alt.StrokeDash("label:N").scale(domain=titles, range=dashes)
    return dash if legend else dash.legend(None)


def shape_of(subjects: Sequence[Subject]) -> alt.Shape:
    """Each architecture's points in its shape."""
    titles, shapes = [s.title for s in subjects], [s.style.shape for s in subjects]
    return alt.Shape("label:N").scale(domain=titles, range=shapes)


def emphasis(shown: float = 1.0, faded: float = 0.12) -> dict[str, object]:
    """Full strength unless another architecture was picked in the legend."""
    return {
        "condition": {"test": f"!{CHOSEN} || datum.label === {CHOSEN}", "value": shown},
        "value": faded,
    }
