"""How fast the victims learned: curves by images seen, and the steps to fixed accuracies."""

from nasaudit.report import charts, format
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.parts import Cell, Figure, Section, Table

FAMILY = "convergence"


def section(evidence: Evidence) -> Section | None:
    """Loss and accuracy curves with the table of milestones."""
    figures = _figures(evidence) if evidence.results.histories else ()
    table = _milestones(evidence)
    if not figures and table is None:
        return None
    return Section(
        "convergence", "Convergence", "convergence.html.j2", {"figures": figures, "table": table}, figures
    )


def _figures(evidence: Evidence) -> tuple[Figure, ...]:
    names = format.listing(list(evidence.titles.values()))
    figures = []
    for field, title in (("loss", "training loss"), ("accuracy", "training accuracy")):
        records = [
            {
                "label": evidence.titles.get(history.architecture, history.architecture),
                "seed": history.seed,
                "images": step * history.images_per_step,
                field: float(f"{reached:.4g}"),
            }
            for history in evidence.results.histories
            for step, reached in zip(history.step, getattr(history, field), strict=True)
        ]
        figures.append(
            Figure(
                f"convergence-{field}",
                title.capitalize(),
                f"{title.capitalize()} of the batches, one line for each seed; "
                f"running mean over {charts.SMOOTHED} of the points that the history keeps.",
                f"Line chart of the {title} by images seen for {names}.",
                charts.convergence_curve(evidence.subjects, field, title),
                records,
            )
        )
    return tuple(figures)


def _milestones(evidence: Evidence) -> Table | None:
    rows = evidence.of_family(FAMILY)
    accuracies = sorted(
        unique(row.setting.get("accuracy", "") for row in rows if row.metric == "steps_to_accuracy"),
        key=_number,
    )
    if not rows:
        return None
    titles = [f"steps to {_accuracy_title(accuracy)} training accuracy" for accuracy in accuracies]
    return Table(
        "Speed of learning",
        ("", *titles, "area under the loss curve"),
        tuple(
            (
                Cell(subject.title),
                *(
                    Cell.of(
                        evidence.pooled(subject.name, FAMILY, "steps_to_accuracy", {"accuracy": accuracy})
                    )
                    for accuracy in accuracies
                ),
                Cell.of(evidence.pooled(subject.name, FAMILY, "loss_area")),
            )
            for subject in evidence.subjects
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _number(text: str) -> float:
    return float(text or "nan")


def _accuracy_title(accuracy: str) -> str:
    return f"{100 * float(accuracy):g} %"
