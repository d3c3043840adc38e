"""What results keep to beyond the shape of their fields: names that are there, and settings that can be read.

A results.json may be a stranger's, or altered by hand. Whoever shows or judges results takes these for granted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite

from nasaudit.measure.catalogue import metric_of
from nasaudit.results.base import LARGEST, Measured
from nasaudit.results.large.later import rows_at_hand
from nasaudit.results.schema import Headline, Row, StudyResults
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.units import as_number

ROUNDING = 1e-9  # by which a figure may pass the limits of its metric


def _number(text: str) -> bool:
    try:
        return isfinite(float(text)) and abs(float(text)) <= LARGEST
    except ValueError:
        return False


def _size(text: str) -> bool:
    number = as_number(text)
    return number is not None and 0 <= number <= LARGEST


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _word(text: str) -> bool:
    return bool(text)


Needed = Mapping[str, Callable[[str], bool]]
_BY_EPSILON: Needed = {"epsilon": _size}
_BY_FRACTION: Needed = {"fraction": _number}
_BY_BUDGET: Needed = {"budget": _whole}
# By family and metric, the settings that are read as something, and what they must be.
NEEDED: Mapping[tuple[str, str], Needed] = {
    ("convergence", "early_accuracy"): {"share": _number},
    ("convergence", "steps_to_accuracy"): {"accuracy": _number},
    ("evasion", "asr"): _BY_EPSILON,
    ("evasion", "asr_by_queries"): {"epsilon": _size, "within_queries": _whole},
    ("evasion", "asr_by_steps"): {"epsilon": _size, "within_steps": _whole},
    ("evasion", "robust_accuracy"): _BY_EPSILON,
    ("extraction", "agreement"): _BY_BUDGET,
    ("extraction", "floor"): _BY_EPSILON,
    ("extraction", "transfer_asr"): {"budget": _whole, "epsilon": _size},
    ("gradients", "layer_gradient_variance"): {"layer": _word},
    ("membership", "tpr_at_fpr"): {"fpr": _number},
    ("poisoning", "asr"): _BY_FRACTION,
    ("poisoning", "cad"): _BY_FRACTION,
    ("poisoning", "clean_accuracy"): _BY_FRACTION,
    ("topology", "flop_share"): {"op": _word},
    ("topology", "ops"): {"op": _word},
    ("topology", "parameter_share"): {"op": _word},
    ("topology", "weight_free_join"): {"layer": _word, "op": _word},
}


def problems(results: StudyResults) -> Iterator[str]:
    """What is wrong with results, each as a clause; nothing where they can be believed to be some study's."""
    names = [spec.name for spec in results.architectures]
    if len(set(names)) != len(names):
        yield "two architectures have one name"
    known = set(names)
    for place, called in _names(results):
        unknown = [name for name in called if name not in known]
        if unknown:
            yield f"{place} is of {unknown[0]!r}, which is none of its architectures"
    for position, row in rows_at_hand(results).items():
        yield from (f"rows[{position}] {problem}" for problem in _of_row(row))
    yield from _of_headlines(results)
    yield from _of_threats(results)
    yield from _of_verdicts(results)
    yield from _of_fronts(results)


def _names(results: StudyResults) -> Iterator[tuple[str, Iterable[str]]]:
    """Where architectures are named, and which."""
    yield from ((f"rows[{k}]", (row.architecture,)) for k, row in rows_at_hand(results).items())
    for field in ("histories", "examples", "curves", "landscapes", "pictures"):
        yield from ((f"{field}[{k}]", (one.architecture,)) for k, one in enumerate(getattr(results, field)))
    for field in ("headlines", "headlines_between"):
        for headline in getattr(results, field):
            yield f"{field} of {headline.family}", (*headline.positions, *headline.models)
    for threat in results.threats:
        yield f"threats of {threat.family}", [one.architecture for one in threat.figures]
    yield from ((f"standings of {one.family}", one.ranked) for one in results.standings)
    for adjustment in results.adjustments:
        yield f"adjustments of {adjustment.family}", [one.architecture for one in adjustment.values]
    yield "provenance", (*results.provenance.weights, *results.provenance.given)
    for pair in results.comparisons:
        yield f"comparisons of {pair.family}", [one.architecture for one in pair.values]
    for beside in results.beside_random:
        values = (*beside.searched, *beside.random)
        yield f"beside_random of {beside.family}", [one.architecture for one in values]
    for position, fronts in enumerate(results.searched_fronts):
        named = [name for front in fronts.fronts for name in (*front.cells, *front.unbeaten)]
        yield f"searched_fronts[{position}]", (*named, *fronts.points)
    for position, pulled in enumerate(results.pulled_levers):
        yield f"pulled_levers[{position}]", [name for pair in pulled.pairs for name in pair]
    yield from ((f"searches[{k}]", (one.architecture,)) for k, one in enumerate(results.searches))
    yield from ((f"variables of {one.key!r}", one.values) for one in results.variables)
    for position, remedied in enumerate(results.remedies):
        yield f"remedies[{position}]", (remedied.original, remedied.variant)
    yield from ((f"fronts of {one.family}", (one.original,)) for one in results.fronts)


