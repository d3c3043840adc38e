"""A population of cells as scatter plots: every explanation against every vulnerability, and one to choose freely."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nasaudit.measure.catalogue import FRACTION
from nasaudit.report import format
from nasaudit.report.charts import scatter
from nasaudit.report.charts.scatter import Axis, Panel
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.palette import GROUP_COLOURS, GROUP_TITLES, group_style
from nasaudit.report.parts import Figure, Section
from nasaudit.report.sections.cells import drawings
from nasaudit.results.verdict_models import Claim, Measure
from nasaudit.spec.arch import Group

LEAST_CELLS = 8
MOST_DRAWINGS = 400  # about 12 kB each
LOG_RANGE = 30  # values that span such a factor are drawn by factors
EXPLANATIONS = ("topology", "convergence", "gradients", "smoothness")
# Later ones are drawn over earlier ones: the many random cells lie below.
DEPTH: tuple[Group, ...] = ("random", "hardened", "custom", "manual", "nas")


@dataclass(frozen=True)
class Shown:
    """A measure with its axis."""

    measure: Measure
    axis: Axis

    def value(self, name: str) -> float | None:
        """Of one cell, in the axis's unit, to four digits: more cannot be seen."""
        found = self.measure.values.get(name)
        if found is None:
            return None
        return float(f"{100 * found if _points(self.measure) else found:.4g}")


def section(evidence: Evidence) -> Section | None:
    """The plot to choose and the matrix; None with fewer than eight cells, or fewer than two measures of them."""
    cells = [subject for subject in evidence.subjects if subject.spec.genotype is not None]
    explanations = _shown(evidence, cells, EXPLANATIONS)
    harms = _shown(evidence, cells, ("vulnerability",), start=len(explanations))
    measured = [cell for cell in cells if any(shown.value(cell.name) is not None for shown in explanations)]
    few = _few(explanations)
    rows = [*_against(evidence, few, harms), *_among(evidence, few)]
    if len(measured) < LEAST_CELLS or not rows:
        return None
    groups = [group for group in GROUP_TITLES if any(cell.spec.group == group for cell in measured)]
    every = [*explanations, *harms]
    records = _records(measured, every)
    start = (rows[0][0].x, rows[0][0].y)
    names = f"{len(measured)} cells"
    key = tuple((GROUP_TITLES[group], GROUP_COLOURS[group]) for group in groups)
    rest = "" if few == explanations else "Further measures can be chosen above. "
    explorer = Figure(
        name="population-explorer",
        title="Any measure against any other",
        caption=f"One point for each of {names}, the mean over its trainings.",
        alt=f"Scatter plot of {names}; its two axes are chosen above it.",
        chart=scatter.explorer(groups, [shown.axis for shown in every], start, _notes(evidence, every)),
        records=records,
        key=key,
    )
    matrix = Figure(
        name="population-matrix",
        title="All of them side by side",
        caption=f"The same {names} in every panel. {rest}{_captioned(evidence)}",
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
        "legend": [(GROUP_TITLES[group], group_style(group), _count(measured, group)) for group in groups],
        "drawings": _drawings(evidence, measured),
        "undrawn": max(0, len(measured) - MOST_DRAWINGS),
    }
    return Section("population", "Population", "population.html.j2", content, (explorer, matrix))


def _shown(evidence: Evidence, cells: Sequence[Subject], parts: Sequence[str], start: int = 0) -> list[Shown]:
    """Measures that enough cells have and that tell at least two of them apart, in the order of `parts`."""
    wanted = [measure for part in parts for measure in evidence.results.measures if measure.part == part]
    found: list[Shown] = []
    for measure in wanted:
        values = [measure.values[cell.name] for cell in cells if cell.name in measure.values]
        if len(values) >= LEAST_CELLS and min(values) < max(values):
            found.append(Shown(measure, _axis(measure, f"m{start + len(found)}", values)))
    return found


