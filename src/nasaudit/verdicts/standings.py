"""Which architecture is easier to attack than which other, by each family's headline. No torch."""

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, product

from nasaudit.results.base import Span
from nasaudit.results.flags import ACCURACY_GAP, FEW_SEEDS
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import clean_accuracies
from nasaudit.results.verdict_models import AccuracyGap, Standing
from nasaudit.verdicts.saturation import Saturated, incomparable
from nasaudit.verdicts.unlike import Unlike


def make_standings(
    headlines: Sequence[Headline],
    rows: Sequence[Row],
    seeds: Sequence[int],
    saturated: Mapping[str, Saturated] = {},
    *,
    remedies: Collection[str] = (),
    unlike: Unlike = lambda names: "",
) -> list[Standing]:
    """One for each headline that two architectures have.

    Hardened ones are compared with their originals alone, in pairs (`verdicts.remedies`): what intervals of single
    models say of them could contradict that.

    Args:
        headlines: of the study's families.
        rows: of the study.
        seeds: of its trainings.
        saturated: by family, as `find_saturated` finds them.
        remedies: names of hardened architectures.
        unlike: says in what trainings differ.
    """
    accuracy = clean_accuracies(rows)
    return [
        _standing(headline, rows_of, accuracy, seeds, saturated.get(headline.family, {}), unlike)
        for headline in headlines
        if len(rows_of := {name: row for name, row in headline.rows.items() if name not in remedies}) > 1
    ]


def higher(first: Row, second: Row) -> bool:
    """Whether `first` is surely higher: both must have an interval, and these must not overlap."""
    return first.low > second.high and not (_without_interval(first) or _without_interval(second))


def _standing(
    headline: Headline,
    rows: Mapping[str, Row],
    accuracy: Mapping[str, float],
    seeds: Sequence[int],
    saturated: Saturated,
    unlike: Unlike,
) -> Standing:

    def easier(first: str, second: str) -> bool:
        return higher(rows[first], rows[second]) and not incomparable(first, second, saturated)

    ranked = sorted(rows, key=lambda name: -rows[name].value)
    high, low = rows[ranked[0]], rows[ranked[-1]]
    known = not (_without_interval(high) or _without_interval(low))
    groups = {group: [name for name in rows if rows[name].group == group] for group in ("nas", "manual")}
    signs = [
        "higher" if easier(nas, manual) else "lower" if easier(manual, nas) else None
        for nas, manual in product(groups["nas"], groups["manual"])
        if headline.published is not None
    ]
    agree, undecided = signs.count(headline.published), signs.count(None)
    return Standing(
        family=headline.family,
        ranked=ranked,
        easier_than={name: [other for other in ranked if easier(name, other)] for name in ranked},
        difference=high.value - low.value,
        allowed=Span(value=high.value - low.value, low=high.low - low.high, high=high.high - low.low)
        if known
        else None,
        general=len(seeds) >= FEW_SEEDS,
        pairs=len(signs),
        agree=agree,
        against=len(signs) - agree - undecided,
        accuracy_gap=_accuracy_gap(ranked if len(ranked) == 2 else list(rows), accuracy),
        unlike=unlike(ranked),
        saturated=[saturated[name] for name in ranked if name in saturated],
        at_the_end=incomparable(ranked[0], ranked[-1], saturated),
    )


def _accuracy_gap(names: Sequence[str], accuracy: Mapping[str, float]) -> AccuracyGap | None:
    gaps = {
        (first, second): difference
        for first, second in combinations([name for name in names if name in accuracy], 2)
        if (difference := abs(accuracy[first] - accuracy[second])) > ACCURACY_GAP
    }
    if not gaps:
        return None
    widest = max(gaps, key=gaps.__getitem__)
    return AccuracyGap(difference=gaps[widest], architectures=widest, pairs=len(gaps))


def _without_interval(row: Row) -> bool:
    """A figure measured once, without an interval: nobody knows how much of it is chance."""
    return row.low == row.value == row.high and row.n == 1
