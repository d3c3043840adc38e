"""How much the gradient varies: over batches at three moments of training, layer by layer, and as published."""

from collections.abc import Mapping

from nasaudit.measure.catalogue import metric_of
from nasaudit.report import format
from nasaudit.report.charts import categories, curves
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import Figure, Section, Table, Text, folded
from nasaudit.report.sections.estimates import limited
from nasaudit.report.sections.tables import column, table
from nasaudit.verdicts.headlines import PUBLISHED

FAMILY = "gradients"
MOMENTS: Mapping[str, str] = {
    "initial": "at initialisation",
    "first_epoch": "after one epoch",
    "final": "at the end",
}
MOMENT_COLOURS: Mapping[str, str] = {"initial": "#0072b2", "first_epoch": "#d55e00", "final": "#332288"}
NOTE = (
    f"Published ({PUBLISHED}): the gradients of NAS-designed models vary less, at "
    "initialisation, by the sum over parameters of the standard deviation over single images{of_images}. That sum "
    "grows with the number of parameters; the variance over mini-batches relative to the squared mean gradient does "
    "not."
)
LOWER_BOUNDS = (
    "A value with \N{GREATER-THAN OR EQUAL TO} is a lower bound: the mean gradient cannot be told from zero with "
    "these batches."
)
MEASURES = ("gradient_variance", "relative_gradient_variance", "gradient_variance_per_parameter")


def section(evidence: Evidence) -> Section | None:
    """A dot plot by moment, the profile over layers, and a table of each measure."""
    if not evidence.of_family(FAMILY):
        return None
    as_published = evidence.by_name(FAMILY, "gradient_std_sum")
    images = unique(row.setting.get("images", "") for row in as_published.values())
    tables = list[Table]()
    for metric in MEASURES:
        caption = format.first_up(metric_of(metric).title)
        columns = [
            column(words, evidence.by_name(FAMILY, metric, checkpoint=moment), limited)
            for moment, words in MOMENTS.items()
        ]
        if not tables:
            caption += "; last, as published, at initialisation"
            columns.append(column("sum of std, published", as_published))
        tables.append(table(evidence, caption, columns))
    scale_free = [measure for measure in tables[1:] if len(measure.columns) > 1]
    # Of very many architectures one moment is enough to look at.
    profiles = list(MOMENTS)[: 1 if evidence.crowded else None]
    layers = [figure for moment in profiles if (figure := _layers(evidence, moment))]
    of_images = f" (here of the {' or '.join(images)} split)" if images else ""
    return Section.of(
        "gradients",
        "Gradient variance",
        Text(NOTE.format(of_images=of_images), quiet=True),
        _moments(evidence),
        tables[0],
        folded(
            "Free of scale: relative to the mean gradient, and per parameter",
            Text(LOWER_BOUNDS, quiet=True) if scale_free else None,
            *scale_free,
        ),
        *layers[:1],
        folded("Layer by layer, later in training", *layers[1:]),
    )


def _moments(evidence: Evidence) -> Figure | None:
    """The variance at each moment; what is not above 0 has no place on an axis by factors."""
    records: list[dict[str, object]] = []
    for moment, words in MOMENTS.items():
        rows = evidence.by_name(FAMILY, "gradient_variance", checkpoint=moment)
        for subject in evidence.subjects:
            row = rows.get(subject.name)
            if row is None or row.value <= 0:
                continue
            # A line of many points in a row shows their spread; their intervals would hide it.
            low = row.value if evidence.crowded or row.low <= 0 else row.low
            records.append(
                {
                    "label": GROUP_TITLES[subject.spec.group] if evidence.crowded else subject.title,
                    "name": subject.title,
                    "moment": words,
                    "value": row.value,
                    "low": low,
                    "high": row.value if evidence.crowded else row.high,
                    "estimate": format.estimate(row),
                }
            )
    if not records:
        return None
    seen = {record["moment"] for record in records}
    colours = {words: MOMENT_COLOURS[moment] for moment, words in MOMENTS.items() if words in seen}
    order = GROUP_TITLES.values() if evidence.crowded else evidence.titles.values()
    labels = [label for label in order if any(record["label"] == label for record in records)]
    drawn = "One point for each architecture." if evidence.crowded else f"The bars are {format.INTERVAL}s."
    return Figure(
        "gradients-moments",
        "Gradient variance by moment of training",
        f"How far the gradients of mini-batches lie from their mean, squared. {drawn}",
        f"Dot plot of the gradient variance of {evidence.names} at "
        f"{len(colours)} moments of training; the numbers are in the table.",
        categories.moments(labels, colours, "gradient variance"),
        records,
        key=tuple(colours.items()),
    )


def _layers(evidence: Evidence, moment: str) -> Figure | None:
    records = []
    for subject in evidence.subjects:
        where = (subject.name, FAMILY, "layer_gradient_variance")
        layers = unique(row.setting["layer"] for row in evidence.rows(*where, checkpoint=moment))
        for place, layer in enumerate(layers):
            row = evidence.pooled(*where, checkpoint=moment, layer=layer)
            if row is not None and row.value > 0 and len(layers) > 1:
                records.append(
                    {
                        "label": subject.title,
                        "depth": round(place / (len(layers) - 1), 4),
                        "layer": layer,
                        "value": float(f"{row.value:.4g}"),
                        "estimate": format.estimate(row),
                    }
                )
    if not records:
        return None
    return Figure(
        f"gradients-layers-{moment.replace('_', '-')}",
        f"Layer by layer, {MOMENTS[moment]}",
        "The part of the gradient variance that each layer has, from the input to the classifier.",
        f"Line chart of the gradient variance of each layer, {MOMENTS[moment]}, for {evidence.names}.",
        curves.depth_profile(evidence.subjects, "gradient variance"),
        records,
    )
