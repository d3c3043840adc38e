"""Each step of the chain with those after it, over cells. No torch.

The verdict rests on cells drawn at random, where a study has enough: if the claim is false they are exchangeable.
Published cells are not (people chose them, some are relatives), and hardened ones hang on their originals.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypedDict

from nasaudit.results.base import Span
from nasaudit.results.verdict_models import Measure
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.stats.holm import FEWEST_TESTED
from nasaudit.stats.rank_correlation import (
    detectable_correlation,
    spearman,
    spearman_interval,
    spearman_test,
)
from nasaudit.verdicts.chain import CONTROLS, FAVOURED, LINKS
from nasaudit.verdicts.drafts import (
    Draft,
    Link,
    Question,
    is_constant,
    none_detectable,
    values_of,
)

FEWEST_RANDOM = 10  # random cells, from which on the verdict rests on them alone
# Why search ends at cells that converge fast: it ranks cells early in training. No step of the chain, but its start.
RANKING = ("early_accuracy", "clean_accuracy")


class Partial(TypedDict, total=False):
    """Fields of a Claim."""

    partial: Span
    partial_p: float


class Everywhere(TypedDict, total=False):
    """Fields of a Claim."""

    everywhere: float
    n_everywhere: int


def correlation_claims(measures: Sequence[Measure], architectures: Sequence[ArchSpec]) -> Iterator[Draft]:
    """One draft for each pair of measures that enough cells have both of."""
    cells = [one for one in architectures if one.genotype is not None]
    sample, words = _sample(cells)
    if len(sample) < FEWEST_TESTED:
        return
    names = [cell.name for cell in cells]
    held = [measure for measure in measures if measure.key in {control.key for control in CONTROLS}]
    for cause, effect in _pairs(measures):
        x, y = values_of(sample, (cause, effect))
        if len(x) < FEWEST_TESTED:
            continue
        question = Question(
            kind="correlation",
            cause=cause.key,
            effect=effect.key,
            sample=words,
            predicted="higher" if FAVOURED[cause.key] == FAVOURED[effect.key] else "lower",
            n=len(x),
        )
        draft = _draft(question, cause, effect, x, y)
        more = {**_partial(cause, effect, held, sample), **_everywhere(cause, effect, names)}
        yield Draft(draft.claim.model_copy(update=more), draft.link, draft.detectable)


def _pairs(measures: Sequence[Measure]) -> Iterator[tuple[Measure, Measure]]:
    for parts in LINKS:
        yield from (pair for pair in product(measures, measures) if (pair[0].part, pair[1].part) == parts)
    by_key = {measure.key: measure for measure in measures}
    if all(key in by_key for key in RANKING):
        yield by_key[RANKING[0]], by_key[RANKING[1]]


def _sample(cells: Sequence[ArchSpec]) -> tuple[list[str], str]:
    """The cells that the verdict rests on, and what they are."""
    random = _distinct([cell for cell in cells if cell.group == "random"])
    if len(random) >= FEWEST_RANDOM:
        return random, "random cells"
    return _distinct([cell for cell in cells if cell.group != "hardened"]), "all cells but hardened ones"


def _distinct(cells: Sequence[ArchSpec]) -> list[str]:
    """Their names; of the same genotype the first."""
    first: dict[Genotype | None, str] = {}
    for cell in cells:
        first.setdefault(cell.genotype, cell.name)
    return list(first.values())


def _draft(question: Question, cause: Measure, effect: Measure, x: list[float], y: list[float]) -> Draft:
    link: Link = ("correlation", cause.part, effect.part)
    for measure, values in ((cause, x), (effect, y)):
        if is_constant(values):
            return Draft(question.same_for_all(measure), link, none_detectable)
    test = spearman_test(x, y)
    return Draft(
        question.answer(spearman_interval(x, y), test.p),
        link,
        lambda level: detectable_correlation(len(x), alpha=level, least_p=test.smallest_p),
    )


def _partial(cause: Measure, effect: Measure, held: Sequence[Measure], sample: Sequence[str]) -> Partial:
    """With accuracy and FLOPs held fixed, where both were measured and neither is what is asked about."""
    if len(held) < len(CONTROLS) or cause in held or effect in held:
        return {}
    x, y, *controls = values_of(sample, (cause, effect, *held))
    try:
        estimate, test = spearman_interval(x, y, controls), spearman_test(x, y, controls)
    except ValueError:  # too few cells have all four, or the controls leave nothing of a side
        return {}
    return {"partial": Span.of(estimate), "partial_p": test.p}


def _everywhere(cause: Measure, effect: Measure, names: Sequence[str]) -> Everywhere:
    """Over all cells of the study, of whatever origin."""
    x, y = values_of(names, (cause, effect))
    if len(x) < FEWEST_TESTED or is_constant(x) or is_constant(y):
        return {}
    return {"everywhere": spearman(x, y), "n_everywhere": len(x)}
