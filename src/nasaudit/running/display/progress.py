"""Showing a run to a person: live bars on a terminal, plain lines everywhere else."""

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from nasaudit.running.display.eta import Eta, format_seconds, more_words
from nasaudit.running.display.observer import Observer, Silent
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record

LINE_EVERY = 5.0  # seconds between plain lines about running tasks
STUDY_MEMORY = 120.0  # seconds that the ETA of a whole study looks back: tasks of many kinds take turns


def progress_observer(stream: TextIO) -> Observer:
    """Live bars if the stream is a terminal, lines if it is a file or a pipe."""
    return LiveProgress(stream) if stream.isatty() else PlainProgress(stream)


def default_observer() -> Observer:
    """For a caller from Python who named nobody: bars on a terminal's stderr or in a notebook, silence elsewhere.

    Rich draws bars in a notebook with ipywidgets; where these are not installed there are lines.
    """
    if not shows_progress():
        return Silent()
    if Console(file=sys.stderr).is_jupyter and find_spec("ipywidgets") is None:
        return PlainProgress(sys.stdout)
    return LiveProgress(sys.stderr)


def shows_progress() -> bool:
    """Whether somebody looks on: at a terminal's stderr, or at a notebook."""
    return sys.stderr.isatty() or Console(file=sys.stderr).is_jupyter


@dataclass
class _Running:
    label: str
    eta: Eta
    done: float = 0.0
    text: str = ""


