"""AUC, its interval, and true positive rates against brute force, scikit-learn and simulation."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from nasaudit.attacks.membership.base import Scores
from nasaudit.attacks.membership.measures import (
    ROC_POINTS,
    auc,
    delong,
    hanley_mcneil_interval,
    membership_measurements,
    roc,
    roc_curves,
    thinned_roc,
    tpr_at_fpr,
)
from nasaudit.errors import MeasurementError
from nasaudit.spec.attacks import GapSpec, LiraSpec


def draw(m=60, n=45, shift=0.7, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    members, others = rng.normal(shift, 1.2, m), rng.normal(0, 1, n)
    if levels is not None:  # coarse scores, so that many tie
        members, others = np.round(members * levels), np.round(others * levels)
    return members, others


def labelled(members, others):
    return np.r_[np.ones(len(members)), np.zeros(len(others))], np.r_[members, others]


def delong_by_pairs(members, others):
    """The definition, pair by pair."""
    psi = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in others] for x in members])
    area = psi.mean()
    s10 = sum((psi[i].mean() - area) ** 2 for i in range(len(members))) / (len(members) - 1)
    s01 = sum((psi[:, j].mean() - area) ** 2 for j in range(len(others))) / (len(others) - 1)
    return area, s10 / len(members) + s01 / len(others)


@pytest.mark.parametrize("levels", [None, 2, 0.5])
def test_delong_is_the_mean_over_pairs_and_their_variance(levels):
    members, others = draw(levels=levels)
    assert delong(members, others) == pytest.approx(delong_by_pairs(members, others), abs=1e-12)


@pytest.mark.parametrize(("shift", "levels"), [(0.7, None), (-0.7, None), (0.3, 1)])
def test_the_auc_is_that_of_scikit_learn_and_is_not_folded(shift, levels):
    members, others = draw(shift=shift, levels=levels)
    estimate = auc(members, others)
    assert estimate.value == pytest.approx(roc_auc_score(*labelled(members, others)), abs=1e-12)
    assert estimate.low < estimate.value < estimate.high
    assert (estimate.value < 0.5) == (shift < 0)
    assert (estimate.n, estimate.unit) == (105, "auc")


def test_swapping_members_and_others_mirrors_the_auc_and_its_interval():
    members, others = draw()
    one, other = auc(members, others), auc(others, members)
    assert (other.value, other.low, other.high) == pytest.approx(
        (1 - one.value, 1 - one.high, 1 - one.low), abs=1e-12
    )


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.5])
def test_the_interval_holds_the_truth_95_times_of_100(shift):
    truth = 0.5 * (1 + math.erf(shift / 2))  # of two unit normals so far apart
    rng = np.random.default_rng(1)
    held = [
        (estimate := auc(rng.normal(shift, 1, 80), rng.normal(0, 1, 80))).low <= truth <= estimate.high
        for _ in range(600)
    ]
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_perfect_separation_does_not_prove_an_auc_of_one():
    estimate = auc(np.arange(100) + 200.0, np.arange(100))
    assert (estimate.value, estimate.high) == (1, 1)
    assert 0.95 < estimate.low < 0.995
    wrong = auc(np.arange(100), np.arange(100) + 200.0)
    assert (wrong.value, wrong.low) == (0, 0)
    assert wrong.high == pytest.approx(1 - estimate.low, abs=1e-9)


def test_scores_that_all_tie_are_guesses():
    estimate = auc(np.ones(100), np.ones(100))
    assert estimate.value == 0.5
    assert estimate.low == pytest.approx(0.5 - 0.08, abs=0.01)  # 1.96 sqrt((2 n + 1) / (12 n^2))
    assert estimate.high == pytest.approx(1 - estimate.low, abs=1e-9)


def test_the_ends_of_the_score_interval_are_196_of_their_own_standard_errors_away():
    for value, m, n in ((0.9, 30, 50), (1.0, 20, 20), (0.5, 1000, 1000)):
        for end in hanley_mcneil_interval(value, m, n):
            if 0 < end < 1:
                q1, q2 = end / (2 - end), 2 * end**2 / (1 + end)
                variance = (end * (1 - end) + (m - 1) * (q1 - end**2) + (n - 1) * (q2 - end**2)) / (m * n)
                assert abs(value - end) == pytest.approx(1.959964 * math.sqrt(variance), rel=1e-6)


@pytest.mark.parametrize("levels", [None, 3, 1])
@pytest.mark.parametrize("fpr", [0.01, 0.05, 0.3])
def test_the_true_positive_rate_is_the_highest_of_the_roc_up_to_that_false_positive_rate(fpr, levels):
    members, others = draw(300, 200, levels=levels)
    x, y, _ = roc_curve(*labelled(members, others), drop_intermediate=False)
    assert tpr_at_fpr(members, others, fpr).value == pytest.approx(y[x <= fpr + 1e-12].max(), abs=1e-12)


def test_one_false_positive_among_a_thousand_is_allowed_at_a_tenth_of_a_percent():
    others = np.arange(1000.0)
    members = np.array([998.5, 999.5, 997.5, 0.0])
    # 0.001 * 1000 is 1: the highest non-member may be taken for a member, the next may not.
    assert tpr_at_fpr(members, others, 0.001).value == 0.5


def test_a_false_positive_rate_below_one_image_is_refused():
    with pytest.raises(ValueError, match="from 1/45"):
        tpr_at_fpr(*draw(), 0.01)


@pytest.mark.parametrize(("n", "fpr"), [(200, 0.05), (100, 0.01)])
def test_the_interval_of_the_true_positive_rate_covers_both_draws(n, fpr):
    """Members and non-members are drawn anew each time; the truth is that of the whole distribution."""
    rng = np.random.default_rng(2)
    shift = 1.0
    population = np.sort(rng.normal(0, 1, 2_000_000))
    threshold = population[int((1 - fpr) * len(population))]
    truth = 0.5 * math.erfc((threshold - shift) / math.sqrt(2))
    held, given_the_threshold = [], []
    for _ in range(400):
        members, others = rng.normal(shift, 1, n), rng.normal(0, 1, n)
        estimate = tpr_at_fpr(members, others, fpr)
        held.append(estimate.low <= truth <= estimate.high)
        half = 1.96 * math.sqrt(estimate.value * (1 - estimate.value) / n)
        given_the_threshold.append(abs(estimate.value - truth) <= half)
    assert np.mean(held) >= 0.95
    # What the usual interval, which takes the threshold as known, would have given.
    assert np.mean(given_the_threshold) < 0.9


def test_with_one_expected_false_positive_there_is_no_lower_bound():
    members, others = draw(1000, 1000, shift=2)
    assert tpr_at_fpr(members, others, 0.001).low == 0
    assert tpr_at_fpr(members, others, 0.01).low > 0


def test_the_roc_is_that_of_scikit_learn():
    members, others = draw(200, 150, levels=2)
    x, y, _ = roc_curve(*labelled(members, others), drop_intermediate=False)
    fpr, tpr = roc(members, others)
    assert np.allclose(fpr, x)
    assert np.allclose(tpr, y)


@pytest.mark.parametrize("levels", [None, 5])
def test_a_thinned_roc_is_a_part_of_the_roc_with_its_ends(levels):
    members, others = draw(3000, 3000, levels=levels)
    whole = set(zip(*roc(members, others), strict=True))
    x, y = thinned_roc(members, others)
    assert len(x) <= ROC_POINTS
    assert set(zip(x, y, strict=True)) <= whole
    assert (x[-1], y[-1]) == (1, 1)
    assert x[0] == 0
    assert y[0] == max(tpr for fpr, tpr in whole if fpr == 0)
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()
    if levels is None:  # the lower end is drawn as finely as it was measured
        assert {1 / 3000, 2 / 3000, 3 / 3000} <= set(x)


def test_the_measurements_of_a_shadow_attack_say_its_mode_and_its_cost():
    members, others = draw(1000, 1000)
    member = np.r_[np.ones(1000, bool), np.zeros(1000, bool)]
    scores = Scores(np.r_[members, others])
    found = membership_measurements(LiraSpec(models=16), scores, member, asked=4000)
    assert [(m.metric, dict(m.setting)) for m in found] == [
        ("auc", {"mode": "online"}),
        ("tpr_at_fpr", {"fpr": "0.001", "mode": "online"}),
        ("tpr_at_fpr", {"fpr": "0.01", "mode": "online"}),
        ("queries", {"mode": "online"}),
        ("shadow_models", {"mode": "online"}),
    ]
    assert [m.estimate.value for m in found[3:]] == [2, 16]
    (curve,) = roc_curves(LiraSpec(), scores, member)
    assert (curve["name"], curve["setting"]) == ("roc", {"mode": "online"})


def test_a_planted_defect_shows_in_the_auc():
    """A sign turned over, or the truth turned over: the AUC falls as far below one half as it was above."""
    members, others = draw(1000, 1000)
    member = np.r_[np.ones(1000, bool), np.zeros(1000, bool)]
    scores = np.r_[members, others]
    right = membership_measurements(GapSpec(), Scores(scores), member, 2000)[0].estimate
    flipped = membership_measurements(GapSpec(), Scores(-scores), member, 2000)[0].estimate
    swapped = membership_measurements(GapSpec(), Scores(scores), ~member, 2000)[0].estimate
    assert right.low > 0.5 > flipped.high
    assert flipped.value == pytest.approx(1 - right.value, abs=1e-12)
    assert swapped.value == pytest.approx(1 - right.value, abs=1e-12)


def test_queries_of_single_images_are_averaged_with_an_interval():
    member = np.arange(100) < 50
    counts = np.arange(100) + 100
    found = membership_measurements(GapSpec(), Scores(np.arange(100.0), counts), member, asked=1)
    (queries,) = [m.estimate for m in found if m.metric == "queries"]
    assert queries.value == counts.mean()
    assert queries.low < queries.value < queries.high


@pytest.mark.parametrize("bad", [[0.1], [0.1, np.nan, 0.2], [np.inf, 0.0]])
def test_scores_that_are_no_numbers_are_refused(bad):
    with pytest.raises(MeasurementError, match="at least two finite scores"):
        auc(bad, [0.0, 1.0])
    with pytest.raises(MeasurementError, match="at least two finite scores"):
        auc([0.0, 1.0], bad)
