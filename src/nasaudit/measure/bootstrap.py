"""The interval of any figure of a sample, by drawing from it. No torch."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from nasaudit.measure.estimate import Estimate, FloatArray


def bootstrap(
    samples: Sequence[npt.ArrayLike],
    statistic: Callable[[FloatArray], FloatArray],
    unit: str,
    seed: int = 0,
    draws: int = 1000,
) -> Estimate:
    """Two-level percentile bootstrap: replicates (seeds) are drawn, then units (images) within each.

    With one replicate it is the plain bootstrap over its units. The interval then says nothing about
    other training seeds, and with few replicates it is a lower bound of the true uncertainty.

    Args:
        samples: one array for each replicate, units along the first axis.
        statistic: maps units x ... to a scalar along axis 0; must accept a leading batch of one replicate.
        unit: the unit of the statistic.
        seed: decides the draws.
        draws: how many.
    """
    arrays = [np.asarray(sample, dtype=np.float64) for sample in samples]
    if not arrays or any(len(array) == 0 for array in arrays):
        raise ValueError("expected at least one replicate, each with at least one unit")
    rng = np.random.default_rng(seed)
    sizes = [len(array) for array in arrays]
    value = float(np.mean([statistic(array) for array in arrays]))
    resampled = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(len(arrays), size=len(arrays))
        drawn = [statistic(arrays[k].take(rng.integers(sizes[k], size=sizes[k]), axis=0)) for k in chosen]
        resampled[draw] = mean(np.array(drawn))
    return percentile_interval(value, resampled, sum(map(len, arrays)), unit)


def percentile_interval(value: float, resampled: FloatArray, n: int, unit: str) -> Estimate:
    """A value with the middle 95 % of its bootstrap draws, float [draws]; the value itself is never outside."""
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Estimate(float(value), min(float(low), float(value)), max(float(high), float(value)), n, unit)


def mean(units: FloatArray) -> FloatArray:
    """The statistic that is wanted most."""
    return np.asarray(
        np.add.reduce(units, axis=0) / len(units)
    )  # as `mean`, which takes 3 times as long for few
