"""Results with very many rows are read without them; whoever wants one of them gets it, and sees no difference."""

import json

import pytest

from nasaudit.errors import StoreError
from nasaudit.results import folder as folders
from nasaudit.results.folder import BRIEF_FILE, RESULTS_FILE, StudyFolder
from nasaudit.results.large.later import INDEX, in_brief


@pytest.fixture
def folder(pgd_study, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MANY", 5)
    path = tmp_path / "study"
    path.mkdir()
    StudyFolder(path).write(pgd_study(), "")
    return path


def test_no_row_is_read_before_one_is_wanted_and_then_all_are_the_same(folder, pgd_study):
    whole = pgd_study()
    results = StudyFolder(folder).results()
    assert len(results.rows) == len(whole.rows)
    assert results.headlines == whole.headlines
    assert all(headline.rows for headline in results.headlines)
    assert results.rows._all is None
    assert list(results.rows) == whole.rows
    assert results.rows[3] == whole.rows[3]
    assert results.model_copy(update={"rows": list(results.rows)}) == whole


def test_an_altered_file_is_read_as_a_whole(folder):
    path = folder / RESULTS_FILE
    content = json.loads(path.read_text())
    content["rows"][0]["value"] = 2.0  # of a share
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="is not between 0 and 1"):
        StudyFolder(folder).results()


@pytest.mark.parametrize("content", ["", "{}", '{"sha256": "", "head": 1e9, "count": 1, "rows": {}}'])
def test_a_brief_of_rubbish_counts_as_absent(folder, content):
    (folder / BRIEF_FILE).write_text(content)
    assert isinstance(StudyFolder(folder).results().rows, list)


def test_a_brief_whose_rows_are_nonsense_is_refused(folder):
    path = folder / BRIEF_FILE
    brief = json.loads(path.read_text())
    for row in brief["rows"].values():
        row["architecture"] = "nowhere"
    path.write_text(json.dumps(brief))
    with pytest.raises(StoreError, match="nowhere"):
        StudyFolder(folder).results()


def test_results_of_a_newer_format_are_refused(folder):
    path = folder / RESULTS_FILE
    path.write_text(path.read_text().replace('"format": ', '"format": 9', 1))
    with pytest.raises(StoreError, match="newer version"):
        StudyFolder(folder).results()


def test_in_brief_verdicts_rest_on_the_same_rows(folder, pgd_study):
    whole, brief = pgd_study(), in_brief(StudyFolder(folder).results())
    assert len(brief.rows) < len(whole.rows)
    assert brief.flags[0].kind == INDEX
    for ours, theirs in zip(brief.headlines, whole.headlines, strict=True):
        assert ours.rows == theirs.rows
        assert {name: brief.rows[place] for name, place in ours.positions.items()} == theirs.rows
    for ours, theirs in zip(brief.threats, whole.threats, strict=True):
        for our, their in zip(ours.figures, theirs.figures, strict=True):
            assert brief.rows[our.position] == whole.rows[their.position]
    assert in_brief(whole).rows == brief.rows