def _few(explanations: Sequence[Shown]) -> list[Shown]:
    """Topology in full, and the first measure of each other part: panels of all pairs would be a hundred."""
    parts = [shown.measure.part for shown in explanations]
    return [
        shown
        for position, shown in enumerate(explanations)
        if shown.measure.part == "topology" or parts.index(shown.measure.part) == position
    ]


def _axis(measure: Measure, field: str, values: Sequence[float]) -> Axis:
    title = format.first_up(measure.title) + (" (%)" if _points(measure) else "")
    shares = measure.unit == FRACTION
    log = not shares and min(values) > 0 and max(values) > LOG_RANGE * min(values)
    whole = not shares and all(float(value).is_integer() for value in values)
    return Axis(field, title, log, whole and not log)


def _points(measure: Measure) -> bool:
    return format.in_points(measure.metric, measure.unit)


def _against(evidence: Evidence, causes: Sequence[Shown], effects: Sequence[Shown]) -> Iterator[list[Panel]]:
    for effect in effects:
        if causes:
            yield [_panel(evidence, cause, effect) for cause in causes]


def _among(evidence: Evidence, explanations: Sequence[Shown]) -> Iterator[list[Panel]]:
    """Each explanation that is no topology by those before it in the chain."""
    for position, effect in enumerate(explanations):
        if effect.measure.part != "topology" and position:
            yield [_panel(evidence, cause, effect) for cause in explanations[:position]]


def _panel(evidence: Evidence, cause: Shown, effect: Shown) -> Panel:
    claim = _claim(evidence, cause, effect)
    if claim is None or claim.estimate is None:
        return Panel(cause.axis, effect.axis)
    return Panel(cause.axis, effect.axis, f"ρ {claim.estimate.value:+.2f}, {claim.finding}")


def _notes(evidence: Evidence, every: Sequence[Shown]) -> dict[str, str]:
    """What the claims say of a pair, whichever of the two is drawn across."""
    notes = {}
    for one in every:
        for other in every:
            claim = _claim(evidence, one, other)
            if claim is not None and claim.estimate is not None:
                span = claim.estimate
                said = f"ρ {span.value:+.2f} [{span.low:.2f}, {span.high:.2f}]: {claim.finding}"
                notes[f"{one.axis.field}|{other.axis.field}"] = said
                notes[f"{other.axis.field}|{one.axis.field}"] = said
    return notes


def _claim(evidence: Evidence, cause: Shown, effect: Shown) -> Claim | None:
    pair = (cause.measure.key, effect.measure.key)
    return next(
        (
            claim
            for claim in evidence.results.claims
            if claim.kind == "correlation" and (claim.cause, claim.effect) == pair
        ),
        None,
    )


def _captioned(evidence: Evidence) -> str:
    samples = list(
        dict.fromkeys(
            claim.sample
            for claim in evidence.results.claims
            if claim.kind == "correlation" and claim.estimate is not None and claim.sample
        )
    )
    over = f" over {format.listing(samples)}" if samples else ""
    return f"ρ: Spearman's rank correlation{over}, with the verdict on the published direction."


def _records(cells: Sequence[Subject], every: Sequence[Shown]) -> list[dict[str, object]]:
    ordered = sorted(cells, key=lambda cell: DEPTH.index(cell.spec.group))
    return [
        {
            "cell": cell.name,
            "label": cell.title,
            "group": GROUP_TITLES[cell.spec.group],
            **{shown.axis.field: shown.value(cell.name) for shown in every},
        }
        for cell in ordered
    ]


def _drawings(evidence: Evidence, cells: Sequence[Subject]) -> dict[str, str]:
    """The picture of each cell, as a data URI by name."""
    return {
        cell.name: drawing.uri for cell in cells[:MOST_DRAWINGS] for drawing in drawings(evidence, cell)[:1]
    }


def _count(cells: Sequence[Subject], group: Group) -> int:
    return sum(cell.spec.group == group for cell in cells)