@dataclass
class _Tally:
    """What has been seen of a run; both displays are views of it."""

    total: int = 0
    done: int = 0
    failed: int = 0
    more: int | None = 0  # tasks that are expected beyond the known ones
    running: dict[str, _Running] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)  # expected time of what has not ended, by digest
    expected: float = 0.0  # time of all that this run has to do
    known: float = 0.0  # time of all known tasks
    eta: Eta = field(default_factory=lambda: Eta(memory=STUDY_MEMORY))

    def add(self, tasks: Sequence[Task], cached: Collection[str], more: int | None) -> None:
        times = {task.digest(): task.expected_time for task in tasks}
        waiting = {digest: time for digest, time in times.items() if digest not in cached}
        self.total += len(tasks)
        self.done += len(cached)
        self.more = more
        self.waiting |= waiting
        self.expected += sum(waiting.values())
        self.known += sum(times.values())

    def start(self, task: Task) -> None:
        self.running[task.digest()] = _Running(task.label(), Eta())

    def progress(self, task: Task, done: float, text: str, now: float) -> _Running:
        running = self.running[task.digest()]
        running.done, running.text = done, text
        running.eta.update(done, now)
        self.eta.update(self.worked(), now)
        return running

    def end(self, task: Task, failed: bool) -> None:
        self.running.pop(task.digest(), None)
        self.waiting.pop(task.digest(), None)
        self.done += 1
        self.failed += failed

    def worked(self) -> float:
        """Expected time of what this run has done."""
        left = sum(self.waiting.values())
        begun = sum(running.done * self.waiting.get(digest, 0.0) for digest, running in self.running.items())
        return self.expected - left + begun

    def whole(self) -> float:
        """Expected time of all that this run has to do; what is not known yet counts like what is."""
        return self.expected + (self.more or 0) * self.known / max(1, self.total)

    def share(self) -> float:
        """How much of the expected time of this run is done, in [0,1]."""
        whole = self.whole()
        return self.worked() / whole if whole else 1.0

    def left(self, now: float) -> str:
        """How long the whole study still takes, or nothing before there is anything to judge by."""
        seconds = self.eta.left(now, self.whole())
        return "" if seconds is None else f"about {format_seconds(seconds)} left"

    def words(self) -> str:
        """E.g. `7 of 12 tasks, about 4 more expected, 1 failed`."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.total} tasks{more_words(self.more)}{failed}"


class PlainProgress:
    """One line for each task that ends, and every few seconds one for each that runs.

    Args:
        stream: where the lines go.
        clock: seconds; a test brings its own.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._stream, self._clock = stream, clock
        self._tally = _Tally()
        self._last = 0.0

    def begin(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None = 0) -> None:
        """Say how much there is to do."""
        self._tally.add(tasks, cached, expected)
        self._last = self._clock()
        if len(cached) < len(tasks):
            self._write(f"{len(tasks)} tasks, {len(cached)} of them done before{more_words(expected)}")
        elif not expected:
            self._write(f"0 tasks to do, all {len(tasks)} were done before")

    def added(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None) -> None:
        """Say how much more there is to do."""
        self._tally.add(tasks, cached, expected)
        if tasks:
            self._write(
                f"{len(tasks)} further tasks, {len(cached)} of them done before{more_words(expected)}"
            )

    def started(self, task: Task) -> None:
        """Say that a task began."""
        self._tally.start(task)
        self._write(f"started: {task.label()}")

    def progressed(self, task: Task, done: float, text: str) -> None:
        """Every few seconds, say how far the running tasks are."""
        now = self._clock()
        self._tally.progress(task, done, text, now)
        if now - self._last < LINE_EVERY:
            return
        self._last = now
        for running in self._tally.running.values():
            left = format_seconds(running.eta.left(now))
            words = f", {running.text}" if running.text else ""
            self._write(f"running: {running.label}: {running.done:.0%}, {left} left{words}")
        if whole := self._tally.left(now):
            self._write(f"study: {self._tally.words()}, {whole}")

    def finished(self, task: Task, record: Record) -> None:
        """Say how a task ended."""
        self._tally.end(task, record.state == "failed")
        if record.problem is None:
            self._write(f"done: {task.label()} in {format_seconds(record.seconds)} ({self._tally.words()})")
        else:
            self._write(f"FAILED: {task.label()}: {_first_line(record)} ({self._tally.words()})")

    def died(self, task: Task, reason: str) -> None:
        """Say that a worker died."""
        self._write(f"worker lost: {task.label()}: {reason}")

    def skipped(self, task: Task, reason: str) -> None:
        """Say that a task cannot run."""
        self._tally.end(task, failed=True)
        self._write(f"skipped: {task.label()}: {reason}")

    def blocked(self, stage: str, reason: str) -> None:
        """Say that a stage is over before its end."""
        self._write(f"blocked: {stage}: {reason}")

    def end(self) -> None:
        """Nothing more to say: each task had its line."""

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class LiveProgress:
    """A bar for each running task with its time left, one for the whole study, and a line for each failure.

    Args:
        stream: a terminal.
        clock: seconds; a test brings its own.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._console = Console(file=stream)
        self._clock = clock
        self._tally = _Tally()
        self._bars: dict[str, TaskID] = {}
        self._display = Progress(
            # A label may hold what a user named: no markup is read from it.
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            TextColumn("{task.fields[words]}", markup=False),
            console=self._console,
            transient=True,
        )
        self._whole = self._display.add_task("study", left="", words="")

    def begin(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None = 0) -> None:
        """Show the bar of the study; one with nothing to do says so."""
        self._tally.add(tasks, cached, expected)
        if len(cached) < len(tasks):
            self._display.start()
        elif not expected:
            self._display.console.print(f"0 tasks to do, all {len(tasks)} were done before", highlight=False)
        self._show_whole()

    def added(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None) -> None:
        """Lengthen the bar of the study."""
        self._tally.add(tasks, cached, expected)
        self._show_whole()

    def started(self, task: Task) -> None:
        """Add the task's bar."""
        self._tally.start(task)
        self._remove(task)
        self._bars[task.digest()] = self._display.add_task(task.label(), total=1.0, left="", words="")

    def progressed(self, task: Task, done: float, text: str) -> None:
        """Move the task's bar."""
        now = self._clock()
        running = self._tally.progress(task, done, text, now)
        left = running.eta.left(now)
        self._display.update(
            self._bars[task.digest()],
            completed=done,
            left="" if left is None else f"{format_seconds(left)} left",
            words=text,
        )
        self._show_whole()

    def finished(self, task: Task, record: Record) -> None:
        """Take the task's bar away; a failure leaves a line."""
        self._tally.end(task, record.state == "failed")
        self._remove(task)
        if record.problem is not None:
            self._say(f"FAILED: {task.label()}: {_first_line(record)}")
        self._show_whole()

    def died(self, task: Task, reason: str) -> None:
        """Leave a line."""
        self._say(f"worker lost: {task.label()}: {reason}")

    def skipped(self, task: Task, reason: str) -> None:
        """Leave a line."""
        self._tally.end(task, failed=True)
        self._say(f"skipped: {task.label()}: {reason}")
        self._show_whole()

    def blocked(self, stage: str, reason: str) -> None:
        """Leave a line."""
        self._say(f"blocked: {stage}: {reason}")

    def end(self) -> None:
        """Give the terminal back."""
        if self._display.live.is_started:
            self._display.stop()

    def _show_whole(self) -> None:
        self._display.update(
            self._whole,
            total=1.0,
            completed=self._tally.share(),
            left=self._tally.left(self._clock()),
            words=self._tally.words(),
        )

    def _remove(self, task: Task) -> None:
        bar = self._bars.pop(task.digest(), None)
        if bar is not None:
            self._display.remove_task(bar)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)


def _first_line(record: Record) -> str:
    problem = record.problem
    if problem is None:
        return ""
    return f"{problem.type}: {problem.message}".partition("\n")[0]
