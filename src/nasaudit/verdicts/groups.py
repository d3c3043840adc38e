"""From rows to a comparison of NAS-designed with hand-made architectures, family by family. No torch."""

from collections.abc import Sequence
from statistics import fmean

from nasaudit.results.base import Span
from nasaudit.results.schema import Headline, Row
from nasaudit.results.selection import clean_accuracies
from nasaudit.results.verdict_models import ArchitectureValue, GroupComparison, GroupTest
from nasaudit.stats.holm import ALPHA, FEWEST, holm
from nasaudit.stats.permutation import PermutationTest
from nasaudit.stats.two_groups import (
    cliffs_delta,
    detectable_difference,
    mean_difference,
    permutation_test,
    pooled_sd,
)


def compare_groups(rows: Sequence[Row], headlines: Sequence[Headline]) -> list[GroupComparison]:
    """One comparison for each family that has a headline, in their order.

    Trainings of one architecture count as one value, their mean: they are alike, and taking them for independent
    models would find differences where there are none. Holm's correction is over the families that could be tested.

    Args:
        rows: of the study.
        headlines: of its families.
    """
    accuracy = clean_accuracies(rows)
    plain = [_values(headline, accuracy) for headline in headlines]
    testable = [one for one in plain if min(one.n_nas, one.n_manual) >= FEWEST]
    permuted = [permutation_test(*_groups(one)) for one in testable]
    adjusted = holm([test.p for test in permuted])
    tests = {
        one.family: _test(one, test, p_holm, len(testable))
        for one, test, p_holm in zip(testable, permuted, adjusted, strict=True)
    }
    return [
        one.model_copy(
            update={"test": tests[one.family]}
            if one.family in tests
            else {"why": _why_not(one.n_nas, one.n_manual)}
        )
        for one in plain
    ]


def _values(headline: Headline, accuracy: dict[str, float]) -> GroupComparison:
    """The values of both groups, not yet tested."""
    values = [
        ArchitectureValue(architecture=name, group=row.group, value=row.value, models=headline.models[name])
        for name, row in headline.rows.items()
    ]
    nas = [one for one in values if one.group == "nas"]
    manual = [one for one in values if one.group == "manual"]
    return GroupComparison(
        family=headline.family,
        measure=headline.measure,
        attack=headline.attack,
        setting=headline.setting,
        metric=headline.metric,
        unit=headline.unit,
        values=values,
        n_nas=len(nas),
        n_manual=len(manual),
        n_models=sum(one.models for one in (*nas, *manual)),
        means={
            group: fmean(one.value for one in values if one.group == group)
            for group in dict.fromkeys(one.group for one in values)
        },
        accuracy_gap=_accuracy_gap(nas, manual, accuracy),
        published=headline.published,
        published_size=headline.published_size,
        test=None,
    )


def _test(one: GroupComparison, permuted: PermutationTest, p_holm: float, families: int) -> GroupTest:
    nas, manual = _groups(one)
    difference = mean_difference(nas, manual, one.unit)
    agrees = (difference.value > 0) == (one.published == "higher")
    return GroupTest(
        difference=Span.of(difference),
        p=permuted.p,
        p_holm=p_holm,
        smallest_p=permuted.smallest_p,
        exact=permuted.exact,
        cliffs_delta=Span.of(cliffs_delta(nas, manual)),
        # Holm asks p <= alpha / m of the smallest p: a promise must hold for a family that stands alone.
        detectable_difference=detectable_difference(
            pooled_sd(nas, manual), len(nas), len(manual), alpha=ALPHA / families
        ),
        families=families,
        finding="neither" if p_holm > ALPHA else "supports" if agrees else "contradicts",
    )


def _groups(one: GroupComparison) -> tuple[list[float], list[float]]:
    nas, manual = ([value.value for value in one.of_group(group)] for group in ("nas", "manual"))
    return nas, manual


def _why_not(n_nas: int, n_manual: int) -> str:
    return (
        f"{n_nas} NAS-designed architecture{'s' * (n_nas != 1)} and {n_manual} hand-made: a test over architectures "
        f"needs at least {FEWEST} of each; the comparison of single architectures speaks of these models"
    )


def _accuracy_gap(
    nas: Sequence[ArchitectureValue], manual: Sequence[ArchitectureValue], accuracy: dict[str, float]
) -> float | None:
    known = [
        [accuracy[one.architecture] for one in group if one.architecture in accuracy]
        for group in (nas, manual)
    ]
    return fmean(known[0]) - fmean(known[1]) if all(known) else None