def _of_row(row: Row) -> Iterator[str]:
    for key, fits in NEEDED.get((row.family, row.metric), {}).items():
        text = row.setting.get(key)
        if text is None:
            yield f"({row.metric}) has no setting {key}"
        elif not fits(text):
            yield f"({row.metric}) has the setting {key}={text!r}, which cannot be read"
    limits = metric_of(row.metric).limits
    if limits is not None:
        least, most = limits[0] - ROUNDING, limits[1] + ROUNDING
        if not all(least <= value <= most for value in (row.value, row.low, row.high)):
            yield f"({row.metric}) is not between {limits[0]:g} and {limits[1]:g}"


def _of_headlines(results: StudyResults) -> Iterator[str]:
    for headline in (*results.headlines, *results.headlines_between):
        if headline.positions.keys() != headline.models.keys():
            yield f"the headline of {headline.family} does not count the models of each architecture"
        if not all(_rests_on(headline, name, row) for name, row in headline.rows.items()):
            yield f"the headline of {headline.family} rests on rows of something else"
    for field in ("headlines", "headlines_between", "standings", "adjustments", "comparisons"):
        families = [one.family for one in getattr(results, field)]
        if len(set(families)) != len(families) or not FAMILIES.keys() >= set(families):
            yield f"`{field}` has a family twice, or one that is unknown"


def _of_threats(results: StudyResults) -> Iterator[str]:
    for threat in results.threats:
        if max((one.position for one in threat.figures), default=0) >= max(len(results.rows), 1):
            yield f"the threat of {threat.family} rests on rows that are not there"


def _rests_on(headline: Headline, name: str, row: Row) -> bool:
    same = (row.architecture, row.family, row.attack, row.metric) == (
        name,
        headline.family,
        headline.attack,
        headline.metric,
    )
    return same and headline.setting.items() <= row.setting.items()


def _of_verdicts(results: StudyResults) -> Iterator[str]:
    ranked: dict[str, set[str]] = {one.family: set(one.positions) for one in results.headlines}
    for field, named in (
        ("standings", {one.family: one.ranked for one in results.standings}),
        (
            "adjustments",
            {one.family: [each.architecture for each in one.values] for one in results.adjustments},
        ),
        (
            "comparisons",
            {one.family: [each.architecture for each in one.values] for one in results.comparisons},
        ),
    ):
        for family, architectures in named.items():
            if not set(architectures) <= ranked.get(family, set()):
                yield f"`{field}` of {family} is of architectures without a headline"
    for effect in _effects(results):
        if effect.family != "training" and effect.family not in FAMILIES:
            yield f"`remedies` knows a family {effect.family!r}, which there is not"
    keys = [variable.key for variable in results.variables]
    if len(set(keys)) != len(keys):
        yield "`variables` has a key twice"
    for link in results.links:
        if max(link.claims, default=0) >= max(len(results.claims), 1):
            yield f"the link {link.name!r} rests on claims that are not there"
    for position, claim in enumerate(results.claims):
        if claim.estimate is None and claim.finding != "undecided":
            yield f"claims[{position}] is decided by nothing"


def _of_fronts(results: StudyResults) -> Iterator[str]:
    for front in results.fronts:
        compared = set(front.remedies)
        if not compared or max(compared) >= len(results.remedies) or not set(front.unbeaten) <= compared:
            yield f"the front of {front.family} compares remedies that are not there"
            continue
        remedies = [results.remedies[place] for place in compared]
        judged = all(front.family in {effect.family for effect in one.decisive} for one in remedies)
        if not judged or any(one.original != front.original for one in remedies):
            yield f"the front of {front.family} compares remedies that were not measured against it"


def _effects(results: StudyResults) -> Iterator[Measured]:
    for remedied in results.remedies:
        yield from remedied.effects
