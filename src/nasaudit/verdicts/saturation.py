"""When the figure of a headline is at the end of its scale, so that it cannot tell architectures apart. No torch.

Two figures at the same end say nothing of their order, whatever their intervals: of two security curves that both end
before half of the images fall, or of two triggers that always work, the grid or the attack is what was measured. One
at the end and one inside of the scale are in order. A victim that guesses says nothing beside any other.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from nasaudit.results.flags.extraction import BARELY_ABOVE_CHANCE
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import Figure, Key, clean_accuracies, figures, key_of
from nasaudit.results.verdict_models import End, Saturation
from nasaudit.spec.arch import ArchSpec

UNDECIDED = "the figures are at the end of their scale"
# Of all pairs that a verdict compares: where more than this share says nothing, neither does the verdict.
MOST_SATURATED = 0.5

Saturated = Mapping[str, Saturation]  # by architecture; those that are missing are inside of their scale
Found = tuple[End, str] | None


def find_saturated(
    headlines: Sequence[Headline], rows: Sequence[Row], architectures: Sequence[ArchSpec]
) -> dict[str, Saturated]:
    """By family, which architectures' headline figures are at an end of their scale, and why.

    Args:
        headlines: of the study's families.
        rows: of the study.
        architectures: of the study; they say among how many classes a victim guesses.
    """
    known, accuracy = figures(rows), clean_accuracies(rows)
    near_chance = {
        spec.name: 1 / spec.classes + BARELY_ABOVE_CHANCE * (1 - 1 / spec.classes) for spec in architectures
    }
    found: dict[str, Saturated] = {}
    for headline in headlines:
        of_family = {}
        for name, row in headline.rows.items():
            chance = near_chance.get(name, 0.0)
            if name in accuracy and accuracy[name] < chance:
                ended: Found = (
                    "chance",
                    f"the victim is {accuracy[name]:.1%} accurate, hardly more than chance",
                )
            else:
                ended = _ended(row, known, chance)
            if ended is not None:
                of_family[name] = Saturation(architecture=name, end=ended[0], reason=ended[1])
        found[headline.family] = of_family
    return found


def incomparable(first: str, second: str, saturated: Saturated) -> bool:
    """Whether the scale keeps two architectures from being compared: both at one end, or one of them guesses."""
    ends = [saturated[name].end if name in saturated else None for name in (first, second)]
    return "chance" in ends or (ends[0] is not None and ends[0] == ends[1])


def mostly_incomparable(firsts: Iterable[str], seconds: Iterable[str], saturated: Saturated) -> bool:
    """Whether the scale leaves too few pairs of one of the first and one of the second to compare."""
    pairs = [incomparable(*pair, saturated) for pair in product(firsts, seconds) if pair[0] != pair[1]]
    return bool(pairs) and sum(pairs) > MOST_SATURATED * len(pairs)


def _ended(row: Row, known: Mapping[Key, Figure], chance: float) -> Found:
    """At which end a figure is, and why; what has none (accuracy lost) is spoiled by a victim at chance alone."""
    match row.metric:
        case "curve_area":
            return _curve(row, known)
        case "asr":
            return _share(row)
        case "auc":
            return _auc(row)
        case "agreement":
            return _agreement(row, chance)
    return None


def _curve(row: Row, known: Mapping[Key, Figure]) -> Found:
    """By the median minimal epsilon of the same images: a bound says that it lies outside of the grid."""
    median = known.get(key_of(row)._replace(metric="median_minimal_epsilon"))
    bound = "" if median is None else str(median.row.bound)
    if bound == "lower":
        return "bottom", "less than half of the images fall at the largest epsilon of the grid"
    if bound == "upper":
        return "top", "more than half of the images fall at the smallest epsilon of the grid"
    return _share(row)


def _share(row: Row) -> Found:
    if row.high >= 1 and row.value > 0.5:
        return "top", "its interval reaches 1"
    if row.low <= 0 and row.value < 0.5:
        return "bottom", "its interval reaches 0"
    return None


def _auc(row: Row) -> Found:
    if row.low <= 0.5 <= row.high:
        return "bottom", "its interval holds .5, which is guessing"
    return ("top", "its interval reaches 1") if row.high >= 1 else None


def _agreement(row: Row, chance: float) -> Found:
    if row.value < chance:
        return "bottom", "the stolen model agrees with it hardly more than chance"
    return ("top", "its interval reaches 1") if row.high >= 1 else None
