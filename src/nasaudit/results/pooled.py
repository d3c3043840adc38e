"""Rows that no single record holds: seeds pooled, and rates on the images that every model gets right."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nasaudit.attacks.evasion.measures import area, figure_grid, median, median_bound, steps_of_failure
from nasaudit.measure.catalogue import metric_of
from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.measure.pooling import CurvePool, pool_means, pool_seeds
from nasaudit.measure.proportion import proportion
from nasaudit.results.artefacts import Arrays
from nasaudit.results.replicates import Replicates, Seed
from nasaudit.spec.attacks import EvasionSpec
from nasaudit.spec.units import format_epsilon

Indices = npt.NDArray[np.int64]
Measured = Iterator[tuple[Seed, Measurement]]


def derived(replicates: Replicates, common: Indices) -> Measured:
    """What follows from the records of one experiment on one architecture.

    Args:
        replicates: the records.
        common: source indices of the test images that every model of the study gets right.
    """
    if isinstance(replicates.attack, EvasionSpec):
        yield from evasion(replicates, replicates.attack, common)
        return
    for (metric, setting), by_seed in replicates.measured_by_all():
        if "all" not in by_seed:
            yield "all", Measurement(metric, pool_seeds(metric_of(metric), list(by_seed.values())), setting)


def evasion(replicates: Replicates, spec: EvasionSpec, common: Indices) -> Measured:
    """An evasion attack: rates on common images for each seed, and all figures of the curve pooled."""
    if not replicates.records:
        return
    outcomes = {seed: replicates.attacked(seed) for seed in replicates.records}
    shared = {seed: _keep(arrays, np.isin(arrays["index"], common)) for seed, arrays in outcomes.items()}
    has_common = all(len(arrays["index"]) for arrays in shared.values())
    if has_common:
        for seed, arrays in shared.items():
            yield from _curve_rows(seed, "common", spec, [arrays])
    correct = [_keep(arrays, arrays["correct"]) for arrays in outcomes.values()]
    curve = [
        *_curve_rows("all", "all", spec, list(outcomes.values())),
        *_curve_rows("all", "correct", spec, correct),
        *(_curve_rows("all", "common", spec, list(shared.values())) if has_common else ()),
    ]
    yield from curve
    drawn = {(measurement.metric, frozenset(measurement.setting)) for _, measurement in curve}
    failure = steps_of_failure(spec)
    for (metric, setting), by_seed in replicates.measured_by_all():
        if metric == "mean_steps" and failure is not None:
            steps = [np.where(arrays["steps"] < 0, failure, arrays["steps"]) for arrays in correct]
            yield "all", Measurement(metric, pool_means(steps, "steps"), setting)
        elif metric_of(metric).pooling != "images" and (metric, frozenset(setting)) not in drawn:
            yield "all", Measurement(metric, pool_seeds(metric_of(metric), list(by_seed.values())), setting)


def _keep(arrays: Arrays, kept: npt.NDArray[np.bool_]) -> Arrays:
    return {name: values[kept] for name, values in arrays.items()}


def _curve_rows(seed: Seed, images: str, spec: EvasionSpec, outcomes: Sequence[Arrays]) -> Measured:
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
        half = pool.statistic(median, "pixel fraction")
        half = replace(half, bound=median_bound(pool.curves))
        yield seed, Measurement("median_minimal_epsilon", half, base)


def _rate(pool: CurvePool, position: int, outcomes: Sequence[Arrays], *, withstood: bool) -> Estimate:
    """A share of images: Wilson's interval for one seed, as in its record; the bootstrap's for several."""
    if len(outcomes) > 1:
        return pool.share_at(position, withstood=withstood)
    broken = int((outcomes[0]["minimal_epsilon"] <= pool.grid[position]).sum())
    return proportion(pool.n - broken if withstood else broken, pool.n)
