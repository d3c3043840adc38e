"""The runner: what is done, kept, done again, and survives. With fake tasks, which cost next to nothing."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_tasks import fake_plan

from nasaudit.errors import ConflictError, MissingRecordError, SpecError, StoreError
from nasaudit.planning.plan import Plan
from nasaudit.results.schema import StudyResults
from nasaudit.running.display.observer import Silent
from nasaudit.running.executors.base import Executor, RunContext
from nasaudit.running.executors.processes import Processes
from nasaudit.running.executors.serial import Serial
from nasaudit.running.options import RunOptions
from nasaudit.running.partial import results_so_far
from nasaudit.running.run import run_plan
from nasaudit.spec.tasks import Task
from nasaudit.store.lock import hold
from nasaudit.store.records import Record
from nasaudit.store.store import Store
from nasaudit.store.unfinished import NAME

MakeExecutor = Callable[[RunContext], Executor]


def serial(context: RunContext) -> Executor:
    return Serial(context)


def processes(context: RunContext) -> Executor:
    return Processes(context, ("cpu", "cpu"))


class Diary(Silent):
    """Writes down what happened."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def started(self, task: Task) -> None:
        self.lines.append(("started", task.label()))

    def finished(self, task: Task, record: Record) -> None:
        self.lines.append((record.state, task.label()))

    def died(self, task: Task, reason: str) -> None:
        self.lines.append(("died", reason))

    def skipped(self, task: Task, reason: str) -> None:
        self.lines.append(("skipped", f"{task.label()}: {reason}"))

    def of(self, word: str) -> list[str]:
        return [text for kind, text in self.lines if kind == word]


class House:
    """A folder for a plan, and ways to run it."""

    def __init__(self, path: Path):
        self.folder, self.out = path / "inputs", path / "out"
        self.context = RunContext(self.out / "store", self.folder)
        self.store = Store(self.context.store)

    def plan(self, **options) -> Plan:
        return fake_plan(self.folder, **options)

    def run(self, planned: Plan, make: MakeExecutor = serial, **options) -> tuple[StudyResults, Diary]:
        diary = Diary()
        observer = options.pop("observer", diary)
        results = run_plan(
            planned, self.out, self.context, lambda: make(self.context), observer=observer, **options
        )
        return results, diary

    @property
    def table(self) -> bytes:
        return (self.out / "results.csv").read_bytes()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def no_executor(context: RunContext) -> Executor:
    raise AssertionError("a run that has nothing to do asked for an executor")


def parent_of(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def workers_of(runner: int) -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if parent_of(path.name) == runner]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("make", [serial, processes])
def test_a_study_runs_and_a_second_time_does_nothing(house: House, make: MakeExecutor) -> None:
    planned = house.plan()
    first, diary = house.run(planned, make)
    assert sorted(diary.of("ok")) == sorted(task.label() for task in planned.tasks)
    assert first.failures == []
    modified = (house.out / "results.json").stat().st_mtime_ns
    second, diary = house.run(planned, no_executor)
    assert second == first
    assert diary.lines == []
    assert (house.out / "results.json").stat().st_mtime_ns == modified


def test_both_executors_write_the_same_table(tmp_path: Path) -> None:
    tables = []
    for make in (serial, processes):
        house = House(tmp_path / make.__name__)
        house.run(fake_plan(tmp_path / "inputs"), make)
        tables.append(house.table)
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) > 100


def test_trainings_run_before_what_is_measured_on_them(house: House) -> None:
    planned = house.plan()
    _, diary = house.run(planned)
    started, ended = diary.of("started"), diary.of("ok")
    assert started[0].startswith("train darts")  # the longest that can run
    for task in planned.tasks:
        for need in task.needs():
            assert ended.index(need.label()) < ended.index(task.label())


