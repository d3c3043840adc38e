import io
from pathlib import Path

import pytest
from fake_tasks import fake_plan

from nasaudit.planning.plan import Plan
from nasaudit.running.display.eta import Eta, format_seconds
from nasaudit.running.display.progress import LiveProgress, PlainProgress, _Tally, progress_observer
from nasaudit.running.execute import death


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def planned(tmp_path: Path) -> Plan:
    return fake_plan(tmp_path)


def test_a_steady_task_has_a_steady_eta() -> None:
    eta = Eta()
    eta.update(0.0, 100.0)
    assert eta.left(100.0) is None
    for second in range(1, 41):
        eta.update(second / 100, 100.0 + second)
        assert eta.left(100.0 + second) == pytest.approx(100 - second)
    assert eta.left(145.0) == pytest.approx(55)  # it counts down between reports


def test_a_change_of_speed_is_taken_up_and_not_all_at_once() -> None:
    eta = Eta(memory=20.0)
    eta.update(0.0, 0.0)
    for second in range(1, 11):
        eta.update(second * 0.01, float(second))
    eta.update(0.102, 11.0)  # a fifth of the speed
    at_once, fully = 0.898 / 0.002, 0.898 / 0.01
    assert fully < eta.left(11.0) < at_once
    for second in range(12, 200):
        eta.update(0.102 + 0.002 * (second - 11), float(second))
    assert eta.left(199.0) == pytest.approx((1 - 0.102 - 0.002 * 188) / 0.002, rel=0.01)


def test_the_time_before_the_first_report_does_not_count() -> None:
    eta = Eta()
    eta.update(0.1, 1000.0)
    eta.update(0.2, 1001.0)
    assert eta.left(1001.0) == pytest.approx(8.0)


def test_reports_without_progress_or_time_change_nothing() -> None:
    eta = Eta()
    eta.update(0.0, 0.0)
    eta.update(0.5, 5.0)
    eta.update(0.5, 7.0)
    eta.update(0.6, 5.0)
    assert eta.left(5.0) == pytest.approx(5.0)
    assert eta.left(60.0) == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (0.4, "0 s"), (59.6, "1:00"), (3599.7, "1:00:00")]
)
def test_durations_are_readable(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


def drive(observer, planned: Plan, clock: Clock) -> None:
    train, attack = planned.tasks[0], planned.tasks[1]
    observer.begin(planned.tasks, [task.digest() for task in planned.tasks[-3:]])
    observer.started(train)
    for second in range(1, 13):
        clock.now = float(second)
        observer.progressed(train, second / 20, "epoch [1]")
    observer.died(train, "the worker was killed by SIGKILL")
    observer.started(train)
    observer.finished(train, death(train, "the worker was killed by SIGKILL", 3))
    observer.skipped(attack, f"needs {train.label()}, which failed")
    observer.started(planned.tasks[2])
    observer.finished(
        planned.tasks[2],
        death(planned.tasks[2], "", 1).model_copy(update={"state": "ok", "problem": None}),
    )
    observer.end()


def test_plain_lines_say_what_happens_every_few_seconds(planned: Plan) -> None:
    stream, clock = io.StringIO(), Clock()
    drive(PlainProgress(stream, clock), planned, clock)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "12 tasks, 3 of them done before"
    running = [line for line in lines if line.startswith("running")]
    assert running == [
        "running: train darts (seed 0): 25%, 15 s left, epoch [1]",
        "running: train darts (seed 0): 50%, 10 s left, epoch [1]",
    ]
    assert any(line.startswith("worker lost: train darts") for line in lines)
    assert any(line.startswith("FAILED: train darts (seed 0): WorkerDied") for line in lines)
    assert lines[-1].endswith("(6 of 12 tasks, 2 failed)")


def test_the_eta_of_a_study_counts_tasks_by_their_expected_time(planned: Plan) -> None:
    tally, train = _Tally(), planned.tasks[0]
    tally.add(planned.tasks, [], 0)
    whole = sum(task.expected_time for task in planned.tasks)
    tally.start(train)
    assert tally.left(0.0) == ""
    for second in range(1, 11):
        tally.progress(train, second / 20, "", float(second))
        assert tally.share() == pytest.approx(train.expected_time * second / 20 / whole)
    # Ten seconds for half of the training; the rest at the same speed.
    left = 20 * whole / train.expected_time - 10
    assert tally.left(10.0) == f"about {format_seconds(left)} left"
    for task in planned.tasks:
        tally.start(task)
        tally.end(task, failed=False)
    assert tally.share() == 1


def test_the_live_display_survives_a_whole_run_and_shows_failures(planned: Plan) -> None:
    stream, clock = Terminal(), Clock()
    drive(LiveProgress(stream, clock), planned, clock)
    shown = stream.getvalue()
    assert "FAILED: train darts (seed 0)" in shown
    assert "skipped:" in shown


def test_a_run_with_nothing_to_do_says_so(planned: Plan) -> None:
    for stream, observer in (
        (plain := io.StringIO(), PlainProgress(plain)),
        (live := Terminal(), LiveProgress(live)),
    ):
        observer.begin(planned.tasks, [task.digest() for task in planned.tasks])
        observer.end()
        assert f"0 tasks to do, all {len(planned.tasks)} were done before" in stream.getvalue()


def test_the_stream_decides_the_display() -> None:
    assert isinstance(progress_observer(io.StringIO()), PlainProgress)
    assert isinstance(progress_observer(Terminal()), LiveProgress)
