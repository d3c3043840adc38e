"""Rows that no single record holds: seeds pooled, and rates on the images that every model gets right."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nasaudit.attacks.evasion.measures import area, figure_grid, median, steps_of_failure
from nasaudit.measure.estimate import Estimate, FloatArray, Measurement, bootstrap, proportion
from nasaudit.measure.pooling import CurvePool, pool_proportions, pool_values
from nasaudit.results.replicates import Arrays, Group, Key, Seed
from nasaudit.spec.attacks import EvasionSpec
from nasaudit.spec.units import format_epsilon
from nasaudit.store.artefacts import EVASION

# Measured as successes among n images, so that seeds can be pooled from the shares alone.
PROPORTIONS = frozenset(
    {
        "clean_accuracy",
        "train_accuracy",
        "validation_accuracy",
        "zero_gradient_share",
        "asr",
        "asr_paper",
        "asr_by_steps",
        "asr_by_queries",
        "output_disagreement",
        "floor",
        "agreement",
        "surrogate_accuracy",
        "transfer_asr",
    }
)
BOUND = (("bound", "lower"),)  # the value is the least that it can be; such a mean is one too

Indices = npt.NDArray[np.int64]
Found = Iterator[tuple[Seed, Measurement]]


def derived(group: Group, common: Indices) -> Found:
    """What follows from a group's records.

    Args:
        group: one experiment on one architecture.
        common: source indices of the test images that every model of the study gets right.
    """
    yield from DERIVED.get(group.family, pooled_values)(group, common)


def pooled_values(group: Group, common: Indices) -> Found:
    """The measurements that every seed has, pooled: without the others it were a mean of the lucky seeds."""
    for (metric, setting), by_seed in _unbounded(group.measured).items():
        if "all" in by_seed or len(by_seed) < len(group.records):
            continue
        pool = pool_proportions if metric in PROPORTIONS else pool_values
        bound = BOUND if (metric, (*setting, *BOUND)) in group.measured else ()
        yield "all", Measurement(metric, pool(list(by_seed.values())), (*setting, *bound))


def _unbounded(measured: Mapping[Key, Mapping[Seed, Estimate]]) -> dict[Key, dict[Seed, Estimate]]:
    """The same without `bound=lower`: a seed that never got there counts with the bound it did reach."""
    merged: dict[Key, dict[Seed, Estimate]] = {}
    for (metric, setting), by_seed in measured.items():
        plain = tuple(pair for pair in setting if pair not in BOUND)
        merged.setdefault((metric, plain), {}).update(by_seed)
    return merged


def evasion(group: Group, common: Indices) -> Found:
    """An evasion attack: rates on common images for each seed, and all figures of the curve pooled."""
    if not group.records or not isinstance(group.attack, EvasionSpec):
        return
    outcomes = {seed: group.arrays(seed, EVASION) for seed in group.records}
    shared = {seed: _keep(arrays, np.isin(arrays["index"], common)) for seed, arrays in outcomes.items()}
    has_common = all(len(arrays["index"]) for arrays in shared.values())
    if has_common:
        for seed, arrays in shared.items():
            yield from _curve_rows(seed, "common", group.attack, [arrays])
    correct = [_keep(arrays, arrays["correct"]) for arrays in outcomes.values()]
    yield from _curve_rows("all", "all", group.attack, list(outcomes.values()))
    yield from _curve_rows("all", "correct", group.attack, correct)
    if has_common:
        yield from _curve_rows("all", "common", group.attack, list(shared.values()))
    yield from _pooled_rest(group, group.attack, correct)


def membership(group: Group, common: Indices) -> Found:
    """AUCs and rates pooled, within [0, 1]: the normal noise of `pool_values` does not know that they end there."""
    for seed, pooled in pooled_values(group, common):
        bounded = pooled.metric in ("auc", "tpr_at_fpr")
        yield seed, replace(pooled, estimate=_within_unit(pooled.estimate)) if bounded else pooled


DERIVED: dict[str, Callable[[Group, Indices], Found]] = {"evasion": evasion, "membership": membership}


def _within_unit(estimate: Estimate) -> Estimate:
    return replace(estimate, low=max(0.0, estimate.low), high=min(1.0, estimate.high))


def _keep(arrays: Arrays, kept: npt.NDArray[np.bool_]) -> Arrays:
    return {name: values[kept] for name, values in arrays.items()}


def _curve_rows(seed: Seed, images: str, spec: EvasionSpec, outcomes: Sequence[Arrays]) -> Found:
    """The figures of a security curve as one record has them, over one or more seeds."""
    pool = CurvePool.of([arrays["minimal_epsilon"] for arrays in outcomes], spec.epsilons)
    base = (("norm", spec.norm), ("goal", spec.goal), ("images", images))
    for position, epsilon in enumerate(spec.epsilons):
        at = (("epsilon", format_epsilon(epsilon)), *base)
        yield seed, Measurement("asr", _rate(pool, position, outcomes, withstood=False), at)
        if images == "all" and spec.goal == "untargeted":
            yield seed, Measurement("robust_accuracy", _rate(pool, position, outcomes, withstood=True), at)
    if images != "all":
        if spec.minimal:
            pool = CurvePool.of([arrays["minimal_epsilon"] for arrays in outcomes], figure_grid(spec))
        yield seed, Measurement("curve_area", pool.statistic(area, "fraction"), base)
        bound = BOUND if (pool.curves[:, -1] < 0.5).any() else ()
        yield (
            seed,
            Measurement("median_minimal_epsilon", pool.statistic(median, "pixel fraction"), (*base, *bound)),
        )


def _rate(pool: CurvePool, position: int, outcomes: Sequence[Arrays], *, withstood: bool) -> Estimate:
    """A share of images: Wilson's interval for one seed, as in its record; the bootstrap's for several."""
    if len(outcomes) > 1:
        return pool.share_at(position, withstood=withstood)
    broken = int((outcomes[0]["minimal_epsilon"] <= pool.grid[position]).sum())
    return proportion(pool.n - broken if withstood else broken, pool.n)


def _pooled_rest(group: Group, spec: EvasionSpec, correct: Sequence[Arrays]) -> Found:
    """What is not a figure of the curve."""
    for (metric, setting), by_seed in _measured_by_all(group):
        failure = steps_of_failure(spec)
        if metric == "mean_steps" and failure is not None:
            steps = [np.where(arrays["steps"] < 0, failure, arrays["steps"]) for arrays in correct]
            yield "all", Measurement(metric, bootstrap(steps, _mean, "steps"), setting)
        elif metric in PROPORTIONS:
            yield "all", Measurement(metric, pool_proportions(list(by_seed.values())), setting)
        elif metric in ("mean_queries", "median_queries"):
            yield "all", Measurement(metric, pool_values(list(by_seed.values())), setting)


def _measured_by_all(group: Group) -> Iterator[tuple[Key, dict[Seed, Estimate]]]:
    for key, by_seed in group.measured.items():
        if len(by_seed) == len(group.records):
            yield key, by_seed


def _mean(units: FloatArray) -> FloatArray:
    return np.asarray(units.mean(axis=0))