def test_a_failed_task_is_stored_and_the_others_go_on(house: House) -> None:
    planned = house.plan(trouble="fail")
    results, diary = house.run(planned)
    assert diary.of("failed") == ["train darts (seed 0)"]
    assert len(diary.of("skipped")) == 2
    assert len(diary.of("ok")) == len(planned.tasks) - 3
    assert [(failure.type, failure.message) for failure in results.failures] == [
        ("ValueError", "the loss became NaN"),
        ("NeedFailed", "needs train darts (seed 0), which failed"),
        ("NeedFailed", "needs train darts (seed 0), which failed"),
    ]
    assert "fake_tasks.py" in results.failures[0].traceback
    assert [flag.architectures for flag in results.flags if flag.kind == "failed_task"] == [("darts",)] * 3


def test_a_failure_is_kept_until_a_retry_is_asked_for(house: House) -> None:
    planned = house.plan(trouble="fail_once")
    assert len(house.run(planned)[0].failures) == 3
    modified = (house.out / "results.json").stat().st_mtime_ns
    results, diary = house.run(planned, no_executor)
    assert len(results.failures) == 3
    assert diary.lines == []
    assert (house.out / "results.json").stat().st_mtime_ns == modified
    results, diary = house.run(planned, mode="retry")
    assert results.failures == []
    assert sorted(diary.of("started")) == sorted(
        ["train darts (seed 0)", "convergence of darts (seed 0)", planned.tasks[1].label()]
    )


def test_a_measurement_that_is_no_number_is_a_failure(house: House) -> None:
    results = house.run(house.plan(trouble="nan"))[0]
    assert results.failures[0].type == "NonFiniteError"
    assert "clean_accuracy" in results.failures[0].message


def test_force_does_everything_again(house: House) -> None:
    planned = house.plan()
    first = house.run(planned)[0]
    second, diary = house.run(planned, mode="force")
    assert len(diary.of("ok")) == len(planned.tasks)
    assert second.rows == first.rows


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(
        SpecError, match=r"mode: expected one of cached, retry, force, read-only, got 'again'"
    ):
        RunOptions(mode="again")  # type: ignore[arg-type]


def test_read_only_takes_what_is_there_and_writes_nothing(house: House) -> None:
    planned = house.plan()
    with pytest.raises(MissingRecordError, match="train darts"):
        house.run(planned, no_executor, mode="read-only")
    assert not house.out.exists()
    first = house.run(planned)[0]
    (house.out / "results.json").unlink()
    assert house.run(planned, no_executor, mode="read-only")[0].rows == first.rows
    assert not (house.out / "results.json").exists()


def test_a_worker_that_dies_is_replaced_and_its_task_tried_again(house: House) -> None:
    planned = house.plan(trouble="die_once")
    results, diary = house.run(planned, processes)
    assert results.failures == []
    assert len(diary.of("died")) == 1
    assert "SIGKILL" in diary.of("died")[0]
    record = house.store.find(planned.tasks[0])
    assert record is not None
    assert record.attempts == 2


def test_a_task_whose_workers_always_die_becomes_a_failure(house: House) -> None:
    results, diary = house.run(house.plan(trouble="die"), processes)
    assert len(diary.of("died")) == 3
    assert results.failures[0].type == "WorkerDied"
    assert "SIGKILL" in results.failures[0].message
    assert len(diary.of("ok")) == 9


@pytest.mark.parametrize("make", [serial, processes])
def test_a_full_disk_stops_the_run_and_is_no_failure_of_the_task(house: House, make: MakeExecutor) -> None:
    planned = house.plan(trouble="fill_disk")
    with pytest.raises(StoreError, match="free some space"):
        house.run(planned, make)
    assert house.store.find(planned.tasks[0]) is None
    assert not (house.store.folder / NAME).exists()


def test_a_damaged_record_is_made_again(house: House) -> None:
    planned = house.plan()
    house.run(planned)
    table = house.table
    for task, file in ((planned.tasks[0], "record.json"), (planned.tasks[1], "evasion.npz")):
        (house.store.path(task.digest()) / file).write_bytes(b"rubbish")
    _, diary = house.run(planned)
    assert len(diary.of("ok")) == 2
    assert house.table == table


