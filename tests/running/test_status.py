from pathlib import Path

import pytest
from fake_tasks import fake_plan

from nasaudit.errors import StoreError
from nasaudit.results.folder import StudyFolder
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.running.run import run_plan
from nasaudit.running.status import status, status_of
from nasaudit.spec.study import StudySpec
from nasaudit.store.store import Store
from nasaudit.terminal.status import progressed


def test_done_failed_and_blocked_tasks_are_told_apart(tmp_path: Path) -> None:
    planned = fake_plan(tmp_path, trouble="fail")
    context = RunContext(tmp_path / "out" / "store", tmp_path)
    run_plan(planned, tmp_path / "out", context, lambda: Serial(context))
    found = status_of(planned, Store(context.store), tmp_path)
    assert {state: found.count(state) for state in ("done", "failed", "blocked", "missing")} == {
        "done": 9,
        "failed": 1,
        "blocked": 2,
        "missing": 0,
    }
    assert "train darts (seed 0): ValueError: the loss became NaN" in progressed(found)
    assert progressed(found).startswith("fake: 9 done, 1 failed, 2 blocked of 12 tasks")
    assert found.as_dict()["counts"]["failed"] == 1


def test_a_study_that_has_just_begun_misses_everything(tmp_path: Path) -> None:
    study = StudySpec.parse(
        {
            "architectures": ["darts"],
            "data": "digits",
            "seeds": [0],
            "name": "new",
            "analyses": ["topology", "convergence"],
        }
    )
    (tmp_path / "out").mkdir()
    StudyFolder(tmp_path / "out").claim(study, tmp_path / "elsewhere", tmp_path)
    found = status(tmp_path / "out")
    assert (found.study, found.count("missing"), len(found.tasks)) == ("new", 3, 3)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="holds no study"):
        status(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(StoreError, match="damaged"):
        status(tmp_path)
