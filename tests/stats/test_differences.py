"""Intervals of a difference: against scipy, published examples, and how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from nasaudit.measure.estimate import Estimate, exact
from nasaudit.measure.proportion import proportion
from nasaudit.stats.differences import combined, independent_change, paired_change


def share(value: float, n: int = 500) -> Estimate:
    return proportion(round(value * n), n)


def test_independent_shares_get_newcombes_interval_of_his_first_example() -> None:
    # Newcombe 1998, table II, case (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    change = independent_change(proportion(48, 80), proportion(56, 70))
    assert change.estimate.value == pytest.approx(0.2)
    assert (change.estimate.low, change.estimate.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert (change.how, change.estimate.n) == ("independent", 70)


def test_what_is_computed_and_not_sampled_has_an_exact_difference() -> None:
    change = independent_change(exact(3, "edges"), exact(5, "edges"))
    assert (change.estimate.value, change.estimate.low, change.estimate.high) == (2, 2, 2)
    assert change.how == "exact"


def test_pairs_of_seeds_get_students_interval_of_their_differences() -> None:
    before, after = [0.30, 0.35, 0.41, 0.22], [0.33, 0.36, 0.47, 0.24]
    change = paired_change([(share(a), share(b)) for a, b in zip(before, after, strict=True)])
    assert change is not None
    expected = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert (change.estimate.low, change.estimate.high) == pytest.approx(
        (expected.low, expected.high), abs=1e-12
    )
    assert (change.how, change.estimate.n) == ("seeds", 4)


@pytest.mark.parametrize(
    "pairs", [[(0.2, 0.3)], [(0.2, 0.3), (0.3, 0.4)], [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0)]]
)
def test_seeds_without_any_spread_are_no_certainty(pairs: list[tuple[float, float]]) -> None:
    assert paired_change([(share(a), share(b)) for a, b in pairs]) is None


def test_the_difference_of_two_shares_stays_within_what_it_can_be() -> None:
    change = paired_change([(share(0.0), share(1.0)), (share(0.0), share(0.5))])
    assert change is not None
    assert (change.estimate.low, change.estimate.high) == (-1.0, 1.0)


def test_intervals_hold_the_true_difference_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    paired = independent = 0
    studies = 2000
    for _ in range(studies):
        seeds = rng.normal(0, 0.05, 4)  # luck of a seed, the same before and after
        rates = 0.4 + seeds + rng.normal(0, 0.01, 4), 0.5 + seeds + rng.normal(0, 0.01, 4)
        before, after = (rng.binomial(400, of.clip(0, 1)) / 400 for of in rates)
        change = paired_change([(share(a, 400), share(b, 400)) for a, b in zip(before, after, strict=True)])
        paired += change is None or change.estimate.low <= 0.1 <= change.estimate.high
        one = independent_change(
            share(rng.binomial(200, 0.4) / 200, 200), share(rng.binomial(300, 0.5) / 300, 300)
        )
        independent += one.estimate.low <= 0.1 <= one.estimate.high
    assert 0.935 <= paired / studies <= 0.965
    assert 0.935 <= independent / studies <= 0.965


def test_a_figure_made_of_estimates_has_an_interval_that_covers() -> None:
    """Of what was copied beyond accuracy, from binomial counts; and as wide as the delta method has it."""
    random, n, classes = np.random.default_rng(0), 800, 10
    truth = np.array([0.8, 0.7, 0.65])

    def kappa(agreed: float, first: float, second: float) -> float:
        expected = first * second + (1 - first) * (1 - second) / (classes - 1)
        return (agreed - expected) / (1 - expected)

    draws = random.binomial(n, truth, size=(2000, 3))
    made = [combined(kappa, *(proportion(int(count), n) for count in counts)) for counts in draws]
    covered = np.mean([estimate.low <= kappa(*truth) <= estimate.high for estimate in made])
    assert abs(covered - 0.95) < 0.02
    steps = np.eye(3) * 1e-6
    slopes = np.array([(kappa(*(truth + step)) - kappa(*(truth - step))) / 2e-6 for step in steps])
    deviation = np.sqrt((slopes**2 * truth * (1 - truth) / n).sum())
    assert np.mean([estimate.high - estimate.low for estimate in made]) == pytest.approx(
        3.92 * deviation, rel=0.03
    )
