"""The report's charts. Each takes plain records and returns an Altair chart; nothing is measured here.

A name given by a user appears only as a data value, never as a field name or in an expression.
"""

from collections.abc import Mapping, Sequence

import altair as alt

from nasaudit.report.evidence import Subject

# The page's script sets this parameter when a name in a legend is tapped; null shows all alike.
CHOSEN = "chosen"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, FAINT, RULE = "#1b1f24", "#57606a", "#e3e6ea"
# Points of the running mean in convergence charts: single batches are too noisy to follow.
SMOOTHED = 11

Records = Sequence[Mapping[str, object]]


def security_curve(records: Records, subjects: Sequence[Subject], x_title: str, y_title: str) -> alt.LayerChart:
    """Share of images that fall, by epsilon, with the 95 % interval as a band.

    Args:
        records: `architecture`, `epsilon` (in the units of `x_title`), `share`, `low`, `high`, and for the
            tooltip `label`, `at`, `estimate`.
        subjects: whom to draw, in this order.
        x_title: what epsilon is counted in.
        y_title: what falls.
    """
    base = alt.Chart(alt.Data(values=list(records))).encode(
        x=alt.X("epsilon:Q").title(x_title).scale(nice=False, padding=6),
        color=_colour(subjects),
    )
    band = base.mark_area(interpolate="monotone").encode(
        y=alt.Y("low:Q"), y2="high:Q", opacity=_emphasis(shown=0.15, faded=0.03)
    )
    line = base.mark_line(interpolate="monotone", strokeWidth=2).encode(
        y=_share("share", y_title), strokeDash=_dash(subjects), opacity=_emphasis()
    )
    point = base.mark_point(filled=True, size=46, stroke="white", strokeWidth=0.7).encode(
        y=_share("share", y_title),
        shape=_shape(subjects),
        opacity=_emphasis(),
        tooltip=[
            alt.Tooltip("label:N", title="architecture"),
            alt.Tooltip("at:N", title="epsilon"),
            alt.Tooltip("estimate:N", title="falls"),
        ],
    )
    return _framed(alt.layer(band, line, point))


def convergence_curve(records: Records, subjects: Sequence[Subject], field: str, y_title: str) -> alt.LayerChart:
    """Loss or accuracy of the training batches by images seen: one line for each seed, running mean.

    Args:
        records: `architecture`, `label`, `seed`, `images`, and the column `field`.
        subjects: whom to draw, in this order.
        field: "loss" or "accuracy".
        y_title: what the line means.
    """
    half = SMOOTHED // 2
    base = (
        alt.Chart(alt.Data(values=list(records)))
        .transform_window(
            smooth=f"mean({field})",
            frame=[-half, half],
            groupby=["architecture", "seed"],
            sort=[alt.SortField("images")],
        )
        .encode(
            x=alt.X("images:Q").title("training images seen").axis(format="~s"),
            y=_share("smooth", y_title) if field == "accuracy" else alt.Y("smooth:Q").title(y_title),
            color=_colour(subjects),
            detail="seed:N",
        )
    )
    line = base.mark_line(strokeWidth=1.6).encode(
        strokeDash=_dash(subjects),
        opacity=_emphasis(shown=0.85),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("seed:N", title="training seed")],
    )
    return _framed(alt.layer(line))


def interval_chart(records: Records, subjects: Sequence[Subject], x_title: str) -> alt.LayerChart:
    """One estimate for each architecture as a point on its interval, in the order of `subjects`.

    Args:
        records: `architecture`, `label`, `value`, `low`, `high`, `estimate`.
        subjects: whom to draw, from top to bottom.
        x_title: what is estimated.
    """
    labels = [subject.title for subject in subjects]
    base = alt.Chart(alt.Data(values=list(records))).encode(
        y=alt.Y("label:N").title(None).sort(labels).axis(ticks=False, domain=False, labelLimit=130),
        color=_colour(subjects),
        opacity=_emphasis(),
    )
    rule = base.mark_rule(strokeWidth=2.5).encode(x=alt.X("low:Q"), x2="high:Q")
    point = base.mark_point(filled=True, size=80).encode(
        x=_share_x("value", x_title),
        shape=_shape(subjects),
        tooltip=[alt.Tooltip("label:N", title="architecture"), alt.Tooltip("estimate:N", title=x_title)],
    )
    return _framed(alt.layer(rule, point), height=max(70, 26 * len(labels)))


def standalone(chart: alt.LayerChart | alt.Chart, subjects: Sequence[Subject], title: str) -> alt.LayerChart:
    """The same chart as a file of its own: with a fixed width, a title and the legend that the page draws."""
    whole = chart.properties(width=640, title=title)
    anchor = (
        alt.Chart(alt.Data(values=[{"label": subject.title} for subject in subjects]))
        .mark_point(opacity=0, filled=True)
        .encode(
            fill=alt.Fill("label:N")
            .scale(domain=[s.title for s in subjects], range=[s.style.colour for s in subjects])
            .legend(title=None, orient="bottom", columns=6, symbolOpacity=1, symbolSize=90),
        )
    )
    return alt.layer(whole, anchor).properties(config=whole.config)


def _framed(chart: alt.LayerChart, height: int = 300) -> alt.LayerChart:
    """Size, type and rules that all charts share; the width is the page's."""
    framed = chart.add_params(alt.param(name=CHOSEN, value=None)).properties(
        width="container", height=height, background="white", autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    return (
        framed.configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=FAINT, titleColor=INK, titleFontWeight="normal", titlePadding=8, labelFontSize=12,
            titleFontSize=13, gridColor=RULE, domainColor="#9aa4ae", tickColor="#9aa4ae", labelOverlap=True,
        )
        .configure_title(anchor="start", color=INK, fontSize=15, offset=12)
    )  # fmt: skip


def _share(field: str, title: str) -> alt.Y:
    return alt.Y(f"{field}:Q").title(title).scale(domain=[0, 1]).axis(format=".0%", tickCount=5)


def _share_x(field: str, title: str) -> alt.X:
    return alt.X(f"{field}:Q").title(title).scale(domain=[0, 1]).axis(format=".0%", tickCount=5)


def _colour(subjects: Sequence[Subject]) -> alt.Color:
    names, colours = [s.name for s in subjects], [s.style.colour for s in subjects]
    return alt.Color("architecture:N").scale(domain=names, range=colours).legend(None)


def _dash(subjects: Sequence[Subject]) -> alt.StrokeDash:
    names, dashes = [s.name for s in subjects], [s.style.dash for s in subjects]
    return alt.StrokeDash("architecture:N").scale(domain=names, range=dashes).legend(None)


def _shape(subjects: Sequence[Subject]) -> alt.Shape:
    names, shapes = [s.name for s in subjects], [s.style.shape for s in subjects]
    return alt.Shape("architecture:N").scale(domain=names, range=shapes).legend(None)


def _emphasis(shown: float = 1.0, faded: float = 0.12) -> dict[str, object]:
    """Full strength unless another architecture was picked in the legend."""
    return {
        "condition": {"test": f"!{CHOSEN} || datum.architecture === {CHOSEN}", "value": shown},
        "value": faded,
    }