def test_damaged_results_are_written_anew_from_the_records(house: House) -> None:
    planned = house.plan()
    first = house.run(planned)[0]
    table = house.table
    (house.out / "results.csv").write_text("edited")
    assert house.run(planned, no_executor)[0].rows == first.rows
    assert house.table == table


def test_a_folder_of_another_study_is_refused(house: House) -> None:
    house.run(house.plan())
    with pytest.raises(ConflictError, match=r"another study.*seeds"):
        house.run(house.plan(seeds=(0,)))


def test_a_folder_with_other_files_is_refused_and_left_alone(house: House) -> None:
    house.out.mkdir(parents=True)
    (house.out / "thesis.tex").write_text("mine")
    with pytest.raises(ConflictError, match=r"thesis\.tex"):
        house.run(house.plan())
    assert [path.name for path in house.out.iterdir()] == ["thesis.tex"]


def test_a_folder_for_records_that_holds_other_things_is_refused_before_anything_is_written(
    house: House,
) -> None:
    (house.context.store / "work").mkdir(parents=True)
    (house.context.store / "work" / "thesis.tex").write_text("mine")
    before = sorted(house.out.rglob("*"))
    with pytest.raises(ConflictError, match=r"store is not empty \(it holds work\)"):
        house.run(house.plan())
    assert sorted(house.out.rglob("*")) == before


def test_a_folder_in_use_is_refused(house: House) -> None:
    with hold(house.out), pytest.raises(ConflictError, match=f"process {os.getpid()}"):
        house.run(house.plan())
    with house.store.writing(alone=True), pytest.raises(ConflictError, match=f"process {os.getpid()}"):
        house.run(house.plan())


