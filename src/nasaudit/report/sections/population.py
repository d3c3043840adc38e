"""A population of cells as scatter plots: every explanation against every vulnerability, and one to choose freely."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from nasaudit.measure.catalogue import FRACTION
from nasaudit.report import format
from nasaudit.report.charts import scatter
from nasaudit.report.charts.scatter import Axis, Panel
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.palette import GROUP_COLOURS, GROUP_TITLES, group_style
from nasaudit.report.parts import Figure, Section
from nasaudit.report.sections.cells import drawings
from nasaudit.results.verdict_models import Claim, Variable
from nasaudit.spec.arch import Group

Claims = Mapping[tuple[str, str], Claim]  # correlations by cause and effect

LEAST_CELLS = 8
MOST_DRAWINGS = 400  # about 12 kB each
LOG_RANGE = 30  # values that span such a factor are drawn by factors
EXPLANATIONS = ("topology", "convergence", "gradients", "smoothness")
# Later ones are drawn over earlier ones: the many random cells lie below.
DEPTH: tuple[Group, ...] = ("random", "hardened", "custom", "robust_nas", "manual", "nas")


@dataclass(frozen=True)
class Shown:
    """A variable with its axis."""

    variable: Variable
    axis: Axis
    share: bool  # shown in percent

    def value(self, name: str) -> float | None:
        """Of one cell, in the axis's unit, to four digits: more cannot be seen."""
        value = self.variable.values.get(name)
        return None if value is None else float(f"{100 * value if self.share else value:.4g}")


def section(evidence: Evidence) -> Section | None:
    """The plot to choose and the matrix; None with fewer than eight cells, or fewer than two measures of them."""
    cells = [subject for subject in evidence.subjects if subject.spec.genotype is not None]
    explanations = _shown(evidence, cells, EXPLANATIONS)
    harms = _shown(evidence, cells, ("vulnerability",), start=len(explanations))
    measured = [cell for cell in cells if any(shown.value(cell.name) is not None for shown in explanations)]
    # Topology in full, and the first variable of each other part: panels of all pairs would be a hundred.
    parts = [shown.variable.part for shown in explanations]
    few = [
        shown
        for place, shown in enumerate(explanations)
        if shown.variable.part == "topology" or parts.index(shown.variable.part) == place
    ]
    # The harms by every explanation, then each explanation that is no topology by those before it in the chain.
    pairs = [(few, harm) for harm in harms]
    pairs += [(few[:k], effect) for k, effect in enumerate(few) if effect.variable.part != "topology"]
    claims = {
        (claim.cause, claim.effect): claim
        for claim in evidence.results.claims
        if claim.kind == "correlation" and claim.estimate is not None
    }
    rows = [[_panel(claims, cause, effect) for cause in causes] for causes, effect in pairs if causes]
    if len(measured) < LEAST_CELLS or not rows:
        return None
    groups = [group for group in GROUP_TITLES if any(cell.spec.group == group for cell in measured)]
    every = [*explanations, *harms]
    records = [
        {
            "cell": cell.name,
            "label": cell.title,
            "group": GROUP_TITLES[cell.spec.group],
            **{shown.axis.field: shown.value(cell.name) for shown in every},
        }
        for cell in sorted(measured, key=lambda cell: DEPTH.index(cell.spec.group))
    ]
    samples = list(dict.fromkeys(claim.sample for claim in claims.values() if claim.sample))
    over = f" over {format.listing(samples)}" if samples else ""
    start = (rows[0][0].x, rows[0][0].y)
    names = f"{len(measured)} cells"
    key = tuple((GROUP_TITLES[group], GROUP_COLOURS[group]) for group in groups)
    rest = "" if few == explanations else "Further measures can be chosen above. "
    explorer = Figure(
        name="population-explorer",
        title="Any measure against any other",
        caption=f"One point for each of {names}, the mean over its trainings.",
        alt=f"Scatter plot of {names}; its two axes are chosen above it.",
        chart=scatter.explorer(groups, [shown.axis for shown in every], start, _notes(claims, every)),
        records=records,
        key=key,
    )
    matrix = Figure(
        name="population-matrix",
        title="All of them side by side",
        caption=f"The same {names} in every panel. {rest}ρ: Spearman's rank correlation{over}, "
        "with the verdict on the published direction.",
        alt=f"Matrix of {sum(map(len, rows))} scatter plots of {names}: the vulnerabilities by topology, "
        "convergence, gradient variance and smoothness, then these by each other.",
        chart=scatter.matrix(groups, rows),
        records=records,
        key=key,
    )
    content = {
        "explorer": explorer,
        "matrix": matrix,
        "axes": [shown.axis for shown in every],
        "start": [axis.field for axis in start],
        "signals": (scatter.ACROSS, scatter.UP),
        "legend": [
            (GROUP_TITLES[group], group_style(group), sum(cell.spec.group == group for cell in measured))
            for group in groups
        ],
        # The picture of each cell, as a data URI by name.
        "drawings": {
            cell.name: drawing.uri
            for cell in measured[:MOST_DRAWINGS]
            for drawing in drawings(evidence, cell)[:1]
        },
        "undrawn": max(0, len(measured) - MOST_DRAWINGS),
    }
    return Section("population", "Population", "population.html.j2", content, (explorer, matrix))


def _shown(evidence: Evidence, cells: Sequence[Subject], parts: Sequence[str], start: int = 0) -> list[Shown]:
    """Variables that enough cells have and that tell at least two of them apart, in the order of `parts`."""
    measured: list[Shown] = []
    for variable in sorted(
        (variable for variable in evidence.results.variables if variable.part in parts),
        key=lambda variable: parts.index(variable.part),
    ):
        values = [variable.values[cell.name] for cell in cells if cell.name in variable.values]
        if len(values) < LEAST_CELLS or min(values) == max(values):
            continue
        share = format.in_points(variable.metric, variable.unit)
        fraction = variable.unit == FRACTION
        log = not fraction and min(values) > 0 and max(values) > LOG_RANGE * min(values)
        whole = not fraction and not log and all(float(value).is_integer() for value in values)
        title = format.first_up(variable.title) + (" (%)" if share else "")
        measured.append(Shown(variable, Axis(f"m{start + len(measured)}", title, log, whole), share))
    return measured


def _panel(claims: Claims, cause: Shown, effect: Shown) -> Panel:
    claim = claims.get((cause.variable.key, effect.variable.key))
    if claim is None or claim.estimate is None:
        return Panel(cause.axis, effect.axis)
    return Panel(cause.axis, effect.axis, f"ρ {claim.estimate.value:+.2f}, {claim.finding}")


def _notes(claims: Claims, every: Sequence[Shown]) -> dict[str, str]:
    """What the claims say of a pair, whichever of the two is drawn across."""
    notes = {}
    for cause, effect in product(every, every):
        claim = claims.get((cause.variable.key, effect.variable.key))
        if claim is not None and (rho := claim.estimate) is not None:
            note = f"ρ {rho.value:+.2f} [{rho.low:.2f}, {rho.high:.2f}]: {claim.finding}"
            notes[f"{cause.axis.field}|{effect.axis.field}"] = note
            notes[f"{effect.axis.field}|{cause.axis.field}"] = note
    return notes
