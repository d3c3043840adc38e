"""Searches that are to be secure, by several objectives or by levers, beside plain ones and random cells. No torch.

A search selects by brief trainings and cheap attacks. What counts is the audit: the same objectives, of full
trainings and the study's attacks on test images, by which fronts are compared here.
"""

from collections.abc import Iterator, Mapping, Sequence

from nasaudit.measure.catalogue import FRACTION
from nasaudit.results.base import Span
from nasaudit.results.schema import Headline, Row, StudyResults
from nasaudit.results.searched.fronts import (
    AuditedFront,
    BesidePlain,
    FrontPair,
    PulledLevers,
    SearchedFronts,
)
from nasaudit.results.selection import over_seeds
from nasaudit.spec.searches import OneShotSpec, SampledSpec
from nasaudit.spec.searches.objectives import ACCURACY, OBJECTIVES
from nasaudit.stats.crossed import crossed_mean
from nasaudit.stats.fronts import dominated, hypervolume, ranks
from nasaudit.verdicts.groups import compared, drawn_from, levers_of, measures, objectives_of

RANDOM = "random"  # what random cells are called beside searches
BEYOND = 1.1  # times the largest size: a reference that the largest network is just inside of

Figures = Mapping[str, Span]  # of one measure, by architecture


def make_searched_fronts(results: StudyResults, headlines: Sequence[Headline]) -> list[SearchedFronts]:
    """One for each method, space and set of objectives of the study, as far as the audit measured these.

    Args:
        results: with rows and what was searched.
        headlines: of its families.
    """
    cells: dict[str, list[str]] = {}
    for one in results.searches:
        cells.setdefault(one.search or one.architecture, []).append(one.architecture)
    entries = {
        choice.name: (choice.search, choice.seed)
        for choice in results.study.architectures
        if isinstance(choice.search, SampledSpec) and choice.name in cells
    }
    kinds = {
        (spec.name, spec.space.name, objectives_of(spec)): spec for spec, _ in entries.values() if spec.secure
    }
    made = []
    for (method, space, objectives), spec in kinds.items():
        measured = dict(_measured(spec.objectives, results.rows, headlines))
        alike = {
            name: (other, seed)
            for name, (other, seed) in entries.items()
            if (other.name, other.space.name) == (method, space)
            and (not other.secure or objectives_of(other) == objectives)
        }
        drawn = drawn_from(results, spec.space)
        of = {name: cells[name] for name in alike} | ({RANDOM: drawn} if drawn else {})
        if len(measured) > 1:
            made.append(_fronts(results, headlines, (method, space, objectives), measured, alike, of))
    return made


def _measured(
    objectives: Sequence[str], rows: Sequence[Row], headlines: Sequence[Headline]
) -> Iterator[tuple[str, Figures]]:
    """What the audit has of each objective, in words: less is better."""
    of_family = {headline.family: headline for headline in headlines}
    for name in objectives:
        objective = OBJECTIVES[name]
        if name == ACCURACY:
            accuracies = _pooled(rows, "training", "clean_accuracy", split="test")
            yield (
                objective.title,
                {
                    key: Span(value=1 - row.value, low=1 - row.high, high=1 - row.low)
                    for key, row in accuracies.items()
                },
            )
        elif objective.family in of_family:
            headline = of_family[objective.family]
            yield headline.measure, {key: _span(row) for key, row in headline.rows.items()}
        elif sizes := _pooled(rows, "topology", objective.metric):
            yield objective.title, {key: _span(row) for key, row in sizes.items()}


def _pooled(rows: Sequence[Row], family: str, metric: str, **setting: str) -> dict[str, Row]:
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        if (row.family, row.metric) == (family, metric) and setting.items() <= row.setting.items():
            by_name.setdefault(row.architecture, []).append(row)
    pooled = {name: over_seeds(of_one) for name, of_one in by_name.items()}
    return {name: row for name, row in pooled.items() if row is not None}


def _span(row: Row) -> Span:
    return Span(value=row.value, low=row.low, high=row.high)


