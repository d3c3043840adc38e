"""The figures of a backdoor, on outcomes that were made up by hand, and the interval of a paired difference."""

import numpy as np
import pytest

from nasaudit.attacks.backdoor.measures import Predictions, backdoor_measurements, paired_difference
from nasaudit.errors import MeasurementError
from nasaudit.measure.estimate import proportion

LABELS = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
VICTIM = Predictions(LABELS.copy(), np.array([0, 0, 1, 1, 0, 2, 2, 3, 3, 3]))
MODEL = Predictions(
    np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 0]),  # one error more
    np.array([0, 0, 0, 0, 0, 0, 2, 0, 0, 3]),  # 6 of the 8 images of other classes
)


def figures(**changes):
    found = backdoor_measurements(LABELS, 0, VICTIM, MODEL, **changes)
    return {measurement.metric: measurement.estimate for measurement in found}


def test_only_images_of_other_classes_count_in_the_success_rate():
    found = figures()
    assert found["asr"] == proportion(6, 8)  # with the two true zeros it were 8 of 10
    assert found["floor"] == proportion(1, 8)
    assert found["clean_accuracy"] == proportion(9, 10)
    assert found["cad"].value == pytest.approx(0.1)
    assert "asr_paper" not in found


def test_the_published_rate_counts_the_target_class_too_and_is_zeroed_by_its_rule():
    assert figures(paper_rule=True)["asr_paper"] == proportion(0, 10)  # accuracy fell by 10 points
    same = Predictions(VICTIM.clean, MODEL.triggered)
    found = backdoor_measurements(LABELS, 0, VICTIM, same, paper_rule=True)
    (rate,) = [measurement.estimate for measurement in found if measurement.metric == "asr_paper"]
    assert rate == proportion(8, 10)


def test_a_test_set_of_the_target_class_alone_is_no_test():
    zeros = np.zeros(5, dtype=np.int64)
    same = Predictions(zeros, zeros)
    with pytest.raises(MeasurementError, match="no test image is of another class"):
        backdoor_measurements(zeros, 0, same, same)


def outcomes(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    one = np.repeat([True, True, False, False], (both, first, second, neither))
    other = np.repeat([True, False, True, False], (both, first, second, neither))
    return one, other


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [  # the paper's examples of method 10: cells e, f, g, h
        ((36, 12, 2, 0), 0.0569, 0.3404),
        ((20, 12, 2, 16), 0.0562, 0.3292),
    ],
)
def test_the_interval_of_a_paired_difference_is_newcombes(table, low, high):
    found = paired_difference(*outcomes(*table))
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-4)


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    shares = np.array([0.92, 0.05, 0.02, 0.01])  # true difference .03
    held = 0
    for _ in range(1000):
        cells = rng.multinomial(300, shares)
        found = paired_difference(*outcomes(*cells))
        held += found.low <= 0.03 <= found.high
    assert 0.93 <= held / 1000 <= 0.985


def test_pairs_that_agree_make_a_narrower_interval_than_independent_ones():
    paired = paired_difference(*outcomes(940, 20, 10, 30))
    one, other = proportion(960, 1000), proportion(950, 1000)
    assert paired.value == pytest.approx(0.01)
    assert paired.high - paired.low < 0.8 * np.hypot(one.high - one.low, other.high - other.low)


def test_no_difference_at_all_still_has_an_interval():
    found = paired_difference(*outcomes(100, 0, 0, 0))
    assert found.low < 0 == found.value < found.high
