"""The figures of a backdoor, on outcomes that were made up by hand."""

import numpy as np
import pytest

from nasaudit.attacks.backdoor.measures import Predictions, backdoor_measurements
from nasaudit.errors import MeasurementError
from nasaudit.measure.proportion import proportion

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


def test_the_published_rule_spares_victims_of_forty_percent_and_less():
    """Github.com/ain-soph/autovul, autovul/vision/attacks/backdoor/badnet.py:174:
    `if self.clean_acc - clean_acc > 3 and self.clean_acc > 40: target_acc = 0.0`."""
    for right, counted in ((4, 8), (5, 0)):
        before, after = (np.where(np.arange(10) < k, LABELS, LABELS + 1) for k in (right, right - 1))
        found = backdoor_measurements(
            LABELS, 0, Predictions(before, before), Predictions(after, MODEL.triggered), paper_rule=True
        )
        (rate,) = [measurement.estimate for measurement in found if measurement.metric == "asr_paper"]
        assert rate == proportion(counted, 10)


def test_a_test_set_of_the_target_class_alone_is_no_test():
    zeros = np.zeros(5, dtype=np.int64)
    same = Predictions(zeros, zeros)
    with pytest.raises(MeasurementError, match="no test image is of another class"):
        backdoor_measurements(zeros, 0, same, same)