def _fronts(
    results: StudyResults,
    headlines: Sequence[Headline],
    kind: tuple[str, str, str],
    measured: Mapping[str, Figures],
    alike: Mapping[str, tuple[SampledSpec, int]],
    cells: Mapping[str, Sequence[str]],
) -> SearchedFronts:
    points = {
        name: [figures[name] for figures in measured.values()]
        for names in cells.values()
        for name in names
        if all(name in figures for figures in measured.values())
    }
    largest = [
        max((abs(point[k].high) for point in points.values()), default=1.0) for k in range(len(measured))
    ]
    reference = [1.0 if most <= 1 else BEYOND * most for most in largest]
    known = {search: [name for name in names if name in points] for search, names in cells.items()}
    fronts = [_front(search, names, points, reference) for search, names in known.items() if names]
    volume = {front.search: front.hypervolume.value for front in fronts}
    genotypes = {one.architecture: one.genotype for one in results.searches}
    pairs = [
        _pair(secure, plain, known, points, genotypes)
        for secure, (spec, seed) in alike.items()
        for plain, (other, other_seed) in alike.items()
        if spec.secure and not other.secure and seed == other_seed and _cost(spec) == _cost(other)
        if known[secure] and known[plain]
    ]
    gained = [[volume[pair.secure] - volume[pair.plain]] for pair in pairs]
    tested = crossed_mean(gained, FRACTION) if len(gained) > 1 else None
    method, space, objectives = kind
    return SearchedFronts(
        method=method,
        space=space,
        objectives=objectives,
        measures=list(measured),
        reference=reference,
        points=points,
        unbeaten=_unbeaten(list(points), points),
        fronts=fronts,
        pairs=pairs,
        beside_plain=list(
            _beside_plain(
                results,
                headlines,
                _cells_of([pair.secure for pair in pairs], known),
                _cells_of([pair.plain for pair in pairs], known),
            )
        ),
        hypervolume=None if tested is None else Span.of(tested.estimate),
    )


def _cost(spec: SampledSpec) -> tuple[object, ...]:
    """What two searches of equal cost share."""
    return (spec.children, spec.child_epochs, spec.child_cells, spec.child_channels, spec.constraints)


def _values(names: Sequence[str], points: Mapping[str, Sequence[Span]]) -> list[list[float]]:
    return [[span.value for span in points[name]] for name in names]


def _unbeaten(names: Sequence[str], points: Mapping[str, Sequence[Span]]) -> list[str]:
    front = ranks(_values(names, points)).tolist() if names else []
    return [name for name, rank in zip(names, front, strict=True) if rank == 0]


def _front(
    search: str, names: Sequence[str], points: Mapping[str, Sequence[Span]], reference: Sequence[float]
) -> AuditedFront:
    def volume(end: str) -> float:
        scaled = [
            [getattr(span, end) / most for span, most in zip(points[name], reference, strict=True)]
            for name in names
        ]
        # A figure below 0 (accuracy that wrong labels seem to add) would count more than the whole box.
        return hypervolume(
            [[max(0.0, figure) for figure in point] for point in scaled], [1.0] * len(reference)
        )

    return AuditedFront(
        search=search,
        cells=list(names),
        unbeaten=_unbeaten(names, points),
        hypervolume=Span(value=volume("value"), low=volume("high"), high=volume("low")),
    )


def _pair(
    secure: str,
    plain: str,
    cells: Mapping[str, Sequence[str]],
    points: Mapping[str, Sequence[Span]],
    genotypes: Mapping[str, object],
) -> FrontPair:
    """Cells that both found do not beat themselves: they differ by the chance of an attack alone."""

    def beaten(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
        known = [genotypes[name] for name in theirs]
        lost = dominated(_values(ours, points), _values(theirs, points))
        return [
            name for name, by_any in zip(ours, lost, strict=True) if by_any and genotypes[name] not in known
        ]

    lost = beaten(cells[secure], cells[plain])
    return FrontPair(
        secure=secure,
        plain=plain,
        secure_beaten=lost,
        plain_beaten=beaten(cells[plain], cells[secure]),
        dominated=len(lost) == len(cells[secure]),
    )


def _cells_of(searches: Sequence[str], cells: Mapping[str, Sequence[str]]) -> list[str]:
    return [name for search in dict.fromkeys(searches) for name in cells[search]]


def _beside_plain(
    results: StudyResults, headlines: Sequence[Headline], secure: Sequence[str], plain: Sequence[str]
) -> Iterator[BesidePlain]:
    """Accuracy and every family: the cells of secure searches that have a plain one beside them, and of these."""
    for measured, values in measures(results.rows, headlines):
        first, second = ([values[name] for name in names if name in values] for names in (secure, plain))
        if first and second:
            yield BesidePlain(
                **measured, secure=first, plain=second, **compared(first, second, measured["unit"])
            )


def pull_levers(results: StudyResults, headlines: Sequence[Headline]) -> list[PulledLevers]:
    """One for each one-shot method, space and set of levers that stands beside the same search as published.

    Args:
        results: with rows and what was searched.
        headlines: of its families.
    """
    seeds = {choice.name: choice.seed for choice in results.study.architectures}
    found = {name: spec for name, spec in results.searched.items() if isinstance(spec, OneShotSpec)}
    kinds: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for secure, spec in found.items():
        for plain, other in found.items():
            if spec.levers and spec.as_published == other and seeds[secure] == seeds[plain]:
                kind = (spec.name, spec.space.name, levers_of(spec))
                kinds.setdefault(kind, []).append((secure, plain))
    return [
        PulledLevers(
            method=method,
            space=space,
            levers=levers,
            pairs=pairs,
            beside_plain=list(_beside_plain(results, headlines, *zip(*pairs, strict=True))),
        )
        for (method, space, levers), pairs in kinds.items()
    ]
