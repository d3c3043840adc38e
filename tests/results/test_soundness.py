"""What is asked of a file of results is what attacks write: the check refuses nobody's own study."""

import numpy as np
import pytest

from nasaudit.attacks.evasion.measures import effort_measurements
from nasaudit.results.schema import StudyResults
from nasaudit.results.soundness import NEEDED, problems
from nasaudit.spec.attacks import PgdSpec, SquareSpec


@pytest.mark.parametrize("spec", [PgdSpec(), SquareSpec()], ids=lambda spec: spec.name)
def test_effort_has_the_settings_that_its_figure_reads(spec) -> None:
    count = np.arange(20)
    measured = effort_measurements(spec, 8 / 255, count, count + 1, np.ones(20, bool))
    assert {measurement.metric for measurement in measured} & {"asr_by_queries", "asr_by_steps"}
    for measurement in measured:
        needed = NEEDED.get(("evasion", measurement.metric), {})
        setting = dict(measurement.setting)
        assert all(fits(setting[key]) for key, fits in needed.items())


def test_a_study_of_our_own_is_sound(pgd_study) -> None:
    study: StudyResults = pgd_study(bounded=["darts"], failed=1)
    assert list(problems(study)) == []
