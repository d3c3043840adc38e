"""How accurate and how big: the table that every comparison starts from."""

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.palette import GROUP_TITLES
from nasaudit.report.parts import ABSENT, Cell, Section
from nasaudit.report.sections.estimates import estimate_figure
from nasaudit.report.sections.tables import listed


def section(evidence: Evidence) -> Section:
    """Accuracy with its spread over seeds, and size."""
    # A picture helps only where there are many to compare.
    figure = estimate_figure(
        evidence,
        "accuracy",
        "Clean accuracy",
        evidence.by_name("training", "clean_accuracy", split="test"),
        "clean accuracy",
        "Accuracy on the test images, over all seeds.",
        shares=True,
    )
    table = listed(
        "Accuracy and size (size is exact; FLOPs: 2 for each multiply-add, one image forward)",
        (
            "test accuracy",
            "by training seed",
            "parameters",
            "FLOPs",
            "validation accuracy",
            "training accuracy",
        ),
        (
            (subject, GROUP_TITLES[subject.spec.group], _cells(evidence, subject))
            for subject in evidence.subjects
        ),
    )
    return Section.of("accuracy", "Accuracy and size", figure, table)


def _accuracy(evidence: Evidence, subject: Subject) -> Cell:
    cell = Cell.of(evidence.accuracy(subject.name))
    if subject.name not in evidence.doubtful:
        return cell
    return Cell(cell.text, f"{cell.note} · the test images may have been trained on")


def _cells(evidence: Evidence, subject: Subject) -> tuple[Cell, ...]:
    parameters, flops = (
        evidence.pooled(subject.name, "topology", metric) for metric in ("parameters", "flops")
    )
    rows = evidence.rows(subject.name, "training", "clean_accuracy", split="test")
    accuracies = {str(row.seed): row.value for row in rows if row.seed != "all"}
    spread = Cell(ABSENT)
    if accuracies:
        low, high = (format.percent(pick(accuracies.values())) for pick in (min, max))
        several = len(accuracies) > 1
        seeds = f"{len(accuracies)} seeds: " if several else "seed "
        spread = Cell(f"{low} to {high}" if several else low, seeds + ", ".join(accuracies))
    return (
        _accuracy(evidence, subject),
        spread,
        Cell(ABSENT if parameters is None else format.whole(parameters.value)),
        Cell(ABSENT if flops is None else format.millions(flops.value)),
        Cell.of(evidence.pooled(subject.name, "training", "validation_accuracy")),
        Cell.of(evidence.pooled(subject.name, "training", "train_accuracy")),
    )
