"""Pure functions from outcomes to Estimates: the only way a metric leaves a function. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % interval.

    Attributes:
        value: the point estimate.
        low: lower end of the interval; equals `value` for a quantity that has no sampling error.
        high: upper end.
        n: how many independent units the value rests on.
        unit: what is counted or measured ("fraction", "parameters", "seconds").
    """

    value: float
    low: float
    high: float
    n: int
    unit: str


@dataclass(frozen=True)
class Measurement:
    """An Estimate with its name and the setting that it holds for (epsilon, norm, denominator)."""

    metric: str
    estimate: Estimate
    setting: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "setting", tuple((str(key), str(value)) for key, value in self.setting))


def exact(value: float, unit: str, n: int = 1) -> Estimate:
    """A quantity that is computed, not sampled (a parameter count): its interval is the value."""
    return Estimate(float(value), float(value), float(value), n, unit)


def proportion(successes: int, n: int, unit: str = "fraction", confidence: float = 0.95) -> Estimate:
    """Share of successes with Wilson's score interval (Wilson 1927), which holds near 0 and 1.

    Raises:
        ValueError: `n` is 0, or `successes` is not within 0..n.

    >>> share = proportion(0, 100)
    >>> share.value, share.low, round(share.high, 4)
    (0.0, 0.0, 0.037)
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"expected 0 <= successes <= n and n > 0, got {successes} of {n}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else float(centre - half)
    high = 1.0 if successes == n else float(centre + half)
    return Estimate(share, low, high, n, unit)


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
    value = float(np.mean([statistic(array) for array in arrays]))
    resampled = np.empty(draws)
    for draw in range(draws):
        chosen = rng.integers(len(arrays), size=len(arrays))
        resampled[draw] = np.mean(
            [statistic(arrays[k][rng.integers(len(arrays[k]), size=len(arrays[k]))]) for k in chosen]
        )
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Estimate(value, min(float(low), value), max(float(high), value), sum(map(len, arrays)), unit)
