import io
import re
from pathlib import Path

import pytest
from fake_tasks import fake_plan
from rich.cells import cell_len
from rich.console import Console

from nasaudit.planning.plan import Plan, plan
from nasaudit.planning.requests import make_study
from nasaudit.running.display.eta import Eta, format_seconds
from nasaudit.running.display.lines import shortened
from nasaudit.running.display.progress import LiveProgress, PlainProgress, progress_observer
from nasaudit.running.display.tally import Tally
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
    tally, train = Tally(), planned.tasks[0]
    tally.add(planned.tasks, [], 0)
    whole = sum(task.expected_time for task in planned.tasks)
    tally.start(train, 0.0)
    assert tally.left(0.0) == ""
    for second in range(1, 11):
        tally.progress(train, second / 20, "", float(second))
        assert tally.share() == pytest.approx(train.expected_time * second / 20 / whole)
    # Ten seconds for half of the training; the rest at the same speed.
    left = 20 * whole / train.expected_time - 10
    assert tally.seconds_left(10.0) == pytest.approx(left, rel=0.1)
    assert tally.left(10.0).startswith("about ")
    for task in planned.tasks:
        tally.start(task, 10.0)
        tally.end(task, None, 11.0)
    assert tally.share() == 1
    assert tally.seconds_left(11.0) == 0


@pytest.mark.parametrize("width", [40, 41, 60, 80, 120, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_of_the_display_is_wider_than_the_window(width: int, encoding: str, tmp_path: Path) -> None:
    tasks = plan(make_study(["darts", "pc-darts"], "digits", "mini", "sound", ["survey"], 2), tmp_path).tasks
    clock = Clock()
    console = Console(
        file=io.TextIOWrapper(io.BytesIO(), encoding=encoding), width=width, height=30, force_terminal=True
    )
    live = LiveProgress(io.StringIO(), clock, console)
    live._tally.add(tasks, [], 0)
    running = sorted(tasks, key=lambda task: len(task.label()))[-6:]
    for task in running:
        live.started(task)
        live.progressed(
            task,
            0.001,
            "epoch 1 of 30, loss 2.3\n",
        )
        clock.now += 100
        live.progressed(task, 0.43, "epoch 13 of 30, loss 0.12, accuracy 97 %\n")
    lines = console.render_lines(live.render(), pad=False)
    texts = ["".join(segment.text for segment in line) for line in lines]
    assert len(texts) == 1 + len(running)  # none is broken
    assert all(cell_len(text) < width for text in texts)
    assert re.match(r"study,.*\d+% .*left", texts[0])
    for text, task in zip(texts[1:], running, strict=True):
        assert re.search(r" 43% +[\d:]+( s)? left", text)  # what is most important stays
        assert text[:5] == task.label()[:5]
        assert "(seed" in text or "seed" in text or width < 60
    if width >= 80:
        bar = "#" if encoding == "ascii" else "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
        assert all(bar in text for text in texts)
    if encoding == "ascii":
        assert all(text.isascii() for text in texts)


def test_a_label_is_cut_in_its_middle() -> None:
    label = "knockoff (soft labels, pool, surrogate same) on darts (seed 0)"
    assert shortened(label, 62) == label
    for width in range(3, 62):
        short = shortened(label, width)
        assert cell_len(short) <= width
        assert short[0] == "k"
        assert short[-1] == ")"


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
