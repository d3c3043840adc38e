"""Each link of the published chain, tested over architectures: groups, correlations, interventions. No torch.

The chain and its variables are in `verdicts.chain`. A variable of which no direction was published is left out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from nasaudit.planning.population import HARDENED, hardened_name
from nasaudit.results.base import Span
from nasaudit.results.verdict_models import Claim, ClaimFinding, Variable
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.stats.holm import ALPHA, FEWEST, FEWEST_TESTED, holm
from nasaudit.stats.pairs import detectable_mean, mean_of_pairs, sign_flip_test
from nasaudit.stats.rank_correlation import (
    detectable_correlation,
    spearman,
    spearman_interval,
    spearman_test,
)
from nasaudit.stats.two_groups import detectable_difference, mean_difference, permutation_test, pooled_sd
from nasaudit.verdicts.chain import CONTROLS, EFFECTS, LINKS

GROUPS = {"manual": "hand-made architectures", "random": "random cells"}  # that NAS is compared with
DRAWS = 19_999  # random splits where there are too many
FEWEST_RANDOM = 10  # random cells, from which on a correlation's verdict rests on them alone
# Why search ends at cells that converge fast: it ranks cells early in training. No step of the chain, but its start.
RANKING = ("early_accuracy", "clean_accuracy")


@dataclass(frozen=True)
class Draft:
    """A claim whose correction waits for the others of its link.

    Attributes:
        claim: without what the correction decides; without a p nothing is left to decide.
        link: what is asked about, from which step of the chain to which; corrected together.
        detectable: the smallest effect found at a level `alpha`.
    """

    claim: Claim
    link: tuple[str, str, str]
    detectable: Callable[..., float | None] = lambda alpha: None


def make_claims(variables: Sequence[Variable], architectures: Sequence[ArchSpec]) -> list[Claim]:
    """All claims that a study can test: of groups, correlations, interventions, each along the chain.

    Holm's correction is within each link, over the claims that were tested.

    Args:
        variables: as `make_variables` makes them.
        architectures: of the study.
    """
    directed = [variable for variable in variables if variable.favoured is not None]
    drafts = [
        *_groups(directed, architectures),
        *_correlations(directed, architectures),
        *_interventions(directed, architectures),
    ]
    claims = [draft.claim for draft in drafts]
    for link in dict.fromkeys(draft.link for draft in drafts):
        tested = {
            place: draft.claim.p
            for place, draft in enumerate(drafts)
            if draft.link == link and draft.claim.p is not None
        }
        for place, p_holm in zip(tested, holm(list(tested.values())), strict=True):
            claims[place] = _judge(drafts[place], p_holm, len(tested))
    return claims


def _judge(draft: Draft, p_holm: float, tested: int) -> Claim:
    claim = draft.claim
    finding: ClaimFinding = "undecided"
    if claim.estimate is not None and claim.estimate.value != 0 and p_holm <= ALPHA:
        agrees = (claim.estimate.value > 0) == (claim.predicted == "higher")
        finding = "supported" if agrees else "contradicted"
    # Holm asks p <= alpha / m of the smallest p: a promise must hold for a claim that stands alone.
    detectable = draft.detectable(alpha=ALPHA / tested)
    return claim.model_copy(
        update={"p_holm": p_holm, "tested": tested, "detectable": detectable, "finding": finding}
    )


def _groups(variables: Sequence[Variable], architectures: Sequence[ArchSpec]) -> Iterator[Draft]:
    """NAS-designed architectures against hand-made ones, and against random cells.

    Against random cells both groups are cell networks of one scale and one training, so that little but the search
    tells them apart; some published cells come from search spaces of their own.
    """
    names = {
        group: [arch.name for arch in architectures if arch.group == group] for group in ("nas", *GROUPS)
    }
    for (other, title), variable in product(GROUPS.items(), variables):
        (nas,), (others,) = _shared(names["nas"], variable), _shared(names[other], variable)
        enough = min(len(nas), len(others)) >= FEWEST and len(nas) + len(others) >= FEWEST_TESTED
        if variable.part not in EFFECTS or not enough:
            continue
        claim = partial(
            Claim,
            kind="group",
            cause="nas",
            effect=variable.key,
            other=other,
            sample=f"{len(nas)} NAS-designed architectures, {len(others)} {title}",
            predicted=variable.favoured,
            n=len(nas) + len(others),
        )
        link = "group", other, variable.part
        if variable.why or _constant([*nas, *others]):
            yield Draft(claim(why=variable.why or _same(variable, len(nas) + len(others))), link)
            continue
        detectable = partial(
            detectable_difference, pooled_sd(nas, others), len(nas), len(others), draws=DRAWS
        )
        yield Draft(
            claim(
                estimate=Span.of(mean_difference(nas, others, variable.unit)),
                p=permutation_test(nas, others, draws=DRAWS).p,
            ),
            link,
            detectable,
        )


def _correlations(variables: Sequence[Variable], architectures: Sequence[ArchSpec]) -> Iterator[Draft]:
    """Each step of the chain with those after it, over cells: one draft for each pair that enough cells have.

    The verdict rests on cells drawn at random, where a study has enough: if the claim is false they are
    exchangeable. Published cells are not (people chose them, some are relatives), and hardened ones hang on their
    originals.
    """
    cells = [architecture for architecture in architectures if architecture.genotype is not None]
    sample, words = _distinct(cell for cell in cells if cell.group == "random"), "random cells"
    if len(sample) < FEWEST_RANDOM:
        sample = _distinct(cell for cell in cells if cell.group != "hardened")
        words = "all cells but hardened ones"
    by_key = {variable.key: variable for variable in variables}
    pairs = [
        (cause, effect)
        for link in LINKS
        for cause, effect in product(variables, variables)
        if (cause.part, effect.part) == link
    ]
    if all(key in by_key for key in RANKING):
        pairs.append((by_key[RANKING[0]], by_key[RANKING[1]]))
    controls = [by_key[control.key] for control in CONTROLS if control.key in by_key]
    for cause, effect in pairs:
        x, y = _shared(sample, cause, effect)
        if len(x) < FEWEST_TESTED:
            continue
        claim = partial(
            Claim,
            kind="correlation",
            cause=cause.key,
            effect=effect.key,
            sample=words,
            predicted="higher" if cause.favoured == effect.favoured else "lower",
            n=len(x),
            **_everywhere(cause, effect, [cell.name for cell in cells]),
            **_controlled(cause, effect, controls, sample),
        )
        link = "correlation", cause.part, effect.part
        constant = next((side for side, values in ((cause, x), (effect, y)) if _constant(values)), None)
        if effect.why or constant is not None:
            yield Draft(claim(why=effect.why or _same(constant or effect, len(x))), link)
            continue
        test = spearman_test(x, y)
        yield Draft(
            claim(estimate=Span.of(spearman_interval(x, y)), p=test.p),
            link,
            partial(detectable_correlation, len(x), least_p=test.smallest_p),
        )


def _everywhere(cause: Variable, effect: Variable, names: Sequence[str]) -> dict[str, Any]:
    """Fields of a claim: over all cells of the study, of whatever origin."""
    x, y = _shared(names, cause, effect)
    if len(x) < FEWEST_TESTED or _constant(x) or _constant(y):
        return {}
    return {"everywhere": spearman(x, y), "n_everywhere": len(x)}


def _controlled(
    cause: Variable, effect: Variable, controls: Sequence[Variable], names: Sequence[str]
) -> dict[str, Any]:
    """Fields of a claim: accuracy and FLOPs held fixed, where both were measured and neither is asked about."""
    if len(controls) < len(CONTROLS) or cause in controls or effect in controls:
        return {}
    x, y, *fixed = _shared(names, cause, effect, *controls)
    try:
        return {
            "partial": Span.of(spearman_interval(x, y, fixed)),
            "partial_p": spearman_test(x, y, fixed).p,
        }
    except ValueError:  # too few cells have all four, or the controls leave nothing of a side
        return {}


def _interventions(variables: Sequence[Variable], architectures: Sequence[ArchSpec]) -> Iterator[Draft]:
    """The same cell before and after it was rewired: the chain put to an experiment.

    If shallow, wide cells full of skips are vulnerable because of that, then a cell made deeper, or freed of its
    skips, is less so; and what lies between on the chain must move as well. Everything else of the cell stays. The
    rewiring sets the topology, so there is nothing to test in it.
    """
    hardened = {architecture.name for architecture in architectures if architecture.group == "hardened"}
    for rewiring, variable in product(HARDENED, variables):
        if variable.part not in EFFECTS or variable.part == "topology":
            continue
        pairs = [(hardened_name(arch.name, rewiring), arch.name) for arch in architectures]
        values = variable.values
        differences = [
            values[after] - values[before]
            for after, before in pairs
            if after in hardened and after in values and before in values
        ]
        if len(differences) < FEWEST_TESTED:
            continue
        claim = partial(
            Claim,
            kind="intervention",
            cause=rewiring,
            effect=variable.key,
            sample="published cells, after and before",
            predicted="lower" if variable.favoured == "higher" else "higher",
            n=len(differences),
        )
        link = "intervention", "rewiring", variable.part
        if variable.why:
            yield Draft(claim(why=variable.why), link)
            continue
        claimed = claim(
            estimate=Span.of(mean_of_pairs(differences, variable.unit)),
            p=sign_flip_test(differences).p,
        )
        detectable = partial(detectable_mean, float(np.std(differences, ddof=1)), len(differences))
        yield Draft(claimed, link, detectable)


def _distinct(cells: Iterator[ArchSpec]) -> list[str]:
    """Their names; of the same genotype the first."""
    first: dict[Genotype | None, str] = {}
    for cell in cells:
        first.setdefault(cell.genotype, cell.name)
    return list(first.values())


def _shared(names: Sequence[str], *variables: Variable) -> list[list[float]]:
    """For each variable its values, of the architectures that have all of them, in the order of `names`."""
    shared = [name for name in names if all(name in variable.values for variable in variables)]
    return [[variable.values[name] for name in shared] for variable in variables]


def _constant(values: Sequence[float]) -> bool:
    return min(values) == max(values)


def _same(variable: Variable, n: int) -> str:
    return f"the {variable.title} is the same for all {n}"
