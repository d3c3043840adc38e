"""How fast the victims learned: curves by images seen, and the steps to fixed accuracies."""

import math
from collections.abc import Iterator

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.parts import Figure, Section, Table
from nasaudit.report.sections.tables import column, table
from nasaudit.results.verdict_models import Claim

FAMILY = "convergence"
# Of all lines of a chart together: what 24 architectures with a seed each have, so that a page stays small.
MOST_POINTS = 24 * 200


def section(evidence: Evidence) -> Section | None:
    """Loss and accuracy curves, what early accuracy foretells, and the table of milestones."""
    figures = _figures(evidence) if evidence.results.histories else ()
    milestones = _milestones(evidence)
    if not figures and milestones is None:
        return None
    foretold = [
        _foretells(claim)
        for claim in evidence.results.claims
        if (claim.kind, claim.cause, claim.effect) == ("correlation", "early_accuracy", "clean_accuracy")
    ]
    return Section.of("convergence", "Convergence", *figures, " ".join(foretold), milestones)


def _foretells(claim: Claim) -> str:
    """What the study says of early against final accuracy."""
    over = f"over {claim.n} {claim.sample or 'architectures'}"
    if claim.estimate is None:
        return f"Whether a quick start foretells a high accuracy was not tested {over}: {claim.why}."
    value, low, high = (
        f"{end:+.2f}" for end in (claim.estimate.value, claim.estimate.low, claim.estimate.high)
    )
    outcome = {
        "supported": "so who is ahead early tends to end ahead",
        "contradicted": "so who is ahead early tends to end behind",
        "undecided": "which leaves open whether who is ahead early also ends ahead",
    }[claim.finding]
    return (
        "Spearman's rank correlation between the training accuracy early in training and the final test accuracy "
        f"is {value} [{low},{format.NBSP}{high}] {over}, {outcome}."
    )


def _figures(evidence: Evidence) -> tuple[Figure, ...]:
    figures = []
    points = sum(len(history.step) for history in evidence.results.histories)
    every = math.ceil(points / MOST_POINTS)
    smoothed = 2 * (charts.SMOOTHED // (2 * every)) + 1  # over as many steps, of which there are fewer points
    for field, title in (("loss", "training loss"), ("accuracy", "training accuracy")):
        records = [
            {
                "label": evidence.titles.get(history.architecture, history.architecture),
                "seed": history.seed,
                "images": step * history.images_per_step,
                field: float(f"{reached:.4g}"),
            }
            for history in evidence.results.histories
            for step, reached in _thinned(history.step, getattr(history, field), every)
        ]
        figures.append(
            Figure(
                f"convergence-{field}",
                title.capitalize(),
                f"{title.capitalize()} of the batches, one line for each seed; "
                f"running mean over {smoothed} of the points that the history keeps"
                + ("." if every == 1 else f", after each {every} neighbours were averaged."),
                f"Line chart of the {title} by images seen for {evidence.names}.",
                charts.convergence_curve(evidence.subjects, field, title, smoothed),
                records,
            )
        )
    return tuple(figures)


def _thinned(steps: list[int], reached: list[float], every: int) -> Iterator[tuple[int, float]]:
    """The last of every so many steps, with the mean over them."""
    for start in range(0, len(steps), every):
        part = reached[start : start + every]
        yield steps[min(start + every, len(steps)) - 1], sum(part) / len(part)


def _milestones(evidence: Evidence) -> Table | None:
    rows = evidence.of_family(FAMILY)
    if not rows:
        return None
    accuracies = unique(row.setting.get("accuracy", "") for row in rows if row.metric == "steps_to_accuracy")
    shares = unique(row.setting["share"] for row in rows if row.metric == "early_accuracy")
    steps = [
        column(
            f"steps to {format.round_percent(accuracy)}",
            evidence.by_name(FAMILY, "steps_to_accuracy", accuracy=accuracy),
        )
        for accuracy in sorted(accuracies, key=lambda text: float(text or "nan"))
    ]
    early = [
        column(
            f"accuracy after {format.round_percent(share)}",
            evidence.by_name(FAMILY, "early_accuracy", share=share),
        )
        for share in sorted(shares, key=float)
    ]
    area = column("area under the loss curve", evidence.by_name(FAMILY, "loss_area"))
    return table(
        evidence,
        "Speed of learning: steps to a training accuracy, the mean training loss, and the training accuracy early on",
        [*steps, area, *early],
        keep_empty=True,
    )
