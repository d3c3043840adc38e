import numpy as np
import pytest

from nasaudit.attacks.poisoning.measures import (
    accuracy_measurements,
    drop_area,
    matching_measurements,
    target_measurements,
)
from nasaudit.errors import MeasurementError
from nasaudit.measure.estimate import exact
from nasaudit.measure.proportion import proportion


def test_accuracy_and_its_drop_against_a_hand_computation() -> None:
    clean = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], bool)
    tenth = np.array([1, 1, 1, 1, 1, 1, 0, 1, 1, 0], bool)
    half = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], bool)
    found = {
        (m.metric, m.setting): m.estimate
        for m in accuracy_measurements(clean, {0.0: clean, 0.1: tenth, 0.5: half})
    }
    assert {metric for metric, _ in found} == {"clean_accuracy", "cad", "cad_area"}

    def at(metric: str, fraction: str):
        return found[metric, (("fraction", fraction),)]

    assert [at("clean_accuracy", f).value for f in ("0", "0.1", "0.5")] == [0.8, 0.8, 0.3]
    assert at("cad", "0") == exact(0.0, "fraction", 10)
    assert at("cad", "0.1").value == 0
    assert at("cad", "0.1").low < 0 < at("cad", "0.1").high
    assert at("cad", "0.5").value == 0.5
    assert at("cad", "0.5").unit == "fraction"
    # Trapezoids: 0 over [0, .1], then from 0 to .5 over [.1, .5], divided by .5.
    assert found["cad_area", ()].value == pytest.approx(0.5 * 0.5 * 0.4 / 0.5)


def test_a_model_that_gained_has_a_negative_drop() -> None:
    clean, better = np.array([1, 0, 0, 0], bool), np.array([1, 1, 1, 0], bool)
    (_, drop) = accuracy_measurements(clean, {0.1: better})
    assert drop.estimate.value == -0.5


def test_at_fraction_zero_the_clean_model_is_demanded() -> None:
    clean, other = np.array([1, 0], bool), np.array([0, 1], bool)
    with pytest.raises(MeasurementError, match="fraction 0"):
        accuracy_measurements(clean, {0.0: other})


def test_the_area_is_the_mean_drop_over_fractions() -> None:
    assert drop_area(np.array([0.2, 0.2]), (0.2, 0.4)) == pytest.approx(0.15)  # a triangle, then a rectangle
    assert drop_area(np.array([[0.1], [0.3]]), (0.5,)).tolist() == pytest.approx([0.05, 0.15])


def test_targets_are_counted_and_their_confidence_compared() -> None:
    clean = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    poisoned = np.array([[0.3, 0.6, 0.1], [0.3, 0.5, 0.2], [0.1, 0.0, 0.9]])
    classes = np.array([1, 0, 2])
    found = {m.metric: m.estimate for m in target_measurements(0.05, clean, poisoned, classes)}
    assert found["asr"] == proportion(2, 3)
    assert found["floor"] == proportion(1, 3)
    assert found["confidence_gain"].value == pytest.approx((0.5 + 0.1 + 0.2) / 3)
    before, after = matching_measurements(0.05, np.array([1.0, 0.8]), np.array([0.5, 0.3]))
    assert (before.estimate.value, after.estimate.value) == pytest.approx((0.9, 0.4))
    assert dict(after.setting) == {"fraction": "0.05", "poison": "after"}
