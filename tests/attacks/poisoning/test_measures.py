import numpy as np
import pytest

from nasaudit.attacks.poisoning.measures import (
    accuracy_measurements,
    drop_area,
    matching_measurements,
    paired_difference,
    target_measurements,
)
from nasaudit.errors import MeasurementError
from nasaudit.measure.estimate import exact, proportion


def fourfold(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes of so many units that succeed twice, only first, only second, never."""
    counts = (both, first, second, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


# Published values of Newcombe's method 10 (square-and-add) for paired shares: Fagerland, Lydersen and Laake,
# "Statistical Analysis of Contingency Tables", 2017, chapter 8, on the data of Bentur 2009 and of Cavo 2012.
@pytest.mark.parametrize(
    ("counts", "value", "low", "high"),
    [((1, 1, 7, 12), -0.286, -0.507, -0.026), ((59, 6, 16, 80), -0.0621, -0.1186, -0.0046)],
)
def test_the_interval_of_a_paired_difference_is_the_published_one(counts, value, low, high) -> None:
    found = paired_difference(*fourfold(*counts))
    digits = 3 if value == -0.286 else 4
    assert round(found.value, digits) == value
    assert round(found.low, digits) == low
    assert round(found.high, digits) == high
    assert found.n == sum(counts)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Simulated pairs with a known difference: an interval that ignored the pairing would cover far too often."""
    rng = np.random.default_rng(0)
    chances = np.array([0.86, 0.09, 0.02, 0.03])  # accuracies .95 and .88
    covered, width, unpaired = 0, [], []
    for counts in rng.multinomial(400, chances, size=800):
        first, second = fourfold(*counts)
        found = paired_difference(first, second)
        covered += found.low <= 0.07 <= found.high
        width.append(found.high - found.low)
        one, other = (proportion(int(x.sum()), 400) for x in (first, second))
        unpaired.append(2 * np.hypot((one.high - one.low) / 2, (other.high - other.low) / 2))
    assert 0.93 <= covered / 800 <= 0.98
    assert np.mean(width) < np.mean(unpaired)


def test_no_interval_is_empty_or_beyond_one() -> None:
    for counts in [(10, 0, 0, 0), (0, 0, 0, 10), (0, 10, 0, 0), (5, 0, 0, 5), (1, 0, 0, 0), (0, 1, 0, 0)]:
        found = paired_difference(*fourfold(*counts))
        assert -1 <= found.low <= found.value <= found.high <= 1
        assert found.high > found.low


def test_units_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="got 3 and 2"):
        paired_difference(np.ones(3, bool), np.ones(2, bool))


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
