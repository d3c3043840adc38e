"""From the smallest epsilon that broke each image to the figures of a security curve. No torch.

All functions take `minimal`: float [..., N], the smallest epsilon of the grid at which an image was broken (its
distance, if a minimal-norm attack found it), 0 for an image that was broken before the attack, infinity for one that
withstood all of them; and `grid`: the epsilons, ascending.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nasaudit.errors import MeasurementError
from nasaudit.measure.bootstrap import bootstrap, mean
from nasaudit.measure.estimate import Bound, FloatArray, Measurement, Setting
from nasaudit.measure.pooling import bound_of
from nasaudit.measure.proportion import paired_difference, proportion
from nasaudit.spec.attacks import EvasionSpec
from nasaudit.spec.units import format_epsilon

Whole = npt.NDArray[np.int64]

# Points of the curve of a minimal-norm attack, whose distances lie between the epsilons of its spec: 20 for each
# factor of 2 of the default grid, so that neighbours are 3.5 % apart.
FINE_POINTS = 201


def figure_grid(spec: EvasionSpec) -> tuple[float, ...]:
    """The epsilons that `area` and `median` are computed on: those tried, or many where distances are measured."""
    if not spec.minimal or len(spec.epsilons) == 1:
        return spec.epsilons
    first, *_, last = spec.epsilons
    return (first, *np.geomspace(first, last, FINE_POINTS)[1:-1].tolist(), last)


def effort_levels(most: int, *, least: int = 1) -> list[int]:
    """Steps or queries at which success is counted: 1, 2, 5, 10, 20, ... from `least`, and 3/4 and all of `most`.

    >>> effort_levels(20)
    [1, 2, 5, 10, 15, 20]
    """
    decades = range(len(str(most)) + 1)
    round_numbers = {digit * 10**decade for decade in decades for digit in (1, 2, 5)}
    return sorted({level for level in round_numbers if least <= level < most} | {late(most), most})


def late(most: int) -> int:
    """Three quarters of an effort: what falls only after it says that the attack had not finished."""
    return -(-3 * most // 4)


def steps_of_failure(spec: EvasionSpec) -> int | None:
    """What an image that withstood counts in `mean_steps`: twice the steps that it was given."""
    return None if spec.most_steps is None else 2 * spec.most_steps


def asr_curve(minimal: npt.ArrayLike, grid: Sequence[float]) -> FloatArray:
    """Share of images broken at epsilon 0 and at each epsilon of the grid: float [1 + len(grid)]."""
    points = np.array([0.0, *grid])
    return np.asarray((np.asarray(minimal)[None, :] <= points[:, None]).mean(axis=1))


def area(curves: FloatArray, grid: Sequence[float]) -> FloatArray:
    """Area under each curve over log epsilon, from the smallest to the largest of the grid, divided by that length.

    Each factor of epsilon counts the same, wherever a data set has its transition. Trapezoids between the points of
    the grid; in [0, 1]: 0 is a model that nothing breaks, 1 one that falls at the smallest epsilon. Of a single
    epsilon the share broken at it.

    Args:
        curves: [..., 1 + len(grid)], as `asr_curve` gives them.
        grid: ascending epsilons, above 0.
    """
    if len(grid) == 1:
        return np.asarray(curves[..., 1])
    points = np.log(grid)
    return np.asarray(np.trapezoid(curves[..., 1:], points, axis=-1) / (points[-1] - points[0]))


def median(curves: FloatArray, grid: Sequence[float]) -> FloatArray:
    """The epsilon at which each curve reaches one half, interpolated linearly over log epsilon.

    A curve that is there before the grid begins has the smallest epsilon, and one that never is the largest: see
    `median_bound`. Arguments as in `area`.
    """
    points, shares = np.log(grid), curves[..., 1:]
    above = (shares >= 0.5).argmax(axis=-1)  # 0 also when no point is above
    below = np.maximum(above - 1, 0)
    high = np.take_along_axis(shares, above[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(shares, below[..., None], axis=-1)[..., 0]
    weight = np.where(above > 0, (0.5 - low) / np.where(high > low, high - low, 1.0), 0.0)
    crossing = np.exp(points[below] + weight * (points[above] - points[below])).clip(grid[0], grid[-1])
    return np.asarray(np.where(shares[..., -1] < 0.5, grid[-1], crossing))


def median_bound(curves: FloatArray) -> Bound | None:
    """What `median` is where a transition lies outside of the grid: a `lower` bound beyond it, an `upper` one before.

    Args:
        curves: of one model, or [seeds, 1 + len(grid)] of several whose medians are averaged.
    """
    curves = np.atleast_2d(curves)
    outside: list[Bound | None] = ["lower"] if (curves[:, -1] < 0.5).any() else []
    return bound_of([*outside, "upper" if (curves[:, 1] >= 0.5).any() else None])


def curve_area(minimal: npt.ArrayLike, grid: Sequence[float]) -> float:
    """`area` of the curve of these images."""
    return float(area(asr_curve(minimal, grid), grid))


def median_epsilon(minimal: npt.ArrayLike, grid: Sequence[float]) -> float:
    """`median` of the curve of these images."""
    return float(median(asr_curve(minimal, grid), grid))


def curve_measurements(
    spec: EvasionSpec,
    minimal: npt.NDArray[np.float64],
    steps: npt.NDArray[np.int64],
    correct: npt.NDArray[np.bool_],
    *,
    steps_of_failure: int | None = None,
    seed: int = 0,
) -> list[Measurement]:
    """All figures of one security curve.

    The denominator is part of the setting: `images=all` counts every attacked image, `images=correct` those
    that the victim gets right without an attack.

    Args:
        spec: the attack.
        minimal: float64 [N], see above.
        steps: int64 [N], updates used at the smallest epsilon; -1 for an image that withstood all.
        correct: bool [N], which images the victim gets right.
        steps_of_failure: what an unbroken image counts in `mean_steps`; None: the metric is left out.
        seed: decides the bootstrap's draws.

    Raises:
        MeasurementError: no image is classified correctly.
    """
    if not correct.any():
        raise MeasurementError(
            f"the victim gets none of the {len(correct)} images right: there is nothing to attack"
        )
    common: Setting = (("norm", spec.norm), ("goal", spec.goal))
    measurements = []
    for images, counted in (("all", np.ones_like(correct)), ("correct", correct)):
        n = int(counted.sum())
        for epsilon in spec.epsilons:
            at: Setting = (("epsilon", format_epsilon(epsilon)), *common, ("images", images))
            broken = int((minimal[counted] <= epsilon).sum())
            measurements.append(Measurement("asr", proportion(broken, n), at))
            if images == "all" and spec.goal == "untargeted":
                measurements.append(Measurement("robust_accuracy", proportion(n - broken, n), at))
    attacked = minimal[correct]
    setting: Setting = (*common, ("images", "correct"))
    grid = figure_grid(spec)
    area = bootstrap([attacked], lambda sample: np.asarray(curve_area(sample, grid)), "fraction", seed)
    measurements.append(Measurement("curve_area", area, setting))
    measurements.append(_median_measurement(spec, attacked, setting, seed))
    if len(spec.epsilons) == 1 and steps_of_failure is not None:
        # With several epsilons the steps of an image belong to the epsilon that broke it, and have no common
        # mean.
        counted_steps = np.where(steps[correct] < 0, steps_of_failure, steps[correct])
        average = bootstrap([counted_steps], mean, "steps", seed)
        measurements.append(
            Measurement("mean_steps", average, (("epsilon", format_epsilon(spec.epsilons[0])), *setting))
        )
    return measurements


def zero_gradient_share(spec: EvasionSpec, first_gradient: npt.NDArray[np.float32]) -> list[Measurement]:
    """Share of images whose gradient at the first step is exactly zero; empty when no gradient was taken.

    Anything but 0 says that the victim hides its gradients, and that a low ASR proves nothing.
    """
    taken = ~np.isnan(first_gradient)
    if not taken.any():
        return []
    zeros = int((first_gradient[taken] == 0).sum())
    setting = (("norm", spec.norm), ("goal", spec.goal))
    return [Measurement("zero_gradient_share", proportion(zeros, int(taken.sum())), setting)]


def effort_measurements(
    spec: EvasionSpec, pivot: float, steps: Whole, queries: Whole, correct: npt.NDArray[np.bool_]
) -> list[Measurement]:
    """How success at one epsilon, at which every image was attacked, grows with the attacker's effort.

    Args:
        spec: the attack.
        pivot: that epsilon.
        steps: int64 [N], updates that each image took; -1 if it withstood.
        queries: int64 [N], images that the victim answered for each; -1 without an Oracle.
        correct: bool [N], which images the victim gets right; only they are counted.
    """
    setting: Setting = (
        ("epsilon", format_epsilon(pivot)), ("norm", spec.norm), ("goal", spec.goal), ("images", "correct"),
    )  # fmt: skip
    fell = steps[correct] >= 0
    measurements = []
    if spec.most_steps is not None and spec.most_steps > 1:
        for level in effort_levels(spec.most_steps):
            share = proportion(int((fell & (steps[correct] <= level)).sum()), len(fell))
            measurements.append(Measurement("asr_by_steps", share, (("within_steps", str(level)), *setting)))
    asked = queries[correct]
    if spec.threat_model == "white_box" or (asked < 0).any():
        return measurements
    if spec.most_queries is not None and spec.most_queries > 1:
        for level in effort_levels(spec.most_queries, least=min(10, spec.most_queries)):
            share = proportion(int((fell & (asked <= level)).sum()), len(fell))
            measurements.append(
                Measurement("asr_by_queries", share, (("within_queries", str(level)), *setting))
            )
    return measurements + (_query_statistics(asked[fell], setting) if fell.any() else [])


def spent_queries(spec: EvasionSpec, queries: Whole, correct: npt.NDArray[np.bool_]) -> list[Measurement]:
    """What a minimal-norm attack asked about each image, whether or not it found an example."""
    asked = queries[correct]
    if spec.threat_model == "white_box" or (asked < 0).any():
        return []
    return _query_statistics(asked, (("norm", spec.norm), ("goal", spec.goal), ("images", "correct")))


def skip_gain(
    spec: EvasionSpec,
    minimal: npt.NDArray[np.float64],
    plain: npt.NDArray[np.float64],
    correct: npt.NDArray[np.bool_],
) -> list[Measurement]:
    """What the Skip Gradient Method gains at each epsilon: images that it breaks, minus those that fall without it.

    Args:
        spec: the attack.
        minimal: float64 [N], see above.
        plain: the same of the attack by plain gradients, on the same images.
        correct: bool [N], which images the victim gets right; only they are counted.
    """
    measurements = []
    for epsilon in spec.epsilons:
        at: Setting = (
            ("epsilon", format_epsilon(epsilon)), ("norm", spec.norm), ("goal", spec.goal), ("images", "correct"),
        )  # fmt: skip
        ours, theirs = minimal[correct] <= epsilon, plain[correct] <= epsilon
        measurements.append(Measurement("plain_asr", proportion(int(theirs.sum()), len(theirs)), at))
        measurements.append(Measurement("skip_gain", paired_difference(ours, theirs), at))
    return measurements


def _query_statistics(asked: Whole, setting: Setting) -> list[Measurement]:
    half = bootstrap([asked], lambda sample: np.asarray(np.median(sample)), "queries")
    return [
        Measurement("mean_queries", bootstrap([asked], mean, "queries"), setting),
        Measurement("median_queries", half, setting),
    ]


def output_disagreement(spec: EvasionSpec, differs: npt.NDArray[np.bool_]) -> list[Measurement]:
    """Share of clean images for which two forward passes gave different logits.

    Anything but 0 says that the victim draws random numbers when it predicts: an attack that does not average over
    them fails for that reason alone.
    """
    setting = (("norm", spec.norm), ("goal", spec.goal))
    return [Measurement("output_disagreement", proportion(int(differs.sum()), len(differs)), setting)]


def _median_measurement(
    spec: EvasionSpec, attacked: npt.NDArray[np.float64], setting: Setting, seed: int
) -> Measurement:
    """The median minimal epsilon; a bound where the grid does not hold it.

    An end of the interval at the grid's last epsilon means: this or more; at its first: this or less.
    """
    grid = figure_grid(spec)
    estimate = bootstrap(
        [attacked], lambda sample: np.asarray(median_epsilon(sample, grid)), "pixel fraction", seed
    )
    bound = median_bound(asr_curve(attacked, grid))
    return Measurement("median_minimal_epsilon", replace(estimate, bound=bound), setting)
