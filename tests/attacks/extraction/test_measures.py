"""Each figure against scipy, scikit-learn, or its formula written out image by image in float64."""

import math

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import accuracy_score, log_loss

from nasaudit.attacks.extraction.measures import absolute_error, cross_entropy, kl_divergence, likeness
from nasaudit.errors import MeasurementError

RNG = np.random.default_rng(3)
VICTIM, SURROGATE = RNG.normal(0, 4, (200, 10)), RNG.normal(0, 4, (200, 10))
LABELS = RNG.integers(0, 10, 200)
P, S = softmax(VICTIM, axis=1), softmax(SURROGATE, axis=1)


def test_the_cross_entropy_is_that_of_a_sum_written_out():
    by_hand = [-sum(p * math.log(s) for p, s in zip(*pair, strict=True)) for pair in zip(P, S, strict=True)]
    np.testing.assert_allclose(cross_entropy(VICTIM, SURROGATE), by_hand, rtol=1e-10)


def test_the_cross_entropy_of_a_certain_victim_is_sklearns_log_loss():
    certain = 1e3 * np.eye(10)[LABELS]
    assert cross_entropy(certain, SURROGATE).mean() == pytest.approx(
        log_loss(LABELS, S, labels=list(range(10)))
    )


def test_the_divergence_is_scipys():
    np.testing.assert_allclose(kl_divergence(VICTIM, SURROGATE), entropy(P, S, axis=1), rtol=1e-9)


def test_the_divergence_is_the_cross_entropy_without_the_victims_own_entropy():
    np.testing.assert_allclose(
        kl_divergence(VICTIM, SURROGATE), cross_entropy(VICTIM, SURROGATE) - entropy(P, axis=1), atol=1e-10
    )


def test_a_perfect_copy_has_no_divergence_and_its_cross_entropy_is_the_entropy():
    assert np.abs(kl_divergence(VICTIM, VICTIM)).max() == 0
    np.testing.assert_allclose(cross_entropy(VICTIM, VICTIM), entropy(P, axis=1), atol=1e-10)


def test_the_absolute_error_is_numpys():
    np.testing.assert_allclose(absolute_error(VICTIM, SURROGATE), np.abs(P - S).mean(axis=1), atol=1e-12)


def test_probabilities_do_not_change_when_a_constant_is_added_to_the_logits():
    np.testing.assert_allclose(cross_entropy(VICTIM + 50, SURROGATE - 900), cross_entropy(VICTIM, SURROGATE))


def test_agreement_and_accuracy_are_sklearns_and_every_mean_lies_in_its_interval():
    found = {m.metric: m for m in likeness(VICTIM, SURROGATE, LABELS, (("budget", "5"),))}
    says, copies = VICTIM.argmax(1), SURROGATE.argmax(1)
    assert found["agreement"].estimate.value == accuracy_score(says, copies)
    assert found["surrogate_accuracy"].estimate.value == accuracy_score(LABELS, copies)
    assert found["kl"].estimate.value == pytest.approx(entropy(P, S, axis=1).mean())
    for measurement in found.values():
        estimate = measurement.estimate
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == 200
        assert measurement.setting == (("budget", "5"),)


def test_the_intervals_of_means_are_as_wide_as_the_normal_approximation_says():
    found = {m.metric: m.estimate for m in likeness(VICTIM, SURROGATE, LABELS, ())}
    standard_error = entropy(P, S, axis=1).std() / math.sqrt(200)
    assert found["kl"].high - found["kl"].low == pytest.approx(2 * 1.96 * standard_error, rel=0.15)


def test_a_surrogate_that_broke_is_no_measurement():
    broken = SURROGATE.copy()
    broken[3, 3] = np.nan
    with pytest.raises(MeasurementError, match="finite logits of the surrogate"):
        likeness(VICTIM, broken, LABELS, ())
