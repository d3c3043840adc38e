"""Two studies of the same thing, figure by figure: by how much the second differs from the first. No torch.

What must be the same: protocol, data and scale, or the two have no figure in common. What may differ is what one
wants to know about: cells, weights, recipe, code. Of an attack everything that its spec says must be the same, or the
difference would be one of attacks; and figures on the images that every model of a study gets right are left out, as
these are other images in another study.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from nasaudit.errors import InputError
from nasaudit.measure.catalogue import Worse, worse_direction
from nasaudit.measure.estimate import Bound
from nasaudit.results.base import Plain, Span
from nasaudit.results.schema import Row, StudyResults
from nasaudit.results.selection import (
    Attacks,
    Figure,
    Key,
    differing_fields,
    estimate_of,
    figure_words,
    figures,
    key_of,
    on_common_images,
)
from nasaudit.results.verdict_models import Finding
from nasaudit.spec.training import TrainingSpec
from nasaudit.stats.differences import How, independent_change, paired_change
from nasaudit.verdicts.remedies import finding_of

Side = Literal["before", "after"]

# What decides which images play which part; where they are on the disk does not.
DATA_FIELDS = (
    "name", "seed", "classes", "validation_fraction", "test_fraction", "pool_fraction", "image_size",
)  # fmt: skip
VERSIONS = ("nasaudit", "torch")
ACCURACY = ("training", "clean_accuracy")  # shown beside the headlines


class Difference(Plain):
    """One figure in two studies, the second minus the first."""

    architecture: str
    family: str
    attack: str
    setting: dict[str, str]
    metric: str
    unit: str
    before: Span  # over the seeds of the first study
    after: Span
    difference: Span
    n: int  # pairs of seeds, or the smaller n of two independent rows
    how: How  # how the interval was made, see `stats.differences`
    seeds: list[int]  # that were paired
    bounds: dict[
        Side, Bound
    ]  # of sides whose value is the least (`lower`) or the most (`upper`) that it can be
    worse: Worse | None  # which way the metric is worse; None: not known
    finding: Finding  # `undecided`: the interval holds 0
    headline: bool  # what a family is judged by, and clean accuracy

    @property
    def figure(self) -> str:
        """What is compared, without the architecture: `pgd asr epsilon=2/255;norm=linf`."""
        return figure_words(self.attack or self.family, self.metric, self.setting)


class StudyComparison(Plain):
    """All differences of two studies, and what a reader must know before believing them."""

    differences: list[Difference]
    warnings: list[str]


def compare_studies(before: StudyResults, after: StudyResults) -> StudyComparison:
    """Compare two studies figure by figure.

    Raises:
        InputError: another protocol, other data or another scale, or no figure in common.
    """
    require_comparable(before, after, "the first study", "the second")
    ours, theirs = _comparable_figures(before), _comparable_figures(after)
    attacks = Attacks(before), Attacks(after)
    shared: list[Key] = []
    otherwise: dict[str, list[Key]] = {}
    for key in ours:
        if key in theirs:
            reason = attack_differs(key, *attacks)
            if reason:
                otherwise.setdefault(reason, []).append(key)
            else:
                shared.append(key)
    if not shared:
        raise InputError(_nothing_shared(before, after, list(otherwise)))
    headlines = {key_of(row) for headline in before.headlines_between for row in headline.rows.values()}
    headlines |= {
        key_of(row)
        for row in before.rows
        if (row.family, row.metric) == ACCURACY and row.setting.get("split") == "test"
    }
    return StudyComparison(
        differences=[difference(ours[key], theirs[key], headline=key in headlines) for key in shared],
        warnings=[
            *warnings(before, after),
            *(f"{len(keys)} figures are left out: {reason}" for reason, keys in otherwise.items()),
            *_one_sided(ours, theirs),
        ],
    )


def difference(
    before: Figure, after: Figure, *, headline: bool = False, worse: Worse | None = None
) -> Difference:
    """One figure in two studies.

    Args:
        before: of the first study.
        after: of the second, with the same key.
        headline: see `Difference`.
        worse: which way the metric is worse; None: as nasaudit knows it.
    """
    key = after.key
    seeds = sorted(before.by_seed.keys() & after.by_seed.keys())
    # By pairs of seeds where that can be said, else by the two rows as if they were independent.
    change = paired_change(
        [(estimate_of(before.by_seed[seed]), estimate_of(after.by_seed[seed])) for seed in seeds]
    ) or independent_change(estimate_of(before.row), estimate_of(after.row))
    direction = worse_direction(key.metric, worse)
    sides: dict[Side, Row] = {"before": before.row, "after": after.row}
    return Difference(
        architecture=key.architecture,
        family=key.family,
        attack=key.attack,
        setting=dict(key.setting),
        metric=key.metric,
        unit=after.row.unit,
        before=Span.of(estimate_of(before.row)),
        after=Span.of(estimate_of(after.row)),
        difference=Span.of(change.estimate),
        n=change.estimate.n,
        how=change.how,
        seeds=seeds if change.how == "seeds" else [],
        bounds={side: row.bound for side, row in sides.items() if row.bound},
        worse=direction,
        finding=finding_of(Span.of(change.estimate), direction),
        headline=headline,
    )


def require_comparable(before: StudyResults, after: StudyResults, first: str, second: str) -> None:
    """Refuse two studies that have no figure in common.

    Args:
        before: results of one.
        after: results of the other.
        first: what to call the one.
        second: what to call the other.

    Raises:
        InputError: the message says in what they differ.
    """
    ours, theirs = before.study, after.study
    differing = [
        (name, getattr(ours, name), getattr(theirs, name))
        for name in ("protocol", "scale")
        if getattr(ours, name) != getattr(theirs, name)
    ]
    differing += [
        (f"data.{name}", getattr(ours.data, name), getattr(theirs.data, name))
        for name in DATA_FIELDS
        if getattr(ours.data, name) != getattr(theirs.data, name)
    ]
    if before.class_names != after.class_names:
        differing.append(("class names", len(before.class_names), len(after.class_names)))
    if differing:
        fields = "; ".join(f"{name} ({mine!r} and {other!r})" for name, mine, other in differing)
        raise InputError(
            f"{first} and {second} cannot be compared, as they differ in {fields}: "
            "run both with the same protocol, data and scale"
        )


def attack_differs(key: Key, ours: Attacks, theirs: Attacks) -> str:
    """Why two figures of one key are not of the same attack; "" if they are."""
    first, second = ours.of(key), theirs.of(key)
    if not key.attack or (first is not None and second is not None and first == second):
        return ""
    if first is None or second is None:
        return f"the studies do not say which {key.attack} it was"
    fields = [
        f"{field} ({_short(getattr(first, field, None))} and {_short(getattr(second, field, None))})"
        for field in differing_fields(first, second)
    ]
    return f"{key.attack} differs in {', '.join(fields)}"


def warnings(
    before: StudyResults, after: StudyResults, first: str = "the first study", second: str = "the second"
) -> Iterator[str]:
    """What else differs, so that a difference may come from it; the arguments are those of `require_comparable`."""
    if before.provenance.data_sha256 != after.provenance.data_sha256:
        yield "the images are others: the SHA-256 of the data differ"
    if (before.provenance.division, before.provenance.indices) != (
        after.provenance.division,
        after.provenance.indices,
    ):
        yield "the images were divided otherwise into those that were trained on and others"
    for name in sorted({*before.provenance.given, *after.provenance.given}):
        if (name in before.provenance.given) != (name in after.provenance.given):
            yield f"{name} came with weights in one of the studies and was trained in the other"
    changed = sorted(
        field
        for field in TrainingSpec.model_fields
        if getattr(before.training, field) != getattr(after.training, field)
    )
    if changed:
        yield f"the training recipes differ in {', '.join(changed)}"
    specs = {spec.name: spec for spec in before.architectures}
    changed = [spec.name for spec in after.architectures if specs.get(spec.name, spec) != spec]
    if changed:
        yield f"{', '.join(changed)}: another network under the same name"
    for name in VERSIONS:
        old, new = before.environment.get(name), after.environment.get(name)
        if old != new:
            yield f"made with other versions of {name}: {old} and {new}"
    shared = sorted(set(before.study.seeds) & set(after.study.seeds))
    if set(before.study.seeds) != set(after.study.seeds):
        yield (
            f"the seeds differ, so pairs are made of {len(shared)} of them"
            if len(shared) > 1
            else "the studies share fewer than two seeds: figures are compared as if they were independent"
        )
    elif len(shared) == 1:
        yield (
            "one seed: figures are compared as if they were independent, "
            "and an interval does not tell how other trainings would come out"
        )
    failures = len(before.failures), len(after.failures)
    if any(failures):
        yield f"tasks failed: {failures[0]} of {first}, {failures[1]} of {second}"


def _comparable_figures(results: StudyResults) -> dict[Key, Figure]:
    return {key: figure for key, figure in figures(results.rows).items() if not on_common_images(key)}


def _one_sided(ours: Mapping[Key, Figure], theirs: Mapping[Key, Figure]) -> Iterator[str]:
    for here, there, which in ((ours, theirs, "first"), (theirs, ours, "second")):
        alone = [key for key in here if key not in there]
        if alone:
            yield f"{len(alone)} figures are in the {which} study alone, e.g. {alone[0].words()}"


def _nothing_shared(before: StudyResults, after: StudyResults, reasons: list[str]) -> str:
    if reasons:
        return f"the studies have no figure in common: {'; '.join(reasons)}"
    names = [", ".join(spec.name for spec in results.architectures) for results in (before, after)]
    return (
        f"the studies have no figure in common: the first is of {names[0]}, the second of {names[1]}; "
        "figures are compared by architecture, attack, setting and metric"
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
