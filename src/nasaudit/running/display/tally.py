"""What has been seen of a run, and how long the rest takes; both displays are views of it."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from nasaudit.running.display.eta import Eta, format_seconds, more_words
from nasaudit.running.pace import Pace, Piece, makespan
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record

ANEW_EVERY = 1.0  # seconds after which the time left is worked out anew, and not counted down
# Share of a task after which its own speed says as much of its time as what is known of tasks like it.
OWN_SPEED = 0.3


@dataclass
class Running:
    """A task that runs.

    Attributes:
        label: what it does.
        piece: what its time hangs on.
        since: reading of the clock when it began.
        cold: whether it may be its worker's first task, which imports what all others find imported.
        eta: its own time left.
        first: time and share of its first report: what was before it went into imports and loading.
        last: reading of the clock at its last report.
        done: share of its work.
        text: its last words.
    """

    label: str
    piece: Piece
    since: float
    cold: bool = False
    eta: Eta = field(default_factory=Eta)
    first: tuple[float, float] | None = None
    last: float = 0.0
    done: float = 0.0
    text: str = ""

    def by_own_speed(self) -> float | None:
        """Seconds of the whole task, if the rest goes on as it went so far; None: too early to say."""
        if self.first is None or self.done <= self.first[1] or self.last <= self.first[0]:
            return None
        return (self.last - self.first[0]) / (self.done - self.first[1])

    def started_up(self) -> float:
        """Seconds that its worker took to start, as far as they are no part of the task."""
        return self.first[0] - self.since if self.cold and self.first is not None else 0.0

    def left(self, pace: Pace, now: float) -> float:
        """Seconds until it ends, by its own speed and by that of tasks like it."""
        whole, own = pace.seconds(self.piece), self.by_own_speed()
        if own is None or whole <= 0:
            return max(whole - (now - self.since), 0.1 * whole)
        trust = self.done / (self.done + OWN_SPEED)
        whole = math.exp((1 - trust) * math.log(whole) + trust * math.log(own))
        return max(0.0, whole * (1 - self.done) - (now - self.last))


@dataclass
class Tally:
    """What has been seen of a run."""

    total: int = 0
    done: int = 0
    failed: int = 0
    more: int | None = 0  # tasks that are expected beyond the known ones
    running: dict[str, Running] = field(default_factory=dict)
    waiting: dict[str, Piece] = field(default_factory=dict)  # that have not ended, by digest
    workers: int = 1  # as many as were seen side by side
    expected: float = 0.0  # time of all that this run has to do
    known: float = 0.0  # time of all known tasks
    pace: Pace = field(default_factory=Pace)
    _ended: bool = False  # whether a task of this run has
    _worked_out: tuple[float, float] | None = None  # when, and the seconds left

    def add(self, tasks: Sequence[Task], cached: Collection[str], more: int | None) -> None:
        """These are known now; those in `cached` were done before."""
        pieces = {piece.digest: piece for piece in map(Piece.of, tasks)}
        waiting = {digest: piece for digest, piece in pieces.items() if digest not in cached}
        self.total += len(tasks)
        self.done += len(cached)
        self.more = more
        self.waiting |= waiting
        self.expected += sum(piece.expected for piece in waiting.values())
        self.known += sum(piece.expected for piece in pieces.values())
        self._worked_out = None

    def start(self, task: Task, now: float) -> None:
        """It began to run."""
        piece = self.waiting.get(task.digest()) or Piece.of(task)
        self.running[piece.digest] = Running(task.label(), piece, now, cold=not self._ended)
        self.workers = max(self.workers, len(self.running))
        self._worked_out = None

    def progress(self, task: Task, done: float, text: str, now: float) -> Running:
        """It did a share of its work."""
        running = self.running[task.digest()]
        running.first = running.first or (now, done)
        running.done, running.text, running.last = done, text, now
        running.eta.update(done, now)
        if (whole := running.by_own_speed()) is not None:
            self.pace.learn(running.piece, whole, done)
        return running

    def end(self, task: Task, record: Record | None, now: float) -> None:
        """It ended with a record, or will never run."""
        running = self.running.pop(task.digest(), None)
        self.waiting.pop(task.digest(), None)
        ok = record is not None and record.state == "ok"
        if ok and record is not None and running is not None:
            self.pace.learn(running.piece, record.seconds - running.started_up())
        self._ended = True
        self.done += 1
        self.failed += not ok
        self._worked_out = None

    def share(self) -> float:
        """How much of the expected time of this run is done, in [0,1]; what is not known yet counts like what is."""
        whole = self.expected + (self.more or 0) * self.known / max(1, self.total)
        left = sum(piece.expected for piece in self.waiting.values())
        begun = sum(running.done * running.piece.expected for running in list(self.running.values()))
        return (self.expected - left + begun) / whole if whole else 1.0

    def seconds_left(self, now: float) -> float | None:
        """How long the whole study still takes; None before there is anything to judge by."""
        if not self.pace.measured:
            return None
        if self._worked_out is None or now - self._worked_out[0] >= ANEW_EVERY:
            self._worked_out = now, self._work_out(now)
        time, left = self._worked_out
        return max(0.0, left - (now - time))

    def _work_out(self, now: float) -> float:
        running = {digest: run.left(self.pace, now) for digest, run in list(self.running.items())}
        waiting = list(self.waiting.values())
        known = makespan(waiting, self.pace.seconds, running, self.workers)
        # Tasks that are not known yet take as long as those that are.
        mean = sum(map(self.pace.seconds, waiting)) / max(1, len(waiting))
        return known + (self.more or 0) * mean / self.workers

    def left(self, now: float) -> str:
        """The same in words, or nothing."""
        seconds = self.seconds_left(now)
        return "" if seconds is None else f"about {format_seconds(seconds)} left"

    def words(self) -> str:
        """E.g. `7 of 12 tasks, about 4 more expected, 1 failed`."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.total} tasks{more_words(self.more)}{failed}"
