"""Searches with several objectives: their children, and their fronts beside plain searches and random cells."""

from collections.abc import Iterator, Mapping

from nasaudit.report import format
from nasaudit.report.charts import searches as charts
from nasaudit.report.charts.remedies import Look, trade_off
from nasaudit.report.evidence import Evidence
from nasaudit.report.palette import COLOURS, SHAPES
from nasaudit.report.parts import ABSENT, Cell, Figure, Table
from nasaudit.report.sections.searches.secure import beside_plain
from nasaudit.report.sections.searches.trail import Trail, number
from nasaudit.report.sections.searches.words import search_title
from nasaudit.results.base import Span
from nasaudit.results.schema import StudyResults
from nasaudit.results.searched.fronts import SearchedFronts
from nasaudit.spec.searches.objectives import ACCURACY, OBJECTIVES
from nasaudit.verdicts.searched import RANDOM

SECURE, PLAIN, DRAWN = "several objectives", "accuracy alone", "random cells"
KINDS: Mapping[str, str] = dict(zip((SECURE, PLAIN, DRAWN), COLOURS, strict=False))
METHOD = (
    "Fronts are compared by the audit: full trainings, the study's attacks, test images. A hypervolume is the share "
    "of the box between 0 and the reference (1 of shares, 1.1 times the largest of sizes) that a cell of the front "
    "dominates. Its ends have all figures at the worse and at the better end of their 95 % intervals at once, which "
    "is wider than a 95 % interval."
)


def sentences(results: StudyResults) -> Iterator[str]:
    """What the fronts of searches with several objectives come to beside plain ones."""
    for fronts in results.searched_fronts:
        title, pairs = search_title(fronts.method, fronts.objectives), len(fronts.pairs)
        if not pairs:
            yield f"{title} stands beside no search by accuracy alone of equal cost (--beside-plain)."
            continue
        beaten = [pair.secure for pair in fronts.pairs if pair.dominated]
        words = [
            f"{title} beside the same search by accuracy alone, at equal cost: {_dominated(beaten, pairs)}."
        ]
        volume = fronts.hypervolume
        if volume is not None:
            said = "undecided" if volume.low <= 0 <= volume.high else "more" if volume.low > 0 else "less"
            words.append(
                f"Difference of the hypervolumes, mean over {pairs} seeds: {volume.value:+.3f} "
                f"[{volume.low:+.3f}, {volume.high:+.3f}], {said}."
            )
        if pairs < 3:
            words.append("So few seeds say little of the method (--searches).")
        yield " ".join(words)


def _dominated(beaten: list[str], pairs: int) -> str:
    if not beaten:
        return "its front is not dominated" if pairs == 1 else f"none of its {pairs} fronts is dominated"
    return "its front is dominated" if pairs == 1 else f"of its {pairs} fronts {len(beaten)} dominated"


