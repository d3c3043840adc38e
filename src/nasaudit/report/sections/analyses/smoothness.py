"""How fast the loss gradient changes, by the parameters and by the pixels."""

from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Part, Section, Text
from nasaudit.report.sections.estimates import estimate_figure
from nasaudit.report.sections.tables import column, table
from nasaudit.verdicts.headlines import PUBLISHED

FAMILY = "smoothness"
NOTE = (
    f"Published ({PUBLISHED}): the loss of NAS-designed models is smoother, that is, its "
    "gradient has a smaller Lipschitz constant, so that one step along the gradient changes the loss as foretold. On "
    "a smooth loss the finite-difference constant and the largest Hessian eigenvalue agree; where ReLU kinks matter "
    "the former is larger."
)
SPACES = (("parameters", "by the parameters"), ("input", "by the pixels of an image"))
MEASURES = (
    ("gradient_lipschitz", "Lipschitz constant"),
    ("hessian_top", "top eigenvalue"),
    ("hessian_trace", "trace"),
)


def section(evidence: Evidence) -> Section | None:
    """A dot plot and a table for each space."""
    if not evidence.of_family(FAMILY):
        return None
    parts: list[Part | None] = []
    for space, words in SPACES:
        rows = {metric: evidence.by_name(FAMILY, metric, space=space) for metric, _ in MEASURES}
        if not any(rows.values()):
            continue
        figure = estimate_figure(
            evidence,
            f"smoothness-{space}",
            f"How fast the gradient changes {words}",
            rows["gradient_lipschitz"],
            "Lipschitz constant",
            f"The largest change of the loss gradient per step {words}, of short steps around the trained network. "
            "Lower is smoother.",
        )
        measured = table(
            evidence,
            f"Local Lipschitz constant of the loss gradient, top eigenvalue and trace of its Hessian, {words}",
            [column(title, rows[metric]) for metric, title in MEASURES],
        )
        parts += [figure, measured]
    return Section.of("smoothness", "Loss smoothness", Text(NOTE, quiet=True), *parts)
