"""By how much a figure moved between two studies of the same thing, from their rows alone. No torch.

Trained with the same seeds, two studies are pairs: the luck that a seed brings to both cancels in its difference.
The mean of the differences has Student's interval over seeds (`stats.crossed` with a single image), which tells how
another set of trainings would come out on these images. Where that cannot be made (one seed, no seed in common, or
differences that are all the same), the two rows are taken for independent, and their own intervals are combined:

- Newcombe, "Interval Estimation for the Difference Between Independent Proportions: Comparison of Eleven Methods",
  Statistics in Medicine 17, 1998, method 10.
- Zou & Donner, "Construction of Confidence Limits About Effect Measures: A General Approach", Statistics in Medicine
  27, 2008, who show that it holds for any two estimates with intervals of their own.

Before theta_1 with (l_1, u_1), after theta_2 with (l_2, u_2), difference d = theta_2 - theta_1:

    L = d - sqrt((theta_2 - l_2)^2 + (u_1 - theta_1)^2),  U = d + sqrt((u_2 - theta_2)^2 + (theta_1 - l_1)^2)

Deviations: the rows of two studies on the same images are correlated, mostly positively, by how much they do not
tell; so the independent interval is wider than it must be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

from nasaudit.measure.estimate import Estimate
from nasaudit.stats.crossed import crossed_mean

How = Literal["seeds", "independent", "exact"]


@dataclass(frozen=True)
class Change:
    """A difference, after minus before.

    Attributes:
        estimate: n is the number of pairs of seeds, or the smaller n of two independent rows.
        how: `seeds`: Student's interval over pairs of seeds; `independent`: the two intervals combined; `exact`:
            neither side has a sampling error.
    """

    estimate: Estimate
    how: How


def independent_change(before: Estimate, after: Estimate) -> Change:
    """The difference of two estimates that know nothing of each other.

    >>> before, after = Estimate(0.25, 0.22, 0.28, 500, "fraction"), Estimate(0.5, 0.46, 0.54, 400, "fraction")
    >>> change = independent_change(before, after)
    >>> round(change.estimate.low, 3), change.estimate.value, round(change.estimate.high, 3), change.how
    (0.2, 0.25, 0.3, 'independent')
    """
    value = after.value - before.value
    below = hypot(after.value - after.low, before.high - before.value)
    above = hypot(after.high - after.value, before.value - before.low)
    n = min(before.n, after.n)
    change = Estimate(value, value - below, value + above, n, after.unit)
    return Change(possible(change, (before, after)), "exact" if below == above == 0 else "independent")


def combined(of: Callable[..., float], *estimates: Estimate) -> Estimate:
    """A figure made of estimates that know nothing of each other, in the unit of the first.

    Zou and Donner's rule beyond differences: each estimate is moved to its two ends alone, and what that adds and
    takes away is summed in quadrature. Of a difference, that is `independent_change`.

    >>> before, after = Estimate(0.25, 0.22, 0.28, 500, "fraction"), Estimate(0.5, 0.46, 0.54, 400, "fraction")
    >>> difference = combined(lambda second, first: second - first, after, before)
    >>> round(difference.low, 3), difference.value, round(difference.high, 3), difference.n
    (0.2, 0.25, 0.3, 400)
    """
    values = [estimate.value for estimate in estimates]
    value = of(*values)
    below, above = [], []
    for place, estimate in enumerate(estimates):
        ends = [
            of(*values[:place], end, *values[place + 1 :]) - value for end in (estimate.low, estimate.high)
        ]
        below.append(min(*ends, 0.0))
        above.append(max(*ends, 0.0))
    n = min(estimate.n for estimate in estimates)
    return Estimate(value, value - hypot(*below), value + hypot(*above), n, estimates[0].unit)


def paired_change(pairs: Sequence[tuple[Estimate, Estimate]]) -> Change | None:
    """The mean difference over pairs of seeds; None where their differences have no spread, which is no certainty.

    Args:
        pairs: before and after, one for each seed.
    """
    differences = [[after.value - before.value] for before, after in pairs]
    tested = crossed_mean(differences, pairs[0][1].unit) if pairs else None
    if tested is None:
        return None
    return Change(possible(tested.estimate, [side for pair in pairs for side in pair]), "seeds")


def possible(change: Estimate, sides: Sequence[Estimate] = ()) -> Estimate:
    """Without what the difference of two shares cannot be.

    Args:
        change: a difference.
        sides: what it is the difference of, where they might be no shares themselves (a drop of accuracy).
    """
    if change.unit != "fraction" or any(side.low < 0 or side.high > 1 for side in sides):
        return change
    return change.within(-1.0, 1.0)
