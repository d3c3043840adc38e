"""How accurate, how big, how deep and wide: the table that every comparison starts from."""

from collections.abc import Callable

from nasaudit.report import charts, format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table

CELLS = ("normal", "reduction")
SHAPE = (("depth", "depth"), ("width", "width"), ("skips", "skips"), ("skip_share", "skip share"))


def section(evidence: Evidence) -> Section:
    """Accuracy with its spread over seeds, size, and the shape of the cells."""
    tables = (_accuracy_and_size(evidence), _shape(evidence))
    figure = _figure(evidence)
    return Section(
        "accuracy",
        "Accuracy and size",
        "accuracy.html.j2",
        {"tables": tuple(table for table in tables if table.rows), "figure": figure},
        () if figure is None else (figure,),
    )


def _accuracy_and_size(evidence: Evidence) -> Table:
    return Table(
        "Accuracy and size (size is exact; FLOPs: 2 for each multiply-add, one image forward)",
        (
            "",
            "test accuracy",
            "by training seed",
            "parameters",
            "FLOPs",
            "validation accuracy",
            "training accuracy",
        ),
        tuple(
            (
                Cell(subject.title, GROUP_TITLES[subject.spec.group]),
                Cell.of(evidence.accuracy(subject.name)),
                _spread(evidence, subject),
                _size(evidence, subject, "parameters", format.whole),
                _size(evidence, subject, "flops", format.millions),
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
    seeds = (
        f"{len(rows)} seeds: {', '.join(str(row.seed) for row in rows)}"
        if len(rows) > 1
        else f"seed {rows[0].seed}"
    )
    if len(rows) == 1:
        return Cell(format.percent(values[0]), seeds)
    return Cell(f"{format.percent(min(values))} to {format.percent(max(values))}", seeds)


def _size(evidence: Evidence, subject: Subject, metric: str, written: Callable[[float], str]) -> Cell:
    row = evidence.pooled(subject.name, "topology", metric)
    return Cell(ABSENT) if row is None else Cell(written(row.value))


def _shape(evidence: Evidence) -> Table:
    rows = [
        (subject, cell)
        for subject in evidence.subjects
        for cell in CELLS
        if evidence.rows(subject.name, "topology", "depth", {"cell": cell})
    ]
    return Table(
        "Shape of the cells (exact, from the genotype; a hand-made network has none)",
        ("", *(title for _, title in SHAPE)),
        tuple(
            (
                Cell(subject.title, f"{cell} cell"),
                *(
                    Cell.of(evidence.pooled(subject.name, "topology", metric, {"cell": cell}))
                    for metric, _ in SHAPE
                ),
            )
            for subject, cell in rows
        ),
        tuple(subject.name for subject, _ in rows),
    )


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
        f"Accuracy on the test images, over all seeds. The bars are {format.INTERVAL}s.",
        "Dot plot of the clean accuracy of each architecture; the numbers are in the table below.",
        charts.interval_chart(evidence.subjects, "clean accuracy"),
        records,
        legend=False,
    )
