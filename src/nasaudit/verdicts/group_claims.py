"""NAS-designed architectures against hand-made ones, and against random cells: along the whole chain. No torch.

Against random cells both groups are cell networks of one scale and one training, so that little but the search
tells them apart; some published cells come from search spaces of their own.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product

from nasaudit.results.verdict_models import Measure
from nasaudit.spec.arch import ArchSpec
from nasaudit.stats.holm import FEWEST, FEWEST_TESTED
from nasaudit.stats.two_groups import detectable_difference, mean_difference, permutation_test, pooled_sd
from nasaudit.verdicts.chain import EFFECTS, FAVOURED
from nasaudit.verdicts.drafts import Draft, Link, Question, is_constant, none_detectable, values_of

OTHERS = {"manual": "hand-made architectures", "random": "random cells"}
DRAWS = 19_999  # random splits where there are too many


def group_claims(measures: Sequence[Measure], architectures: Sequence[ArchSpec]) -> Iterator[Draft]:
    """One draft for each other group and each measure that both groups have."""
    names = {group: [one.name for one in architectures if one.group == group] for group in ("nas", *OTHERS)}
    for other, measure in product(OTHERS, measures):
        (nas,), (others,) = values_of(names["nas"], [measure]), values_of(names[other], [measure])
        enough = min(len(nas), len(others)) >= FEWEST and len(nas) + len(others) >= FEWEST_TESTED
        if measure.part in EFFECTS and enough:
            yield _draft(measure, other, nas, others)


def _draft(measure: Measure, other: str, nas: list[float], others: list[float]) -> Draft:
    question = Question(
        kind="group",
        cause="nas",
        effect=measure.key,
        other=other,
        sample=f"{len(nas)} NAS-designed architectures, {len(others)} {OTHERS[other]}",
        predicted=FAVOURED[measure.key],
        n=len(nas) + len(others),
    )
    link: Link = ("group", other, measure.part)
    if is_constant([*nas, *others]):
        return Draft(question.same_for_all(measure), link, none_detectable)
    estimate = mean_difference(nas, others, measure.unit)
    p = permutation_test(nas, others, draws=DRAWS).p
    detectable = partial(detectable_difference, pooled_sd(nas, others), len(nas), len(others), draws=DRAWS)
    return Draft(question.answer(estimate, p), link, lambda level: detectable(alpha=level))
