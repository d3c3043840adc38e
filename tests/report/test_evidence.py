from pathlib import Path

import pytest

from nasaudit.report.evidence import Evidence


@pytest.fixture
def evidence(make_study, tmp_path: Path) -> Evidence:
    return Evidence(make_study(seeds=(0, 3)), tmp_path)


def test_pooled_row_is_the_one_over_all_seeds(evidence: Evidence) -> None:
    row = evidence.accuracy("darts")
    assert row is not None
    assert (row.seed, row.n) == ("all", 2000)
    every = evidence.rows("darts", "training", "clean_accuracy", split="test")
    assert sorted(str(row.seed) for row in every) == ["0", "3", "all"]


def test_a_single_replicate_serves_as_the_pooled_row(evidence: Evidence) -> None:
    rows = [row for row in evidence.results.rows if row.seed == 3]
    alone = Evidence(evidence.results.model_copy(update={"rows": rows}), evidence.folder)
    row = alone.accuracy("darts")
    assert row is not None
    assert row.seed == 3


def test_two_replicates_without_a_pooled_row_are_not_guessed_at(evidence: Evidence) -> None:
    rows = [row for row in evidence.results.rows if row.seed != "all"]
    unpooled = Evidence(evidence.results.model_copy(update={"rows": rows}), evidence.folder)
    assert unpooled.accuracy("darts") is None


def test_absent_rows_are_none(evidence: Evidence) -> None:
    assert evidence.pooled("darts", "evasion", "asr", "pgd", epsilon="99/255") is None
    assert evidence.pooled("darts", "evasion", "asr", "square", epsilon="8/255") is None
    assert evidence.pooled("nobody", "training", "clean_accuracy") is None
    assert evidence.of_family("membership") == []


def test_titles_are_unique_though_a_user_takes_a_known_name(make_study, tmp_path: Path) -> None:
    evidence = Evidence(make_study(renamed={"resnet": "DARTS"}), tmp_path)
    assert evidence.titles == {"darts": "darts", "DARTS": "DARTS"}
