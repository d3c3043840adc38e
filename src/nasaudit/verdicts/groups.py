"""From rows to a comparison of NAS-designed with hand-made architectures, family by family. No torch."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from nasaudit.measure.catalogue import FRACTION
from nasaudit.results.base import Measured, Span
from nasaudit.results.flags import ACCURACY_GAP
from nasaudit.results.schema import Headline, Row, StudyResults
from nasaudit.results.selection import clean_accuracies
from nasaudit.results.verdict_models import ArchitectureValue, BesideRandom, GroupComparison, GroupTest
from nasaudit.search.cells import Cells, belongs
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.searches import OneShotSpec, SampledSpec, SearchSpec
from nasaudit.spec.searches.space import SpaceSpec
from nasaudit.stats.holm import ALPHA, FEWEST, holm
from nasaudit.stats.permutation import PermutationTest
from nasaudit.stats.two_groups import (
    beside,
    cliffs_delta,
    detectable_difference,
    mean_difference,
    permutation_test,
    pooled_sd,
)
from nasaudit.verdicts.saturation import UNDECIDED, Saturated, mostly_incomparable


def compare_groups(
    rows: Sequence[Row], headlines: Sequence[Headline], saturated: Mapping[str, Saturated] = {}
) -> list[GroupComparison]:
    """One comparison for each family that has a headline, in their order.

    Trainings of one architecture count as one value, their mean: they are alike, and taking them for independent
    models would find differences where there are none. Holm's correction is over the families that could be tested.

    Args:
        rows: of the study.
        headlines: of its families.
        saturated: by family, as `find_saturated` finds them; where most pairs of both groups are at one end of their
            scale, nothing is tested.
    """
    accuracy = clean_accuracies(rows)
    comparisons = [_untested(headline, accuracy) for headline in headlines]
    ended = {groups.family for groups in comparisons if _ended(groups, saturated.get(groups.family, {}))}
    testable = [
        groups
        for groups in comparisons
        if min(groups.n_nas, groups.n_manual) >= FEWEST and groups.family not in ended
    ]
    permuted = [permutation_test(*_values(groups)) for groups in testable]
    adjusted = holm([test.p for test in permuted])
    tests = {
        groups.family: _test(groups, test, p_holm, len(testable))
        for groups, test, p_holm in zip(testable, permuted, adjusted, strict=True)
    }
    return [
        groups.model_copy(
            update={"test": tests[groups.family]}
            if groups.family in tests
            else {
                "why": f"undecided: {UNDECIDED} ({groups.measure})"
                if groups.family in ended
                else _why_not(groups.n_nas, groups.n_manual)
            }
        )
        for groups in comparisons
    ]


def _untested(headline: Headline, accuracy: Mapping[str, float]) -> GroupComparison:
    values = list(_values_of(headline).values())
    by_group: dict[str, list[ArchitectureValue]] = {"nas": [], "manual": []}
    for value in values:
        by_group.setdefault(value.group, []).append(value)
    nas, manual = by_group["nas"], by_group["manual"]
    known = [
        [accuracy[value.architecture] for value in group if value.architecture in accuracy]
        for group in (nas, manual)
    ]
    accuracy_gap = fmean(known[0]) - fmean(known[1]) if all(known) else None
    return GroupComparison(
        **{name: getattr(headline, name) for name in Measured.model_fields},
        values=values,
        n_nas=len(nas),
        n_manual=len(manual),
        n_models=sum(value.models for value in (*nas, *manual)),
        means={
            group: fmean(value.value for value in of_group)
            for group, of_group in by_group.items()
            if of_group
        },
        accuracy_gap=accuracy_gap,
        unequal=accuracy_gap is not None and abs(accuracy_gap) > ACCURACY_GAP,
        published=headline.published,
        published_size=headline.published_size,
    )


def _test(groups: GroupComparison, permuted: PermutationTest, p_holm: float, families: int) -> GroupTest:
    nas, manual = _values(groups)
    difference = mean_difference(nas, manual, groups.unit)
    agrees = (difference.value > 0) == (groups.published == "higher")
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
        finding="neither"
        if p_holm > ALPHA
        else "differs"
        if groups.published is None
        else "supports"
        if agrees
        else "contradicts",
    )


def _ended(groups: GroupComparison, saturated: Saturated) -> bool:
    nas, manual = ([value.architecture for value in groups.of_group(group)] for group in ("nas", "manual"))
    return mostly_incomparable(nas, manual, saturated)


def _values(groups: GroupComparison) -> tuple[list[float], list[float]]:
    nas, manual = ([value.value for value in groups.of_group(group)] for group in ("nas", "manual"))
    return nas, manual


def _why_not(n_nas: int, n_manual: int) -> str:
    return (
        f"{n_nas} NAS-designed architecture{'s' * (n_nas != 1)} and {n_manual} hand-made: a test over architectures "
        f"needs at least {FEWEST} of each; the comparison of single architectures speaks of these models"
    )


def compare_with_random(results: StudyResults, headlines: Sequence[Headline]) -> list[BesideRandom]:
    """What searched cells have more than random ones of the same space: accuracy, then each family's headline.

    A search that does no better than draws from its space found nothing (Yang et al., "NAS Evaluation is
    Frustratingly Hard", ICLR 2020). Nothing is corrected: an interval is for its measure alone.

    Args:
        results: with rows and what was searched.
        headlines: of its families.
    """
    specs = results.searched
    kinds: dict[tuple[str, str, str, str], list[str]] = {}
    for name, spec in specs.items():
        if spec.is_a_draw:
            continue
        kind = (spec.name, objectives_of(spec), levers_of(spec), spec.space.name)
        kinds.setdefault(kind, []).append(name)
    compared = []
    for (method, objectives, levers, space), found in kinds.items():
        drawn = drawn_from(results, specs[found[0]].space)
        for measured, values in measures(results.rows, headlines):
            searched, random = (
                [values[name] for name in names if name in values] for names in (found, drawn)
            )
            if searched and random:
                compared.append(_beside(measured, method, objectives, levers, space, searched, random))
    return compared


def drawn_from(results: StudyResults, space: SpaceSpec) -> list[str]:
    """The random cells of a space beside its searches, by the names of their architectures."""
    chosen = {name for name, search in results.searched.items() if not search.is_a_draw}
    return [
        spec.name
        for spec in results.architectures
        if spec.group == "random"
        and spec.name not in chosen
        and (cells := _cells(spec)) is not None
        and belongs(space, cells)
    ]


def objectives_of(spec: SearchSpec) -> str:
    """Several objectives, as `BesideRandom` has them."""
    return ", ".join(spec.objectives) if isinstance(spec, SampledSpec) and spec.secure else ""


def levers_of(spec: SearchSpec) -> str:
    """What of a search is not as published, as `BesideRandom` has it."""
    return ", ".join(spec.levers) if isinstance(spec, OneShotSpec) else ""


def _beside(
    measured: dict[str, Any],
    method: str,
    objectives: str,
    levers: str,
    space: str,
    searched: list[ArchitectureValue],
    random: list[ArchitectureValue],
) -> BesideRandom:
    return BesideRandom(
        **measured,
        method=method,
        objectives=objectives,
        levers=levers,
        space=space,
        searched=searched,
        random=random,
        **compared(searched, random, measured["unit"]),
    )


def compared(
    first: Sequence[ArchitectureValue], second: Sequence[ArchitectureValue], unit: str
) -> dict[str, Any]:
    """Means, difference and finding of some architectures beside others, as `BesideRandom` has them."""
    ours, theirs = ([value.value for value in values] for values in (first, second))
    difference = beside(ours, theirs, unit)
    decided = difference is not None and not difference.low <= 0 <= difference.high
    return {
        "means": (fmean(ours), fmean(theirs)),
        "difference": None if difference is None else Span.of(difference),
        "finding": "undecided" if not decided else "higher" if fmean(ours) > fmean(theirs) else "lower",
    }


def measures(
    rows: Sequence[Row], headlines: Sequence[Headline]
) -> Iterator[tuple[dict[str, Any], dict[str, ArchitectureValue]]]:
    """What is measured, and its value of each architecture: the clean accuracy, then the headlines."""
    groups = {row.architecture: row.group for row in rows}
    seeds: dict[str, set[object]] = {}
    for row in rows:
        if row.family == "training" and row.seed != "all":
            seeds.setdefault(row.architecture, set()).add(row.seed)
    accuracy = {
        "family": "training", "measure": "clean accuracy", "attack": "", "setting": {"split": "test"},
        "metric": "clean_accuracy", "unit": FRACTION,
    }  # fmt: skip
    yield (
        accuracy,
        {
            name: ArchitectureValue(
                architecture=name, group=groups[name], value=value, models=max(1, len(seeds.get(name, ())))
            )
            for name, value in clean_accuracies(rows).items()
        },
    )
    for headline in headlines:
        yield {name: getattr(headline, name) for name in Measured.model_fields}, _values_of(headline)


def _values_of(headline: Headline) -> dict[str, ArchitectureValue]:
    return {
        name: ArchitectureValue(
            architecture=name, group=row.group, value=row.value, models=headline.models[name]
        )
        for name, row in headline.rows.items()
    }


def _cells(spec: ArchSpec) -> Cells | None:
    """The cells of a network of cells, in the form of a search space."""
    if spec.model is not None and spec.model.builder == "nasbench201":
        return spec.model.target
    return spec.genotype
