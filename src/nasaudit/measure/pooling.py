"""One estimate from the replicates of several training seeds. No torch.

Uncertainty has two levels, which images and which seeds, and the bootstrap draws on both: seeds with
replacement, then the images of each drawn seed with replacement (as `measure.bootstrap`, of which the
functions here are the closed forms: the number of successes among n images drawn with replacement is
binomial, and the numbers of images on each level of an epsilon grid are multinomial).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nasaudit.measure.bootstrap import percentile_interval
from nasaudit.measure.catalogue import Metric
from nasaudit.measure.estimate import Bound, Estimate, FloatArray
from nasaudit.measure.proportion import proportion

Counts = npt.NDArray[np.int64]
CurveFigure = Callable[[FloatArray, Sequence[float]], FloatArray]

DRAWS = 1000
SEED = 0
NORMAL_95 = 1.959964  # half the length of a normal's 95 % interval, in standard deviations


def pool_seeds(metric: Metric, estimates: Sequence[Estimate]) -> Estimate:
    """One estimate of a metric from those of several seeds; a mean with a bound among them is one (see `bound_of`).

    Within the metric's limits: the normal noise of `pool_values` does not know that they are there.
    """
    pooled = (pool_proportions if metric.pooling == "proportion" else pool_values)(estimates)
    pooled = replace(pooled, bound=bound_of([estimate.bound for estimate in estimates]))
    return pooled.within(*metric.limits) if metric.limits else pooled


def bound_of(bounds: Sequence[Bound | None]) -> Bound | None:
    """What a mean is of which some values are bounds; with both kinds, which no metric should have, `lower`.

    >>> bound_of([None, "upper"]), bound_of([None, None])
    ('upper', None)
    """
    return "lower" if "lower" in bounds else "upper" if "upper" in bounds else None


def pool_proportions(estimates: Sequence[Estimate]) -> Estimate:
    """The mean share of several seeds; n is the number of images x seeds.

    Args:
        estimates: shares of successes, one for each seed, each of its own `n` images.
    """
    if len(estimates) == 1:
        return estimates[0]
    shares = np.array([estimate.value for estimate in estimates])
    sizes = np.array([estimate.n for estimate in estimates])
    rng = np.random.default_rng(SEED)
    chosen = rng.integers(len(shares), size=(DRAWS, len(shares)))
    resampled = (rng.binomial(sizes[chosen], shares[chosen]) / sizes[chosen]).mean(axis=1)
    return _share(shares.mean(), resampled, sizes, estimates[0].unit)


def pool_values(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of values that each seed measured with an interval of its own (an AUC), or exactly (a loss area).

    Seeds are drawn with replacement. On top comes what the seeds' intervals stand for, the luck of the images: drawn
    once for all seeds and not once for each, because all are measured on the same images, so that this luck does not
    average out over them. It is normal on both sides, as wide as the mean of the seeds' intervals, which the result
    is never narrower than. Exact values leave the bootstrap over seeds alone. n counts the units of all seeds.

    Covers the true mean in 95 % of studies if images are all the luck there is, and in fewer if seeds are: the
    bootstrap of 3 seeds that differ covers it in 76 %, of 5 in 84 %, of 10 in 89 % (normal values, simulated).
    """
    if len(estimates) == 1:
        return estimates[0]
    values = np.array([estimate.value for estimate in estimates])
    below = float(np.mean([estimate.value - estimate.low for estimate in estimates]))
    above = float(np.mean([estimate.high - estimate.value for estimate in estimates]))
    rng = np.random.default_rng(SEED)
    chosen = rng.integers(len(values), size=(DRAWS, len(values)))
    luck = rng.standard_normal(DRAWS)
    luck *= np.where(luck < 0, below, above) / NORMAL_95
    n = sum(estimate.n for estimate in estimates)
    drawn = percentile_interval(values.mean(), values[chosen].mean(axis=1) + luck, n, estimates[0].unit)
    return Estimate(
        drawn.value, min(drawn.low, drawn.value - below), max(drawn.high, drawn.value + above), n, drawn.unit
    )


