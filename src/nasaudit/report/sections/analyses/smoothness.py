"""How fast the loss gradient changes, by the parameters and by the pixels."""

from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Figure, Section, Table
from nasaudit.report.sections.analyses.estimates import estimate_figure
from nasaudit.report.sections.families.attack import column, table
from nasaudit.results.schema import Row

FAMILY = "smoothness"
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
    blocks = [(_figure(evidence, space, words), _table(evidence, space, words)) for space, words in SPACES]
    blocks = [block for block in blocks if len(block[1].columns) > 1]
    figures = tuple(figure for figure, _ in blocks if figure is not None)
    return Section("smoothness", "Loss smoothness", "smoothness.html.j2", {"blocks": blocks}, figures)


def _table(evidence: Evidence, space: str, words: str) -> Table:
    return table(
        evidence,
        f"Local Lipschitz constant of the loss gradient, top eigenvalue and trace of its Hessian, {words}",
        [column(title, _by_name(evidence, metric, space)) for metric, title in MEASURES],
    )


def _figure(evidence: Evidence, space: str, words: str) -> Figure | None:
    return estimate_figure(
        evidence,
        f"smoothness-{space}",
        f"How fast the gradient changes {words}",
        _by_name(evidence, "gradient_lipschitz", space),
        "Lipschitz constant",
        f"The largest change of the loss gradient per step {words}, of short steps around the trained network. Lower "
        "is smoother.",
    )


def _by_name(evidence: Evidence, metric: str, space: str) -> dict[str, Row]:
    rows = {
        subject.name: evidence.pooled(subject.name, FAMILY, metric, {"space": space})
        for subject in evidence.subjects
    }
    return {name: row for name, row in rows.items() if row is not None}
