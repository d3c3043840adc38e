"""What results say of the study that they are of."""

from pathlib import Path

import pytest

from nasaudit.results.provenance import without_places
from nasaudit.spec.study import StudySpec


@pytest.mark.parametrize("search", ["snas", {"name": "darts", "space": "nasbench201"}])
def test_a_field_that_is_none_stays_none_where_its_default_is_not(search):
    study = StudySpec.parse({"architectures": [{"search": search}], "data": "digits"})
    assert study.architectures[0].search.space.edges is None
    assert without_places(study, Path("/somewhere")) == study
