import subprocess
import sys
import time
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
from nasaudit.store.lock import hold, is_held
from nasaudit.store.records import Record
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
    assert "train darts (seed 0): ValueError: the loss became NaN" in progressed(found, verbose=True)
    assert progressed(found) == "fake: 9 done, 1 failed, 2 blocked of 12 tasks"
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


def test_a_run_that_goes_on_says_what_it_does_and_how_long_it_takes(tmp_path: Path) -> None:
    planned = fake_plan(tmp_path)
    store = Store(tmp_path / "out" / "store")
    first, second, third = planned.tasks[:3]
    with hold(tmp_path / "out"), store.writing():
        began = store.workspace(first)
        before = status_of(planned, store, tmp_path / "out")
        assert (before.going, before.left, before.count("running")) == (True, None, 1)
        assert progressed(before) == "fake: 1 running, 11 missing of 12 tasks"
        store.commit(record_of(first, seconds=10 * first.expected_time), began)
        store.workspace(second)
        found = status_of(planned, store, tmp_path / "out")
        assert [task.state for task in found.tasks[:3]] == ["done", "running", "missing"]
        # Ten seconds for a unit of expected time, one task after the other.
        whole = 10 * sum(task.expected_time for task in planned.tasks[1:])
        assert found.left == pytest.approx(whole, rel=0.25)
        line = progressed(found)
        assert line.startswith("fake: 1 done, 1 running, 10 missing of 12 tasks, about ")
        assert line.endswith(" left")
        assert f"  running  {second.label()}" in progressed(found, verbose=True)
        assert f"  missing  {third.label()}" in progressed(found, verbose=True)
        store.workspace(third)
    after = status_of(planned, store, tmp_path / "out")
    assert (after.going, after.left, after.count("running")) == (False, None, 0)
    assert progressed(after).endswith(
        "1 done, 11 missing of 12 tasks; no run is going on, the same command resumes it"
    )


def record_of(task, seconds: float) -> Record:
    return Record(
        digest=task.digest(), kind=task.kind, label=task.label(), task=task.model_dump(mode="json"),
        state="ok", seconds=seconds, finished="2026-01-01T00:00:00+00:00", versions={},
    )  # fmt: skip


def test_what_a_killed_run_left_does_not_run(tmp_path: Path) -> None:
    planned = fake_plan(tmp_path)
    program = f"""
import os, signal, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from fake_tasks import fake_plan
from nasaudit.store.store import Store
store, planned = Store(Path({str(tmp_path / "out")!r})), fake_plan(Path({str(tmp_path)!r}))
with store.writing():
    store.workspace(planned.tasks[0])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False)
    store = Store(tmp_path / "out")
    assert list(store.folder.glob(f".nasaudit-unfinished/{planned.tasks[0].digest()[:8]}-*"))
    assert store.begun() == {}
    assert status_of(planned, store, tmp_path / "out").count("running") == 0


def test_a_task_says_when_it_began(tmp_path: Path) -> None:
    planned = fake_plan(tmp_path)
    store = Store(tmp_path / "store")
    with store.writing():
        for _ in range(50):
            store.workspace(planned.tasks[0])
        began = store.begun()[planned.tasks[0].digest()[:8]]
        assert abs(time.time() - began) < 10


def test_to_look_whether_a_folder_is_held_disturbs_no_run(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with hold(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
