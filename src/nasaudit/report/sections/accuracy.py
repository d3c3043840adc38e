"""How accurate and how big: the table that every comparison starts from."""

from collections.abc import Callable

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Figure, Section, Table
from nasaudit.report.sections.analyses.estimates import estimate_figure


def section(evidence: Evidence) -> Section:
    """Accuracy with its spread over seeds, and size."""
    table = _accuracy_and_size(evidence)
    figure = _figure(evidence)
    return Section(
        "accuracy",
        "Accuracy and size",
        "accuracy.html.j2",
        {"table": table, "figure": figure},
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


def _figure(evidence: Evidence) -> Figure | None:
    """A picture helps only where there are many to compare."""
    rows = {subject.name: evidence.accuracy(subject.name) for subject in evidence.subjects}
    return estimate_figure(
        evidence,
        "accuracy",
        "Clean accuracy",
        {name: row for name, row in rows.items() if row is not None},
        "clean accuracy",
        "Accuracy on the test images, over all seeds.",
        shares=True,
    )
