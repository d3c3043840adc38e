import numpy as np
import pytest

from nasaudit.analysis.convergence.speed import convergence, early_accuracy, loss_area, running_mean, steps_to
from nasaudit.measure.estimate import exact
from nasaudit.spec.analyses import ConvergenceSpec


def test_running_mean_equals_a_loop():
    values = np.random.default_rng(0).random(50)
    for window in (1, 7, 50, 80):
        loop = [values[max(0, k - window + 1) : k + 1].mean() for k in range(50)]
        np.testing.assert_allclose(running_mean(values, window), loop, rtol=1e-12)


def test_steps_to_is_the_first_full_window_at_the_threshold():
    accuracy = [1.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    assert steps_to(accuracy, 0.9, window=1) == 1
    assert steps_to(accuracy, 0.9, window=2) == 6  # the lucky first batch does not count
    assert steps_to(accuracy, 0.9, window=3) == 7
    assert steps_to([0.1] * 9, 0.9, window=3) is None


def test_loss_area_of_an_exponential_is_its_integral():
    """The mean of exp(-t / 10) over [0, 100] is (1 - exp(-10)) / 10."""
    steps = np.arange(0, 100.01, 0.1)
    area = loss_area(np.exp(-steps / 10).tolist())
    assert area == pytest.approx((1 - np.exp(-10)) / 10, rel=1e-4)


def test_a_threshold_never_reached_is_a_lower_bound():
    measured = {
        dict(m.setting).get("accuracy"): m
        for m in convergence(ConvergenceSpec(), [1.0, 0.9], [0.6, 0.6], images_per_step=640)
    }
    assert measured["0.8"].estimate == exact(2, "steps", bound="lower")
    assert measured["0.5"].estimate.bound is None


def test_early_accuracy_is_the_running_mean_at_that_share_of_the_steps():
    """20 steps, window of 2: a tenth ends at step 2, a quarter at 5, a half at 10; shares are rounded up."""
    accuracy = [step / 20 for step in range(1, 21)]
    measured = {
        dict(m.setting)["share"]: m.estimate
        for m in convergence(ConvergenceSpec(), [1.0] * 20, accuracy, images_per_step=640)
        if m.metric == "early_accuracy"
    }
    assert {share: estimate.value for share, estimate in measured.items()} == pytest.approx(
        {"0.1": 0.075, "0.25": 0.225, "0.5": 0.475}
    )
    assert {estimate.unit for estimate in measured.values()} == {"fraction"}
    assert early_accuracy([0.0, 0.4, 0.8], 0.5, window=2) == pytest.approx(0.2)  # 1.5 steps: two
    assert early_accuracy([0.4, 1.0, 1.0], 0.1, window=9) == 0.4  # the first step, however short the training


def test_a_history_without_steps_is_refused():
    with pytest.raises(ValueError, match="at least 2 steps"):
        loss_area([1.0])


def test_the_spec_says_the_accuracies_the_window_and_the_shares():
    spec = ConvergenceSpec(accuracies=(0.7,), window_images=640, early=(1.0,))
    measured = {m.metric: m for m in convergence(spec, [1.0] * 4, [0.0, 0.8, 0.6, 1.0], images_per_step=640)}
    assert measured["steps_to_accuracy"].estimate.value == 2
    assert dict(measured["steps_to_accuracy"].setting)["accuracy"] == "0.7"
    assert measured["early_accuracy"].estimate.value == 1.0