def pool_means(samples: Sequence[npt.ArrayLike], unit: str) -> Estimate:
    """The mean over seeds of the means of their images, where images share few values (steps that were needed).

    Args:
        samples: for each seed float [images], at least one image each.
        unit: of the values.
    """
    values = np.unique(np.concatenate([np.asarray(seed, dtype=np.float64) for seed in samples]))
    counts = np.stack([np.bincount(np.searchsorted(values, seed), minlength=len(values)) for seed in samples])
    sizes = counts.sum(axis=1)
    chosen, drawn = _drawn(counts, sizes)
    means = (drawn @ values) / sizes[chosen]
    value = (counts @ values / sizes).mean()
    return percentile_interval(value, means.mean(axis=1), int(sizes.sum()), unit)


@dataclass(frozen=True)
class CurvePool:
    """The security curves of several seeds, with resampled ones beside them.

    Attributes:
        grid: ascending epsilons.
        curves: float [seeds, 1 + len(grid)], the share of images broken at 0 and at each epsilon.
        resampled: float [draws, seeds, 1 + len(grid)], the same of each bootstrap draw.
        sizes: int [seeds], the images of each seed.
    """

    grid: tuple[float, ...]
    curves: FloatArray
    resampled: FloatArray
    sizes: Counts

    @property
    def n(self) -> int:
        """Images x seeds."""
        return int(self.sizes.sum())

    @classmethod
    def of(cls, minimal: Sequence[npt.ArrayLike], grid: Sequence[float]) -> "CurvePool":
        """Resample.

        Args:
            minimal: for each seed float [images], the smallest epsilon that broke each image: 0 if it needed
                none, infinity if none did. At least one image each.
            grid: ascending epsilons.
        """
        points = np.array([0.0, *grid])
        # How many images of each seed fall at each point, and how many at none.
        levels = np.stack(
            [np.bincount(np.searchsorted(points, seed), minlength=len(points) + 1) for seed in minimal]
        )
        sizes = levels.sum(axis=1)
        _, drawn = _drawn(levels, sizes)
        return cls(tuple(grid), _curve(levels), _curve(drawn), sizes)

    def share_at(self, position: int, *, withstood: bool = False) -> Estimate:
        """The share of images broken (or withstood) at one epsilon of the grid."""
        at = position + 1
        shares, resampled = self.curves[:, at].mean(), self.resampled[..., at].mean(axis=1)
        if withstood:
            shares, resampled = 1 - shares, 1 - resampled
        return _share(shares, resampled, self.sizes, "fraction")

    def statistic(self, of_curves: CurveFigure, unit: str) -> Estimate:
        """The mean over seeds of a figure of the curve.

        Args:
            of_curves: maps curves [..., 1 + len(grid)] and the grid to figures [...].
            unit: of the figure.
        """
        value = of_curves(self.curves, self.grid).mean()
        return percentile_interval(value, of_curves(self.resampled, self.grid).mean(axis=1), self.n, unit)


def _drawn(counts: Counts, sizes: Counts) -> tuple[Counts, Counts]:
    """Which seeds are drawn, [DRAWS, seeds], and how many images of each level each has, [DRAWS, seeds, levels]."""
    rng = np.random.default_rng(SEED)
    chosen = rng.integers(len(counts), size=(DRAWS, len(counts)))
    return chosen, rng.multinomial(sizes[chosen], (counts / sizes[:, None])[chosen])


def _curve(levels: Counts) -> FloatArray:
    counts = levels.cumsum(axis=-1)
    return np.asarray(counts[..., :-1] / counts[..., -1:])


def _share(share: float, resampled: FloatArray, sizes: Counts, unit: str) -> Estimate:
    """A share's interval: never narrower than Wilson's for the images of one seed.

    The seeds are measured on the same images, so the luck of that draw does not average out over them; and at a
    share of 0 or 1 the bootstrap sees no spread at all, where Wilson's interval still tells how little n images say.
    """
    drawn = percentile_interval(share, resampled, int(sizes.sum()), unit)
    images = int(sizes.min())
    wilson = proportion(round(share * images), images)
    return Estimate(drawn.value, min(drawn.low, wilson.low), max(drawn.high, wilson.high), drawn.n, unit)
