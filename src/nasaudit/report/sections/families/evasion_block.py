"""All that the page shows of one evasion attack: its security curve, its effort, and the tables behind them."""

from dataclasses import dataclass
from fractions import Fraction

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.parts import Cell, Figure, Table
from nasaudit.report.sections.families.attack import column, point, table
from nasaudit.report.sections.families.evasion_threat import DENOMINATORS, Threat
from nasaudit.results.schema import Row

# What success is followed over, in this order of preference: (metric, key of the setting, unit).
EFFORTS = (("asr_by_queries", "within_queries", "queries"), ("asr_by_steps", "within_steps", "steps"))


@dataclass(frozen=True)
class Block:
    """What the page shows of one threat; `others` are the same table with other denominators.

    `folded`: it is one of the attacks that only support the main ones, and opens at a tap.
    """

    title: str
    anchor: str
    summary: str
    folded: bool
    figure: Figure
    effort: Figure | None
    scalars: Table
    table: Table
    others: tuple[Table, ...]

    @classmethod
    def of(cls, evidence: Evidence, threat: Threat, folded: bool) -> "Block":
        """The block of a threat; curve and single numbers are those of the fairest denominator."""
        shown, *others = threat.denominators(evidence)
        return cls(
            title=threat.title,
            anchor=threat.anchor,
            summary=threat.summary,
            folded=folded,
            figure=_curve_figure(evidence, threat, shown),
            effort=_effort_figure(evidence, threat),
            scalars=_scalar_table(evidence, threat, shown),
            table=_curve_table(evidence, threat, shown),
            others=tuple(_curve_table(evidence, threat, images) for images in others),
        )


def _curve_figure(evidence: Evidence, threat: Threat, images: str) -> Figure:
    levels = threat.norm == "linf"
    records = [
        point(subject, row, round(float(Fraction(epsilon)) * (255 if levels else 1), 6), epsilon)
        for subject in evidence.subjects
        for epsilon in threat.epsilons(evidence)
        if (row := threat.row(evidence, subject, "asr", images=images, epsilon=epsilon)) is not None
    ]
    counted = DENOMINATORS.get(images, images)
    return Figure(
        name=threat.anchor,
        title="Security curve",
        about=threat.title,
        caption=f"Share {counted} that the attack turns into {threat.aim}, by epsilon. "
        f"The bands are {format.INTERVAL}s.",
        alt=f"Line chart of the attack success rate by epsilon for {format.listing(list(evidence.titles.values()))}; "
        "the numbers are in the table below.",
        records=records,
        chart=charts.curve(
            evidence.subjects,
            "epsilon, in grey levels of 255" if levels else f"epsilon ({threat.norm})",
            "images that fall",
            measured="falls",
        ),
    )


def _effort_figure(evidence: Evidence, threat: Threat) -> Figure | None:
    """Success at one epsilon over the queries or steps that the attack spends; None where neither was measured."""
    for metric, key, unit in EFFORTS:
        records: list[dict[str, object]] = []
        epsilon = ""
        for subject in evidence.subjects:
            rows = evidence.rows(subject.name, threat.family, metric, threat.setting, threat.attack)
            pooled = [row for row in rows if row.seed == "all"] or rows
            for row in sorted(pooled, key=lambda row: int(row.setting[key])):
                epsilon = row.setting["epsilon"]
                records.append(point(subject, row, int(row.setting[key]), f"{row.setting[key]} {unit}"))
        if records:
            return Figure(
                name=f"{threat.anchor}-{unit}",
                title=f"Success over {unit}",
                about=threat.title,
                caption=f"Share {DENOMINATORS['correct']} that fall at {epsilon} within so many {unit} for each "
                f"image. Every image was attacked at this epsilon. The bands are {format.INTERVAL}s.",
                alt=f"Line chart of the attack success rate by {unit} for "
                f"{format.listing(list(evidence.titles.values()))}; the last point is the rate at {epsilon} in the "
                "table.",
                records=records,
                chart=charts.curve(
                    evidence.subjects,
                    f"{unit} for each image",
                    f"images that fall at {epsilon}",
                    measured="falls",
                    x_log=True,
                ),
            )
    return None


def _curve_table(evidence: Evidence, threat: Threat, images: str) -> Table:
    grid = threat.epsilons(evidence)
    rows = tuple(
        _curve_row(
            subject.title,
            [threat.row(evidence, subject, "asr", images=images, epsilon=epsilon) for epsilon in grid],
        )
        for subject in evidence.subjects
    )
    caption = f"Attack success rate by epsilon, {DENOMINATORS.get(images, images)}"
    return Table(caption, ("", *grid), rows, tuple(subject.name for subject in evidence.subjects))


def _curve_row(title: str, rows: list[Row | None]) -> tuple[Cell, ...]:
    """The sample size is said once, under the name, where it is the same at every epsilon."""
    sizes = unique(format.sample_size(row) for row in rows if row is not None)
    if len(sizes) != 1:
        return (Cell(title), *(Cell.of(row) for row in rows))
    cells = (Cell.of(row) if row is None else Cell(format.value(row), format.interval(row)) for row in rows)
    return (Cell(title, sizes[0]), *cells)


def _scalar_table(evidence: Evidence, threat: Threat, images: str) -> Table:
    epsilon = threat.quoted_epsilon(evidence)
    columns: list[tuple[str, str, dict[str, str]]] = [
        ("half of the images fall at", "median_minimal_epsilon", {"images": images}),
        ("area under the curve", "curve_area", {"images": images}),
        (f"robust accuracy at {epsilon} (all images)", "robust_accuracy", {"epsilon": epsilon}),
        ("mean steps", "mean_steps", {}),
        ("queries (median)", "median_queries", {}),
        ("zero gradients", "zero_gradient_share", {}),
    ]
    return table(
        evidence,
        f"The curve in single numbers, {DENOMINATORS.get(images, images)}",
        [column(title, threat.by_name(evidence, metric, **where)) for title, metric, where in columns],
    )