def audited(evidence: Evidence) -> Iterator[Figure]:
    """The audited cells: accuracy and each other measure."""
    for place, fronts in enumerate(evidence.results.searched_fronts):
        search_of = {name: front.search for front in fronts.fronts for name in front.cells}
        secure = {pair.secure for pair in fronts.pairs}
        plain = {pair.plain for pair in fronts.pairs}
        searches = list(dict.fromkeys(search_of.values()))
        looks = {}
        for name, search in search_of.items():
            kind = (
                DRAWN if search == RANDOM else PLAIN if search in plain and search not in secure else SECURE
            )
            shape = SHAPES[searches.index(search) // 2 % len(SHAPES)]
            looks[name] = (Look(evidence.titles.get(name, name), KINDS[kind], shape), kind)
        present = [kind for kind in KINDS if kind in {kind for _, kind in looks.values()}]
        for other in range(1, len(fronts.measures)):
            records = [
                _point(fronts, name, look.label, f"{search_of[name]} ({kind})", other)
                for name, (look, kind) in looks.items()
            ]
            yield Figure(
                f"search-front-{place}-{other}",
                f"Accuracy and {fronts.measures[other]} of what searches found",
                "With 95 % intervals, a shape for each seed. Ringed: no other is better in all objectives.",
                f"Scatter plot of the {fronts.measures[other]} over the clean accuracy of audited cells.",
                trade_off(
                    [look for look, _ in looks.values()],
                    fronts.measures[other],
                    shares=fronts.reference[other] == 1,
                    of="search",
                    joined=len(fronts.measures) == 2,
                ),
                records,
                about=search_title(fronts.method, fronts.objectives),
                legend=False,
                key=tuple((kind, KINDS[kind]) for kind in present),
            )


def _point(fronts: SearchedFronts, name: str, label: str, search: str, other: int) -> dict[str, object]:
    error, harm = fronts.points[name][0], fronts.points[name][other]
    unbeaten = name in fronts.unbeaten
    return {
        "label": label,
        "remedy": search,
        "accuracy": 1 - error.value,
        "accuracy_low": 1 - error.high,
        "accuracy_high": 1 - error.low,
        "accuracy_text": _figure(Span(value=1 - error.value, low=1 - error.high, high=1 - error.low)),
        "value": harm.value,
        "low": harm.low,
        "high": harm.high,
        "estimate": _figure(harm),
        "front": unbeaten,
        "beaten": "no other is better in all" if unbeaten else "another is better in all",
    }


def _figure(span: Span) -> str:
    if max(abs(span.value), abs(span.high)) > 1:
        return format.whole(span.value)
    return f"{span.value:.3f} [{span.low:.3f}, {span.high:.3f}]"


def children(way: Trail) -> Iterator[Figure]:
    """What all children of a search reached: accuracy and each other objective."""
    reached = [each for _, entry in way.entries for each in _listed(entry.get("objectives")) + _failed(entry)]
    last = way.entries[-1][1].get("front") if way.entries else None
    front = {place for place in _listed(last) if isinstance(place, int)}
    known = {place: each for place, each in enumerate(reached) if isinstance(each, Mapping)}
    names = [name for name in next(iter(known.values()), {}) if name in OBJECTIVES and name != ACCURACY]
    for name in names:
        objective = OBJECTIVES[name]
        pairs = {
            place: (error, value)
            for place, each in known.items()
            if (error := number(each.get(ACCURACY))) is not None
            and (value := number(each.get(name))) is not None
        }
        yield Figure(
            f"search-children-{way.name}-{name}",
            f"What its children reached: accuracy and {name}",
            f"{format.first_up(objective.title)} of each child after its brief training, by a cheap attack on "
            "validation images, over its accuracy. Ringed: no other child is better in all objectives.",
            f"Scatter plot of the {objective.title} over the accuracy of {len(pairs)} children.",
            charts.children(objective.title, shares=objective.family != "size", joined=len(names) == 1),
            [
                {
                    "number": place,
                    "accuracy": 1 - error,
                    "accuracy_text": format.percent(1 - error),
                    "value": value,
                    "estimate": format.significant(value),
                    "front": place in front,
                }
                for place, (error, value) in pairs.items()
            ],
            about=way.name,
            legend=False,
        )


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _failed(entry: Mapping[str, object]) -> list[object]:
    """As many children as an entry counts and says nothing of, so that numbers stay in step."""
    missing = len(_listed(entry.get("accuracies"))) - len(_listed(entry.get("objectives")))
    return [None] * max(0, missing)


def tables(results: StudyResults) -> Iterator[Table]:
    """Each front with its hypervolume; plain and secure cells by accuracy and every family."""
    for fronts in results.searched_fronts:
        rows = tuple(
            (
                Cell(front.search),
                Cell(str(len(front.cells))),
                Cell(str(len(front.unbeaten))),
                Cell(
                    f"{front.hypervolume.value:.3f}",
                    f"{front.hypervolume.low:.3f} to {front.hypervolume.high:.3f}",
                ),
                Cell(_beaten(fronts, front.search)),
            )
            for front in fronts.fronts
        )
        reference = format.listing([format.significant(value) for value in fronts.reference])
        yield Table(
            f"Fronts in {format.listing(fronts.measures)}; reference: {reference}",
            ("", "audited cells", "on its front", "hypervolume", "beaten by its counterpart"),
            rows,
        )
        if fronts.beside_plain:
            yield beside_plain(
                "Cells of searches by several objectives minus those by accuracy alone, each cell once",
                (SECURE, PLAIN, "several objectives are"),
                fronts.beside_plain,
            )


def _beaten(fronts: SearchedFronts, search: str) -> str:
    for pair in fronts.pairs:
        if search == pair.secure:
            return f"{len(pair.secure_beaten)} cells"
        if search == pair.plain:
            return f"{len(pair.plain_beaten)} cells"
    return ABSENT
