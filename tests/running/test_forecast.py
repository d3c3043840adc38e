"""What a study will cost, before it runs."""

import json
from pathlib import Path

import pytest
from fake_tasks import fake_plan

from nasaudit.running.execute import death
from nasaudit.running.forecast import REFERENCE_SECONDS, forecast
from nasaudit.running.pace import kind_of
from nasaudit.store.store import Store


def test_without_records_times_are_those_of_the_reference(tmp_path: Path) -> None:
    planned = fake_plan(tmp_path)
    cost = forecast(planned, tmp_path / "store", 2)
    assert cost.measured == 0
    assert cost.seconds == pytest.approx(
        REFERENCE_SECONDS * sum(task.expected_time for task in planned.tasks)
    )
    assert cost.seconds / 2 <= cost.wall <= cost.seconds
    assert sum(kind.tasks for kind in cost.kinds) == len(planned.tasks) == 12
    assert {kind.kind for kind in cost.kinds} == {kind_of(task) for task in planned.tasks}
    assert not (tmp_path / "store").exists()


def test_with_records_times_are_theirs_and_what_is_done_costs_nothing(tmp_path: Path) -> None:
    planned = fake_plan(tmp_path)
    store, task = Store(tmp_path / "store"), planned.tasks[0]
    with store.writing():
        folder = store.workspace(task)
        (folder / "weights").write_bytes(b"0" * 5000)
        record = death(task, "", 1).model_copy(
            update={"state": "ok", "problem": None, "seconds": 100 * task.expected_time}
        )
        store.commit(record, folder)
    cost = forecast(planned, store.folder, 1)
    training = next(kind for kind in cost.kinds if kind.kind == "training")
    assert (cost.measured, training.cached) == (1, 1)
    assert training.bytes == 5000 * (training.tasks - 1)
    left = sum(other.expected_time for other in planned.tasks[1:])
    assert cost.seconds == pytest.approx(100 * left, rel=0.25)
    assert cost.wall == pytest.approx(cost.seconds)


@pytest.mark.parametrize(
    "words",
    [
        "audit darts resnet --data digits --plan",
        "study plan quick",
        "mitigate darts --data digits --plan",
    ],
)
def test_a_plan_is_told_and_nothing_is_written(command, words: str) -> None:
    code, out, err = command(*words.split())
    assert code == 0, err
    assert "nothing was run" in out
    assert "of CPU time" in " ".join(out.split())
    assert list(Path().iterdir()) == []
    if not words.startswith("mitigate"):
        cost = json.loads(command(*words.split(), "--json")[1])
        assert cost["cpu_seconds"] > 0
        assert sum(kind["tasks"] for kind in cost["kinds"]) > 5
