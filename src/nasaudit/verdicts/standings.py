"""Which architecture is easier to attack than which other, by each family's headline. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

from nasaudit.results.base import Span
from nasaudit.results.flags import ACCURACY_GAP, FEW_SEEDS
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import clean_accuracies
from nasaudit.results.verdict_models import AccuracyGap, Standing
from nasaudit.verdicts.headlines import Sign

Pair = tuple[str, str]


def make_standings(
    headlines: Sequence[Headline], rows: Sequence[Row], seeds: Sequence[int]
) -> list[Standing]:
    """One for each headline that two architectures have.

    Args:
        headlines: of the study's families.
        rows: of the study.
        seeds: of its trainings.
    """
    accuracy = clean_accuracies(rows)
    return [_standing(headline, accuracy, seeds) for headline in headlines if len(headline.rows) > 1]


def higher(first: Row, second: Row) -> bool:
    """Whether `first` is surely higher: both must have an interval, and these must not overlap."""
    return first.low > second.high and not (_without_interval(first) or _without_interval(second))


def _standing(headline: Headline, accuracy: Mapping[str, float], seeds: Sequence[int]) -> Standing:
    rows = headline.rows
    ranked = sorted(rows, key=lambda name: -rows[name].value)
    high, low = rows[ranked[0]], rows[ranked[-1]]
    known = not (_without_interval(high) or _without_interval(low))
    groups = {group: [name for name in rows if rows[name].group == group] for group in ("nas", "manual")}
    signs = [_sign(rows, pair) for pair in product(groups["nas"], groups["manual"])]
    agree, undecided = signs.count(headline.published), signs.count(None)
    return Standing(
        family=headline.family,
        ranked=ranked,
        easier_than={name: [other for other in ranked if higher(rows[name], rows[other])] for name in ranked},
        difference=high.value - low.value,
        allowed=Span(value=high.value - low.value, low=high.low - low.high, high=high.high - low.low)
        if known
        else None,
        general=len(seeds) >= FEW_SEEDS,
        pairs=len(signs),
        agree=agree,
        against=len(signs) - agree - undecided,
        accuracy_gap=_accuracy_gap(ranked if len(ranked) == 2 else list(rows), accuracy),
    )


def _sign(rows: Mapping[str, Row], pair: Pair) -> Sign | None:
    first, second = (rows[name] for name in pair)
    return "higher" if higher(first, second) else "lower" if higher(second, first) else None


def _accuracy_gap(names: Sequence[str], accuracy: Mapping[str, float]) -> AccuracyGap | None:
    gaps = list(_gaps(names, accuracy))
    if not gaps:
        return None
    widest = max(gaps, key=lambda gap: gap[0])
    return AccuracyGap(difference=widest[0], architectures=widest[1], pairs=len(gaps))


def _gaps(names: Sequence[str], accuracy: Mapping[str, float]) -> Iterator[tuple[float, Pair]]:
    for pair in combinations([name for name in names if name in accuracy], 2):
        difference = abs(accuracy[pair[0]] - accuracy[pair[1]])
        if difference > ACCURACY_GAP:
            yield difference, pair


def _without_interval(row: Row) -> bool:
    """A figure measured once, without an interval: nobody knows how much of it is chance."""
    return row.low == row.value == row.high and row.n == 1
