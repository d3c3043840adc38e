"""The only way a metric leaves a function: an Estimate, and with its name and setting a Measurement. No torch."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Bound = Literal["lower", "upper"]
Setting = tuple[tuple[str, str], ...]  # what a figure holds for: keys and texts


@dataclass(frozen=True)
class Estimate:
    """A measured value with its 95 % interval.

    Attributes:
        value: the point estimate.
        low: lower end of the interval; equals `value` for a quantity that has no sampling error.
        high: upper end.
        n: how many independent units the value rests on.
        unit: what is counted or measured ("fraction", "parameters", "seconds").
        bound: `lower`: the value is the least that it can be; `upper`: the most; None: neither.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    bound: Bound | None = None

    def within(self, least: float, most: float) -> "Estimate":
        """The same without what the quantity cannot be.

        >>> Estimate(0.9, 0.7, 1.1, 20, "fraction").within(0, 1).high
        1
        """
        return replace(self, low=max(self.low, least), high=min(self.high, most))


@dataclass(frozen=True)
class Measurement:
    """An Estimate with its name and the setting that it holds for (epsilon, norm, denominator)."""

    metric: str
    estimate: Estimate
    setting: Setting = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "setting", tuple((str(key), str(value)) for key, value in self.setting))


def exact(value: float, unit: str, n: int = 1, bound: Bound | None = None) -> Estimate:
    """A quantity that is computed, not sampled (a parameter count): its interval is the value."""
    return Estimate(float(value), float(value), float(value), n, unit, bound)
