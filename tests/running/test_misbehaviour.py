"""Code of others that hangs, starts processes, copies itself, prints or deletes: its task fails, the others go on."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_tasks import fake_plan
from tests.running.test_run import House, is_alive, wait_until

from nasaudit.cli.options import RunFlags
from nasaudit.errors import SpecError
from nasaudit.results.schema import Failure
from nasaudit.running.executors.base import Cluster, Executor, RunContext
from nasaudit.running.executors.limited import Limited
from nasaudit.running.executors.processes import Processes
from nasaudit.running.executors.serial import Serial
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.study import StudySpec
from nasaudit.store.unfinished import NAME

SECONDS = 3.0


def limited(context: RunContext) -> Executor:
    return Limited(Processes(context, ("cpu", "cpu")), SECONDS)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A study in which all goes well."""
    house = House(tmp_path_factory.mktemp("calm"))
    house.run(house.plan())
    return house


def failures_of(house: House, trouble: str) -> list[Failure]:
    """Those of a run with this trouble in the first training."""
    return house.run(house.plan(trouble=trouble), limited)[0].failures


def others(house: House) -> list[bytes]:
    """What was measured on the architecture that has no trouble."""
    return [line for line in house.table.splitlines() if line.startswith(b"resnet") and b"common" not in line]


def children_of(house: House) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in house.folder.glob("child-*")]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_task_that_hangs_is_stopped_and_the_study_goes_on(house: House, calm: House) -> None:
    begin = time.monotonic()
    first, *blocked = failures_of(house, "hang")
    assert time.monotonic() - begin < 30
    assert (first.type, first.label) == ("TaskTimeout", "train darts (seed 0)")
    assert first.message.startswith("took longer than 3 seconds and was stopped; allow more (--task-timeout)")
    assert first.message.endswith("its last words: thinking about it")
    assert "in hang\n" in first.traceback
    assert "fake_tasks.py" in first.traceback
    assert [failure.type for failure in blocked] == ["NeedFailed", "NeedFailed"]
    assert others(house) == others(calm) != []


def test_a_hang_that_nothing_interrupts_is_stopped_and_said(house: House) -> None:
    first = failures_of(house, "hang_in_c")[0]
    assert first.type == "TaskTimeout"
    assert "in match\n" in first.traceback
    assert "in hang_in_c\n" in first.traceback
    (process,) = (int(path.name.partition("-")[2]) for path in house.folder.glob("hangs-*"))
    assert not is_alive(process)


def test_a_time_out_is_stored_and_done_again_when_that_is_asked_for(house: House) -> None:
    planned = house.plan(trouble="hang_once")
    assert house.run(planned, limited)[0].failures[0].type == "TaskTimeout"
    assert house.run(planned, limited)[1].lines == []
    assert house.run(planned, limited, mode="retry")[0].failures == []


@pytest.mark.parametrize(
    ("trouble", "kind"), [("start_others_and_hang", "TaskTimeout"), ("start_others_and_die", "WorkerDied")]
)
def test_processes_that_a_task_started_end_with_it(
    house: House, calm: House, trouble: str, kind: str
) -> None:
    """Though they hold the worker's socket and its output, so that neither has an end."""
    assert failures_of(house, trouble)[0].type == kind
    assert len(children_of(house)) >= 2
    assert wait_until(lambda: not any(map(is_alive, children_of(house))), 5)
    assert others(house) == others(calm)


def test_a_child_that_a_task_leaves_behind_ends_with_it(house: House, calm: House) -> None:
    assert failures_of(house, "leave_a_child") == []
    assert not any(map(is_alive, children_of(house)))
    assert house.table == calm.table


def test_a_copy_that_goes_on_with_the_task_makes_it_fail(house: House, calm: House) -> None:
    """It may be in the middle of writing the same files."""
    first = failures_of(house, "fork")[0]
    assert (first.type, first.label) == ("ModelError", "train darts (seed 0)")
    assert "calls os.fork, and the copy went on" in first.message
    assert others(house) == others(calm)