def test_progress_never_goes_beyond_the_task_that_runs(house: House) -> None:
    class Check(Silent):
        def __init__(self) -> None:
            self.running: set[str] = set()
            self.shares: list[float] = []

        def started(self, task: Task) -> None:
            self.running.add(task.digest())

        def progressed(self, task: Task, done: float, text: str) -> None:
            assert task.digest() in self.running
            self.shares.append(done)

        def finished(self, task: Task, record: Record) -> None:
            self.running.remove(task.digest())

    check = Check()
    house.run(house.plan(), processes, observer=check)
    assert check.running == set()
    assert all(0 <= share <= 1 for share in check.shares)
    assert check.shares


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_killed_workers_at_random_moments_change_nothing(tmp_path: Path, kills: int) -> None:
    inputs = tmp_path / "inputs"
    planned = fake_plan(inputs, ("darts", "resnet", "vgg"), tuple(range(1 + kills // 3)), naps=15)
    calm = House(tmp_path / "calm")
    calm.run(planned)
    rng = random.Random(0)
    stormy = House(tmp_path / "stormy")

    class Killer(Silent):
        """Kills the workers of different trainings while they run."""

        def __init__(self) -> None:
            self.killed: set[str] = set()

        def progressed(self, task: Task, done: float, text: str) -> None:
            if task.kind == "train" and len(self.killed) < kills and task.digest() not in self.killed:
                self.killed.add(task.digest())
                time.sleep(rng.uniform(0, 0.02))
                os.kill(int(text), signal.SIGKILL)

    killer = Killer()
    results, _ = stormy.run(planned, processes, observer=killer)
    assert len(killer.killed) == kills
    assert results.failures == []
    assert stormy.table == calm.table
    assert workers_of(os.getpid()) == []


def count_records(house: House) -> int:
    return len(list(house.store.folder.glob("records/*/*/record.json")))


def start_runner(inputs: Path, out: Path, *trouble: str) -> subprocess.Popen[bytes]:
    script = Path(__file__).parent / "fake_runner.py"
    return subprocess.Popen(
        [sys.executable, str(script), str(inputs), str(out), *trouble], stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("kills", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_a_runner_killed_at_random_moments_resumes_to_the_same_table(tmp_path: Path, kills: int) -> None:
    """Some of the moments are before the first record, some in the middle, and the last run is left alone."""
    inputs = tmp_path / "inputs"
    planned = fake_plan(inputs, seeds=(0, 1, 2), naps=15)
    calm = House(tmp_path / "calm")
    calm.run(planned)
    stormy = House(tmp_path / "stormy")
    rng = random.Random(1)
    interrupted = 0
    for moment in range(kills):
        records = count_records(stormy)
        runner = start_runner(inputs, stormy.out)
        if moment % 2:  # or else the start itself is interrupted
            wait_until(lambda r=runner, n=records: count_records(stormy) > n or r.poll() is not None, 60)
        time.sleep(rng.uniform(0, 0.1 if moment % 2 else 0.6))
        workers = workers_of(runner.pid)
        interrupted += runner.poll() is None
        runner.kill()
        runner.communicate()
        assert wait_until(lambda pids=workers: not any(map(is_alive, pids)), 5), (
            "workers outlive their runner"
        )
    results, _ = stormy.run(planned)
    assert interrupted >= 0.7 * kills
    assert results.failures == []
    assert stormy.table == calm.table
    assert not (stormy.store.folder / NAME).exists()


def test_ctrl_c_stops_within_five_seconds_and_the_next_run_resumes(tmp_path: Path) -> None:
    inputs, house = tmp_path / "inputs", House(tmp_path / "house")
    runner = start_runner(inputs, house.out, "hang_once")
    try:
        hangs = lambda: any(inputs.glob("hangs-*")) and count_records(house) > 3  # noqa: E731
        wait_until(lambda: hangs() or runner.poll() is not None, 60)
        assert hangs(), runner.communicate(timeout=1)
        begin = time.monotonic()
        runner.send_signal(signal.SIGINT)
        _, errors = runner.communicate(timeout=30)
    finally:
        runner.kill()
    assert time.monotonic() - begin < 5
    assert b"KeyboardInterrupt" in errors
    hung = int(next(inputs.glob("hangs-*")).name.partition("-")[2])
    assert not is_alive(hung)
    planned = fake_plan(inputs, seeds=(0, 1, 2), trouble="hang_once", naps=15)
    results, diary = house.run(planned)
    assert results.failures == []
    assert 0 < len(diary.of("ok")) < len(planned.tasks)


def test_results_json_says_all_that_is_needed_to_repeat_the_study(house: House) -> None:
    results = house.run(house.plan())[0]
    content = json.loads((house.out / "results.json").read_text())
    assert content["study"] == results.study.model_dump(mode="json")
    assert content["environment"]["devices"] == "cpu"
    assert set(content["seconds"]) == {task.label() for task in house.plan().tasks}


class _Stop(Diary):
    """Ctrl-C after some tasks."""

    def finished(self, task: Task, record: Record) -> None:
        super().finished(task, record)
        if len(self.lines) >= 10:
            raise KeyboardInterrupt


def test_a_run_that_was_interrupted_has_results_so_far(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = house.plan()
    with pytest.raises(KeyboardInterrupt):
        house.run(planned, observer=_Stop())
    # A fake plan is not what its study would be planned as.
    monkeypatch.setattr("nasaudit.results.opened.plan", lambda *_: planned)
    found = results_so_far(house.out)
    assert found is not None
    assert found.rows
    done = sum(1 for _ in house.store.folder.glob("records/*/*/record.json"))
    assert f"{12 - done} of 12 tasks are missing" in found.flags[0].message
    assert "resume" in found.flags[0].message
    assert not (house.out / "results.json").exists()
    results, _ = house.run(planned)
    assert results_so_far(house.out) is None
    assert len(results.rows) > len(found.rows)
