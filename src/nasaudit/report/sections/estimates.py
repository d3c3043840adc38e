"""One estimate for each architecture as a figure: a line for each, or a strip for each group where there are many."""

from collections.abc import Mapping

from nasaudit.report import format
from nasaudit.report.charts import categories
from nasaudit.report.evidence import Evidence
from nasaudit.report.palette import GROUP_COLOURS, GROUP_TITLES
from nasaudit.report.parts import Cell, Figure
from nasaudit.results.schema import Row

# Values that span such a factor are drawn by factors.
LOG_RANGE = 30


def estimate_figure(
    evidence: Evidence,
    name: str,
    title: str,
    rows: Mapping[str, Row],
    x_title: str,
    caption: str,
    *,
    shares: bool = False,
) -> Figure | None:
    """A dot plot with intervals; None with fewer than two architectures, which need no picture.

    `rows` are those of each architecture, by name; `shares` draws them on an axis in percent.
    """
    measured = [subject for subject in evidence.subjects if subject.name in rows]
    if len(measured) < 2:
        return None
    low, high = min(row.low for row in rows.values()), max(row.high for row in rows.values())
    # Where values, intervals included, are all above 0 and so far apart, an axis by factors serves them.
    log = not shares and low > 0 and high / low > LOG_RANGE
    records = [
        {
            "label": subject.title,
            "group": GROUP_TITLES[subject.spec.group],
            "value": rows[subject.name].value,
            "low": rows[subject.name].low,
            "high": rows[subject.name].high,
            "estimate": format.estimate(rows[subject.name]),
        }
        for subject in measured
    ]
    if evidence.crowded:
        present = {subject.spec.group for subject in measured}
        groups = {text: GROUP_COLOURS[group] for group, text in GROUP_TITLES.items() if group in present}
        chart = categories.strip(groups, x_title, shares=shares, log=log)
        drawn = "One point for each architecture; the tick is the median of its group."
    else:
        chart = categories.interval_chart(measured, x_title, shares=shares, log=log)
        drawn = f"The bars are {format.INTERVAL}s."
    return Figure(
        name,
        title,
        f"{caption} {drawn}",
        f"Dot plot of the {x_title} of each architecture; the numbers are in the table.",
        chart,
        records,
        legend=False,
    )


def limited(row: Row) -> Cell:
    """A cell in which a bound says so with its sign, in little room."""
    return Cell(format.value(row, format.LIMITS), format.interval_and_n(row))
