"""Showing a run to a person: live bars on a terminal, plain lines everywhere else."""

import sys
import time
from collections.abc import Callable, Collection, Sequence
from importlib.util import find_spec
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nasaudit.running.display.eta import format_seconds, more_words
from nasaudit.running.display.figures import figure
from nasaudit.running.display.lines import Line, fitted
from nasaudit.running.display.observer import Observer, Silent
from nasaudit.running.display.tally import Tally
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record

LINE_EVERY = 5.0  # seconds between plain lines about running tasks
REFRESHES = 4.0  # of the bars a second


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


class PlainProgress:
    """One line for each task that ends, and every few seconds one for each that runs.

    Args:
        stream: where the lines go.
        clock: seconds; a test brings its own.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._stream, self._clock = stream, clock
        self._tally = Tally()
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
        self._tally.start(task, self._clock())
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
        self._tally.end(task, record, self._clock())
        if record.problem is None:
            took = f"{task.label()} in {format_seconds(record.seconds)} ({self._tally.words()})"
            said = figure(record)
            self._write(f"done: {took}{': ' if said else ''}{said}")
        else:
            self._write(f"FAILED: {task.label()}: {_first_line(record)} ({self._tally.words()})")

    def died(self, task: Task, reason: str) -> None:
        """Say that a worker died."""
        self._write(f"worker lost: {task.label()}: {reason}")

    def skipped(self, task: Task, reason: str) -> None:
        """Say that a task cannot run."""
        self._tally.end(task, None, self._clock())
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
    """A line for the whole study, one with a bar for each running task, and one that stays for each failure.

    Args:
        stream: a terminal, of any width.
        clock: seconds; a test brings its own.
        console: None: one on the stream.
    """

    def __init__(
        self, stream: TextIO, clock: Callable[[], float] = time.monotonic, console: Console | None = None
    ):
        self._console = Console(file=stream) if console is None else console
        self._clock = clock
        self._tally = Tally()
        self._display = Live(
            console=self._console,
            get_renderable=self.render,
            refresh_per_second=REFRESHES,
            transient=True,
        )

    def begin(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None = 0) -> None:
        """Show the line of the study; one with nothing to do says so."""
        self._tally.add(tasks, cached, expected)
        if len(cached) < len(tasks):
            self._display.start()
        elif not expected:
            self._say(f"0 tasks to do, all {len(tasks)} were done before")

    def added(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None) -> None:
        """There is more to do."""
        self._tally.add(tasks, cached, expected)

    def started(self, task: Task) -> None:
        """Add the task's line."""
        self._tally.start(task, self._clock())

    def progressed(self, task: Task, done: float, text: str) -> None:
        """Move the task's bar."""
        self._tally.progress(task, done, text, self._clock())

    def finished(self, task: Task, record: Record) -> None:
        """Take the task's line away; a failure leaves one, and so does a figure."""
        self._tally.end(task, record, self._clock())
        if record.problem is not None:
            self._say(f"FAILED: {task.label()}: {_first_line(record)}")
        elif said := figure(record):
            self._say(f"{task.label()}: {said}")

    def died(self, task: Task, reason: str) -> None:
        """Leave a line."""
        self._say(f"worker lost: {task.label()}: {reason}")

    def skipped(self, task: Task, reason: str) -> None:
        """Leave a line."""
        self._tally.end(task, None, self._clock())
        self._say(f"skipped: {task.label()}: {reason}")

    def blocked(self, stage: str, reason: str) -> None:
        """Leave a line."""
        self._say(f"blocked: {stage}: {reason}")

    def end(self) -> None:
        """Give the terminal back."""
        if self._display.is_started:
            self._display.stop()

    def render(self) -> Text:
        """The lines as they are now, as wide as the terminal is now."""
        now, tally = self._clock(), self._tally
        lines = [Line(f"study, {tally.words()}", tally.share(), tally.seconds_left(now))]
        # The runner's thread may begin or end a task while the display's own looks.
        lines += [
            Line(running.label, running.done, running.eta.left(now), running.text)
            for running in list(tally.running.values())
        ]
        return Text("\n", no_wrap=True).join(
            fitted(lines, self._console.width, ascii_only=self._console.options.ascii_only)
        )

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)


def _first_line(record: Record) -> str:
    problem = record.problem
    if problem is None:
        return ""
    return f"{problem.type}: {problem.message}".partition("\n")[0]
