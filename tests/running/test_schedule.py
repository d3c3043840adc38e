from pathlib import Path

import pytest
from fake_tasks import fake_plan

from nasaudit.planning.plan import Plan
from nasaudit.running.execute import death
from nasaudit.running.schedule import Schedule
from nasaudit.spec.arch import OP_TIME
from nasaudit.spec.genotype import OPS
from nasaudit.spec.remedies.defences import INNER_STEP, MICROBATCHES
from nasaudit.spec.tasks import TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.records import Problem, Record


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    return fake_plan(tmp_path, ("resnet", "darts", "nasnet"), (0,))


def ok(task) -> Record:
    return death(task, "", 1).model_copy(update={"state": "ok", "problem": None})


def test_every_op_has_an_expected_time() -> None:
    assert set(OP_TIME) == set(OPS)


def test_the_longest_training_runs_first(planned: Plan) -> None:
    schedule = Schedule(planned.tasks, {})
    labels = [schedule.take().label() for _ in range(3)]
    assert labels[0] == "train nasnet (seed 0)"
    assert schedule.take() is None  # all others wait for a training
    assert all(task.expected_time > 0 for task in planned.tasks)


def test_a_defended_training_takes_longer_by_what_its_defence_costs(planned: Plan) -> None:
    train = planned.tasks[0]
    assert isinstance(train, TrainTask)

    def factor(**defence: object) -> float:
        training = TrainingSpec.parse({**train.training.model_dump(), **defence})
        return train.model_copy(update={"training": training}).expected_time / train.expected_time

    assert factor() == 1
    assert factor(defences=["adversarial_training"]) == pytest.approx(1 + 5 * INNER_STEP)
    assert factor(defences=["trades"]) == pytest.approx(2 + 5 * INNER_STEP)
    assert factor(defences=["dp_sgd"]) == 1 + MICROBATCHES


def test_a_task_is_released_by_its_need(planned: Plan) -> None:
    schedule = Schedule(planned.tasks, {})
    first = schedule.take()
    for _ in range(2):
        schedule.take()
    schedule.finish(first.digest(), ok(first))
    released = schedule.take()
    assert released.needs()[0].digest() == first.digest()


def test_what_needs_a_failure_is_blocked_and_the_rest_goes_on(planned: Plan) -> None:
    lost = planned.tasks[0]
    failed = death(lost, "gone", 3)
    assert isinstance(failed.problem, Problem)
    schedule = Schedule(planned.tasks, {lost.digest(): failed})
    blocked = {task.digest(): why for task, why in schedule.blocked()}
    assert len(blocked) == 2
    assert set(blocked.values()) == {f"needs {lost.label()}, which failed"}
    done = 0
    while schedule:
        task = schedule.take()
        schedule.finish(task.digest(), ok(task))
        done += 1
    assert done == len(planned.tasks) - 3
    assert list(schedule.blocked()) == []
