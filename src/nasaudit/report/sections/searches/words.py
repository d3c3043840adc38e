"""Searched cells beside random ones of the same space, in words and as a table."""

from collections.abc import Mapping, Sequence

from nasaudit.report import format
from nasaudit.report.evidence import unique
from nasaudit.report.parts import ABSENT, Cell, Table
from nasaudit.results.schema import StudyResults
from nasaudit.results.searched.fronts import BesidePlain
from nasaudit.results.verdict_models import BesideRandom
from nasaudit.spec.searches import SEARCHES

FEW = 3  # cells of a kind below which a sentence says so
# Accuracy in percent, mean and standard deviation over 8 runs of each, of what the method found and of random cells
# of its space with the same recipe: antoyang/NAS-Benchmark c2758da, Plots/data/performance/CIFAR10.csv.
PUBLISHED: Mapping[str, tuple[str, str]] = {
    "darts": ("97.23 ± .20", "96.92 ± .19"),
    "p_darts": ("97.12 ± .13", "96.62 ± .30"),
    "enas": ("95.85 ± .34", "95.84 ± .33"),
}


def titled(method: str) -> str:
    """A method as its authors write it."""
    return str(getattr(SEARCHES[method], "title", method)) if method in SEARCHES else method


def sentences(results: StudyResults) -> list[str]:
    """What each method's cells have more or less than random ones, a paragraph a method."""
    by_method: dict[tuple[str, str], list[BesideRandom]] = {}
    for pair in results.beside_random:
        by_method.setdefault((title_of(pair), pair.space), []).append(pair)
    return [_sentence(title, space, pairs) for (title, space), pairs in by_method.items()]


def search_title(method: str, objectives: str = "", levers: str = "") -> str:
    """A method, with its objectives where it has several, and its levers: `AmoebaNet by accuracy and evasion`."""
    by = f" by {format.listing(objectives.split(', '))}" if objectives else ""
    return titled(method) + by + (f" with {format.listing(levers.split(', '))}" if levers else "")


def title_of(pair: BesideRandom) -> str:
    """The search whose cells stand beside random ones."""
    return search_title(pair.method, pair.objectives, pair.levers)


def _sentence(title: str, space: str, pairs: Sequence[BesideRandom]) -> str:
    found, drawn = (max(len(pair.searched) for pair in pairs), max(len(pair.random) for pair in pairs))
    words = [
        f"{title} found {_cells(found)}, which {'stands' if found == 1 else 'stand'} beside "
        f"{_cells(drawn, 'random')} of the same space ({space}), trained and attacked alike."
    ]
    for finding in ("higher", "lower"):
        measures = [f"{pair.measure} ({change(pair)})" for pair in pairs if pair.finding == finding]
        if measures:
            words.append(f"{format.first_up(finding)} than of random cells: {format.listing(measures)}.")
    undecided = [pair for pair in pairs if pair.finding == "undecided"]
    if len(undecided) == len(pairs):
        words.append("By none of the measures can this study tell them apart.")
    elif undecided:
        words.append(f"Undecided: {format.listing([pair.measure for pair in undecided])}.")
    if min(found, drawn) < FEW:
        words.append(
            "So few cells say little of the method: search from more seeds (--searches), beside more random cells "
            "(--random-cells)."
        )
    return " ".join(words)


def _cells(count: int, kind: str = "") -> str:
    return f"{count} {kind + ' ' if kind else ''}cell{'s' * (count != 1)}"


def table(results: StudyResults) -> Table | None:
    """A line for each measure; None where nothing was compared."""
    pairs = results.beside_random
    if not pairs:
        return None
    several = len({(title_of(pair), pair.space) for pair in pairs}) > 1
    rows = tuple(
        (
            Cell(
                format.first_up(pair.measure),
                f"{title_of(pair)}, {pair.space}" if several else "",
            ),
            *(
                Cell(format.quantity(mean, pair.metric, pair.unit), f"{len(values)} ({_models(values)})")
                for mean, values in zip(pair.means, (pair.searched, pair.random), strict=True)
            ),
            Cell(change(pair), ends(pair)),
            Cell(pair.finding),
        )
        for pair in pairs
    )
    caption = (
        "Searched minus random cells of the same space; but for accuracy, higher is worse for the defender"
    )
    return Table(caption, ("", "searched", "random", "difference", "searched is"), rows)


def method(results: StudyResults) -> str:
    """How the comparison was made, and what was published of the like."""
    if not results.beside_random:
        return ""
    known = unique(pair.method for pair in results.beside_random if pair.method in PUBLISHED)
    published = [
        f"{titled(name)} {PUBLISHED[name][0]}{format.NBSP}% against {PUBLISHED[name][1]}{format.NBSP}%"
        for name in known
    ]
    alone = any(min(len(pair.searched), len(pair.random)) == 1 for pair in results.beside_random)
    return (
        f"Each architecture counts once, with the mean over its trainings. Differences: Welch's {format.INTERVAL}"
        + (", with a single cell of a kind Student's, by the spread of the others" if alone else "")
        + "; each is for its measure alone, and with six of them one in four studies of nothing calls some measure "
        "different. Published with one recipe for both (Yang et al., ICLR 2020; CIFAR-10, 8 runs each, from the "
        "authors' file): of seven methods the found cells were from .5 points less to .5 points more accurate than "
        f"random ones of their space{'; ' + format.listing(published) if published else ''}."
    )


def _models(values: Sequence[object]) -> str:
    models = sum(getattr(value, "models", 0) for value in values)
    return f"{models} model{'s' * (models != 1)}"


def change(pair: BesideRandom | BesidePlain) -> str:
    """The first mean minus the second, in words."""
    first, second = pair.means
    return format.change(first - second, pair.metric, pair.unit)


def ends(pair: BesideRandom | BesidePlain) -> str:
    """The interval of the difference."""
    if pair.difference is None:
        return ABSENT
    return format.ends(pair.difference.low, pair.difference.high, pair.metric, pair.unit)
