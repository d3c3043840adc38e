"""Intervals for functions of sums: leave a part of the sample out, and see how far the estimate moves. No torch.

- Quenouille, "Notes on Bias in Estimation", Biometrika 43, 1956; Tukey, "Bias and Confidence in Not-quite Large
  Samples", Annals of Mathematical Statistics 29, 1958: the pseudo-values behave like independent draws.
- Busing, Meijer & van der Leeden, "Delete-m Jackknife for Unequal m", Statistics and Computing 9, 1999.

For g parts of m_j units each, n in all, h_j = n / m_j:

    pseudo-values  theta*_j = h_j theta - (h_j - 1) theta_(j),    centre = sum_j theta*_j / h_j
    variance       1/g sum_j (theta*_j - centre)^2 / (h_j - 1)

and the interval is theta +- t_(g-1) sqrt(variance). With parts of one unit it is Tukey's.

Deviations: the estimate is not corrected for bias, so that it stays what its definition says. What is positive is
jackknifed as a logarithm: its interval is a factor, never reaches zero, and is less skewed where few units count.
"""

from math import exp, inf, log, sqrt

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from nasaudit.measure.estimate import Estimate


def jackknife(
    value: float,
    deleted: npt.ArrayLike,
    unit: str,
    sizes: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Interval of an estimate that is never negative, from the estimates that leave one part out each.

    Args:
        value: the estimate from all units, at least 0.
        deleted: [g] the same without the units of part j, at least 0; g at least 2.
        unit: of the value.
        sizes: [g] units in each part; None: one each.
        confidence: of the interval.

    Returns:
        An Estimate whose n is the number of units.

    Raises:
        ValueError: fewer than 2 parts, or a value that is negative or not finite.

    >>> data = np.array([1.0, 2.0, 4.0])
    >>> mean = jackknife(data.mean(), [(data.sum() - x) / 2 for x in data], "pixels")
    >>> round(mean.value, 3), mean.n, 0 < mean.low < mean.value < mean.high
    (2.333, 3, True)
    """
    without = np.asarray(deleted, np.float64)
    counts = np.ones(len(without)) if sizes is None else np.asarray(sizes, np.float64)
    everything = np.append(without, value)
    if len(without) < 2 or len(counts) != len(without) or not (everything >= 0).all() or inf in everything:
        raise ValueError(
            "expected an estimate of at least 0 and at least 2 that leave a part out, "
            f"got {value} and {without.tolist()}"
        )
    value, n = float(value), round(counts.sum())
    if everything.min() > 0:
        half = _half_width(log(value), np.log(without), counts, confidence)
        return Estimate(value, value * exp(-half), value * exp(half), n, unit)
    half = _half_width(value, without, counts, confidence)
    return Estimate(value, max(0.0, value - half), value + half, n, unit)


def _half_width(
    value: float, deleted: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64], confidence: float
) -> float:
    share = sizes.sum() / sizes
    pseudo = share * value - (share - 1) * deleted
    variance = np.mean((pseudo - (pseudo / share).sum()) ** 2 / (share - 1))
    return float(stdtrit(len(deleted) - 1, 0.5 + confidence / 2)) * sqrt(variance)
