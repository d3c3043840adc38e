"""How accurate, how big, how deep and wide: the table that every comparison starts from."""

from nasaudit.report import charts, format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table

CELLS = ("normal", "reduction")
SHAPE = (("depth", "depth"), ("width", "width"), ("skips", "skips"), ("skip_share", "skip share"))


def section(evidence: Evidence) -> Section:
    """Accuracy with its spread over seeds, size, and the shape of the cells."""
    tables = (_accuracy(evidence), _size(evidence), _shape(evidence))
    figure = _figure(evidence)
    return Section(
        "accuracy",
        "Accuracy and size",
        "accuracy.html.j2",
        {"tables": tuple(table for table in tables if table.rows), "figure": figure},
        () if figure is None else (figure,),
    )


def _accuracy(evidence: Evidence) -> Table:
    return Table(
        "Accuracy",
        ("", "test", "test, by training seed", "validation", "training"),
        tuple(
            (
                Cell(subject.title, GROUP_TITLES[subject.spec.group]),
                Cell.of(evidence.accuracy(subject.name)),
                _spread(evidence, subject),
                Cell.of(evidence.pooled(subject.name, "training", "validation_accuracy")),
                Cell.of(evidence.pooled(subject.name, "training", "train_accuracy")),
            )
            for subject in evidence.subjects
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _spread(evidence: Evidence, subject: Subject) -> Cell:
    rows = evidence.by_seed(subject.name, "training", "clean_accuracy", {"split": "test"})
    if not rows:
        return Cell(ABSENT)
    values = [row.value for row in rows]
    seeds = f"{len(rows)} seeds: {', '.join(str(row.seed) for row in rows)}" if len(rows) > 1 else f"seed {rows[0].seed}"
    if len(rows) == 1:
        return Cell(format.percent(values[0]), seeds)
    return Cell(f"{format.percent(min(values))} to {format.percent(max(values))}", seeds)


def _size(evidence: Evidence) -> Table:
    rows = []
    for subject in evidence.subjects:
        parameters = evidence.pooled(subject.name, "topology", "parameters")
        flops = evidence.pooled(subject.name, "topology", "flops")
        if parameters is None and flops is None:
            continue
        rows.append(
            (
                Cell(subject.title, GROUP_TITLES[subject.spec.group]),
                Cell(ABSENT) if parameters is None else Cell(format.whole(parameters.value)),
                Cell(ABSENT) if flops is None else Cell(format.millions(flops.value)),
            )
        )
    return Table(
        "Size (exact; FLOPs: 2 for each multiply-add, one image forward)",
        ("", "parameters", "FLOPs"),
        tuple(rows),
        _measured(evidence, "parameters"),
    )


def _shape(evidence: Evidence) -> Table:
    subjects = [s for s in evidence.subjects if s.name in _measured(evidence, "depth")]
    columns = [(f"{cell} {title}", cell, metric) for cell in CELLS for metric, title in SHAPE]
    return Table(
        "Shape of the cells (exact, from the genotype; a hand-made network has none)",
        ("", *(title for title, _, _ in columns)),
        tuple(
            (
                Cell(subject.title),
                *(
                    Cell.of(evidence.pooled(subject.name, "topology", metric, {"cell": cell}))
                    for _, cell, metric in columns
                ),
            )
            for subject in subjects
        ),
        tuple(subject.name for subject in subjects),
    )


def _measured(evidence: Evidence, metric: str) -> tuple[str, ...]:
    return tuple(s.name for s in evidence.subjects if evidence.rows(s.name, "topology", metric))


def _figure(evidence: Evidence) -> Figure | None:
    """A picture helps only where there are many to compare."""
    records = []
    for subject in evidence.subjects:
        row = evidence.accuracy(subject.name)
        if row is not None:
            records.append(
                {
                    "label": subject.title,
                    "value": row.value,
                    "low": row.low,
                    "high": row.high,
                    "estimate": format.estimate(row),
                }
            )
    if len(records) < 2:
        return None
    return Figure(
        "accuracy",
        "Clean accuracy",
        "Accuracy on the test images, over all seeds. The bars are 95 % intervals.",
        "Dot plot of the clean accuracy of each architecture; the numbers are in the table below.",
        charts.interval_chart(evidence.subjects, "clean accuracy"),
        records,
        legend=False,
    )