def test_a_copy_that_ends_itself_is_no_failure(house: House, calm: House) -> None:
    assert failures_of(house, "fork_and_end") == []
    assert house.table == calm.table


def test_a_copy_does_not_go_on_with_a_serial_run(house: House, calm: House) -> None:
    assert house.run(house.plan(trouble="fork"))[0].failures == []
    assert os.wait()[1] == 0  # the copy's
    assert house.table == calm.table


def test_what_a_task_prints_is_not_kept(house: House, calm: House) -> None:
    assert failures_of(house, "print_much") == []
    assert house.table == calm.table


def test_the_last_of_much_that_was_printed_is_said(house: House) -> None:
    first = failures_of(house, "print_much_and_die")[0]
    assert first.type == "WorkerDied"
    assert first.message.startswith("the worker was killed by SIGKILL (3 attempts); its last words: xxx")
    assert first.message.endswith("x\nthe last line")
    assert len(first.message) < 700


def test_a_task_that_removes_unfinished_work_fails_and_later_ones_do_not(house: House, calm: House) -> None:
    planned = house.plan(trouble="remove_folder")
    results, _ = house.run(planned, lambda context: Processes(context, ("cpu",)))
    assert results.failures[0].label == "train darts (seed 0)"
    assert len(results.failures) == 3
    assert others(house) == others(calm)
    assert not (house.store.folder / NAME).exists()


def test_an_executor_that_cannot_stop_a_task_has_no_time_out(tmp_path: Path) -> None:
    study = StudySpec.parse({"architectures": ["resnet"], "data": "digits"})
    with pytest.raises(SpecError, match=r"task_timeout: expected an executor that can stop a task.*'serial'"):
        run(study, tmp_path / "out", RunOptions(executor="serial", task_timeout=5))
    assert not (tmp_path / "out").exists()
    with pytest.raises(SpecError, match="'Serial'"):
        Limited(Serial(RunContext(tmp_path, tmp_path)), 5.0)


def test_the_time_out_of_the_command_line_is_that_of_the_run() -> None:
    assert RunFlags(task_timeout=2.5).options().task_timeout == 2.5
    assert RunFlags().options().task_timeout is None


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_a_time_out_is_above_zero(seconds: float) -> None:
    with pytest.raises(SpecError, match="task_timeout: expected seconds above 0"):
        RunOptions(task_timeout=seconds)


class Quick(Processes):
    """Ends a job at once, which a stop then finds no more."""

    def __init__(self, context: RunContext, devices: Sequence[str]):
        super().__init__(context, devices)
        self.stopped: list[str] = []

    def stop(self, digest: str) -> None:
        self.stopped.append(digest)
        super().stop(digest)


def test_tasks_that_are_in_time_are_not_stopped(house: House, calm: House) -> None:
    with contextlib.closing(Quick(house.context, ("cpu",))) as quick:
        house.run(fake_plan(house.folder), lambda context: Limited(quick, 60))
        quick.stop("no such job")
    assert quick.stopped == ["no such job"]
    assert house.table == calm.table


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_task_that_wants_more_memory_than_it_may_have_fails_alone(house: House, calm: House) -> None:
    planned = house.plan(trouble="want_memory")
    results, _ = house.run(
        planned, lambda context: Processes(replace(context, cluster=Cluster(memory=2 * 2**30)), ("cpu",))
    )
    (failure, *rest) = results.failures
    assert (failure.label, failure.type) == ("train darts (seed 0)", "MemoryError")
    assert all("darts" in other.label for other in rest)
    assert others(house) == others(calm)


def test_a_limit_of_memory_needs_a_worker_and_is_no_trifle() -> None:
    with pytest.raises(SpecError, match="task_memory: expected an executor with processes of its own"):
        RunOptions(executor="serial", task_memory=2**31)
    with pytest.raises(SpecError, match="task_memory: expected 1 GB or more"):
        RunOptions(task_memory=1000)
