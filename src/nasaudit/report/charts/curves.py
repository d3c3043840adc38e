"""Lines: a measure over what an attacker chooses, over training, over depth, and from one training to another."""

from collections.abc import Sequence

import altair as alt

from nasaudit.report.charts.frame import (
    DATA,
    FAINT,
    Chart,
    colour_of,
    dash_of,
    emphasis,
    framed,
    shape_of,
    share_y,
    tooltip,
)
from nasaudit.report.evidence import Subject
from nasaudit.report.palette import CROWD

# Points of the running mean in convergence charts: single batches are too noisy to follow.
SMOOTHED = 11


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
        y=alt.Y("low:Q"), y2=alt.Y2("high:Q"), opacity=emphasis(shown=0.15, faded=0.03)
    )
    y = alt.Y("value:Q").title(y_title).scale(zero=False)
    if shares:
        y = share_y("value", y_title) if whole else y.axis(format="~%", tickCount=5)
    crowd = len(subjects) > CROWD
    line = base.mark_line(interpolate="linear", strokeWidth=1 if crowd else 2).encode(
        y=y, strokeDash=dash_of(subjects), opacity=emphasis(shown=0.45 if crowd else 1)
    )
    point = base.mark_point(filled=True, size=10 if crowd else 46, stroke="white", strokeWidth=0.7).encode(
        y=y,
        shape=shape_of(subjects),
        opacity=emphasis(shown=0.6 if crowd else 1),
        tooltip=tooltip(label="architecture", at=x_title, estimate=measured or y_title),
    )
    # The bands of so many lie over each other; the intervals are in the table.
    return framed(Chart(layer=[line, point] if crowd else [band, line, point]))


def roc_curve(subjects: Sequence[Subject], lowest: float) -> Chart:
    """True over false positive rate, both logarithmic, one line for each training seed; the diagonal is guessing.

    Carlini et al., "Membership Inference Attacks From First Principles", IEEE S&P 2022: what matters is how many
    members are found at few false alarms, which linear axes hide.

    Records: `label`, `seed`, `fpr`, `tpr`, both at least `lowest`, which is above 0: there both axes begin.
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
        strokeDash=dash_of(subjects),
        opacity=emphasis(shown=0.45 if crowd else 0.9),
        tooltip=tooltip(label="architecture", seed="training seed"),
    )
    ends: list[dict[str, object]] = [{"fpr": lowest, "tpr": lowest}, {"fpr": 1, "tpr": 1}]
    diagonal = alt.Chart(alt.InlineData(values=ends))
    guessing = diagonal.mark_line(color=FAINT, strokeWidth=1, strokeDash=[3, 3]).encode(x="fpr:Q", y="tpr:Q")
    return framed(Chart(layer=[guessing, line]), height=360)


def convergence_curve(
    subjects: Sequence[Subject], field: str, y_title: str, smoothed: int = SMOOTHED
) -> Chart:
    """Loss or accuracy of the training batches by images seen: one line for each seed, a mean over `smoothed` points.

    Records: `label`, `seed`, `images`, and the column `field`, which is "loss" or "accuracy".
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
            y=share_y("smooth", y_title) if field == "accuracy" else alt.Y("smooth:Q").title(y_title),
            color=colour_of(subjects),
            detail="seed:N",
        )
    )
    crowd = len(subjects) > CROWD
    line = base.mark_line(strokeWidth=1 if crowd else 1.6).encode(
        strokeDash=dash_of(subjects),
        opacity=emphasis(shown=0.45 if crowd else 0.85),
        tooltip=tooltip(label="architecture", seed="training seed"),
    )
    return framed(Chart(layer=[line]))


def slice_curve(subjects: Sequence[Subject]) -> Chart:
    """The loss on the line between two trainings of each architecture, with rules at both.

    Records: `label`, `alpha` (0 and 1 are the trainings), `loss`.
    """
    base = alt.Chart(DATA).encode(
        x=alt.X("alpha:Q")
        .title("from one training (0) to another (1)")
        .scale(nice=False)
        .axis(tickCount=5, format="~g"),
        y=alt.Y("loss:Q").title("loss (nats)").scale(zero=True),
    )
    line = base.mark_line(strokeWidth=2).encode(
        color=colour_of(subjects), strokeDash=dash_of(subjects), opacity=emphasis(shown=0.9)
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


def depth_profile(subjects: Sequence[Subject], y_title: str) -> Chart:
    """A measure of each layer over its place in the network, one line for each architecture, by factors.

    Records: `label`, `depth` (0: the first layer, 1: the last), `layer` (its name), `value` above 0, `estimate`.
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
        strokeDash=dash_of(subjects), opacity=emphasis(shown=0.45 if crowd else 1)
    )
    point = base.mark_point(filled=True, size=12 if crowd else 46).encode(
        shape=shape_of(subjects),
        opacity=emphasis(shown=0.6 if crowd else 1),
        tooltip=tooltip(label="architecture", layer="layer", estimate=y_title),
    )
    return framed(Chart(layer=[line, point]))
