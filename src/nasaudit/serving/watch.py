"""What is known of a study at a moment, and the thread that looks again when somebody asks."""

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nasaudit.errors import NasauditError, presentable
from nasaudit.measure.estimate import Estimate
from nasaudit.planning.unfolding import Unfolding
from nasaudit.results.folder import STUDY_FILE
from nasaudit.results.opened import StudyOnDisk
from nasaudit.running.display.figures import headline
from nasaudit.running.status import StudyStatus, TaskStatus, status_by
from nasaudit.serving.remembered import Remembered
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record
from nasaudit.store.store import Store
from nasaudit.store.unfinished import BEGUN_DIGITS

LOOK_EVERY = 1.5  # seconds from one look to the next, at least
SHARE = 4  # and so many times what a look took

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A task in the table.

    Attributes:
        label: what it does.
        digest: its name in the store.
        kind: of task.
        state: as `nasaudit study status` says it.
        why: the reason of a failure or a block.
        seconds: that it took, or has taken so far; None: it has not begun.
        began: when, in UTC.
        finished: when, in UTC.
        figure: the one that says most of it.
        traceback: the end of it, of a failure.
        asked: whether the study asked for it; shadow models and poisoned trainings are there for the sake of others.
    """

    label: str
    digest: str
    kind: str
    state: str
    why: str = ""
    seconds: float | None = None
    began: datetime | None = None
    finished: datetime | None = None
    figure: Estimate | None = None
    traceback: str = ""
    asked: bool = True


@dataclass(frozen=True)
class Look:
    """A study at a moment.

    Attributes:
        status: its tasks; None: there is no study in the folder yet, or it cannot be read.
        rows: the tasks again, with times and figures, in the order in which they need each other.
        tasks: their specs, by digest.
        store: of their records; None like the status.
        records: changes when a record does; "" while there is none.
        problem: why there is no status.
    """

    status: StudyStatus | None = None
    rows: tuple[Row, ...] = ()
    tasks: Mapping[str, Task] = field(default_factory=dict)
    store: Store | None = None
    records: str = ""
    problem: str = ""


class Watch:
    """Looks at a study's folder in a thread of its own, when asked and not more often than it can.

    Args:
        folder: of the study; it may not exist yet.
        patient: whether a folder without a study is one whose run has not begun.
    """

    def __init__(self, folder: Path, *, patient: bool = False):
        self.folder = folder.absolute()
        self._patient = patient
        self._study: StudyOnDisk | None = None
        self._stamp: tuple[int, int] | None = None
        self._remembered: Remembered | None = None
        self._latest: Look | None = None
        self._asked, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def latest(self) -> Look | None:
        """What was seen last; None before the first look has ended. Asks for another look, and waits for none."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="nasaudit-watch", daemon=True)
            self._thread.start()
        self._asked.set()
        return self._latest

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._asked.set()

    def look(self) -> Look:
        """Look now.

        Raises:
            StoreError: the folder holds no study, or it is damaged.
            InputError: the study that it names cannot be planned (its data is gone, say).
        """
        study, remembered = self._open()
        begun = study.store.begun()  # before the records: a task that ends between the two is done
        unfolding = Unfolding(study.planned, remembered.find, study.store.path)
        status = status_by(unfolding, begun, study.folder.path)
        known = unfolding.plan
        victims, now = {victim.digest() for victim in known.victims}, datetime.now(UTC)
        rows = tuple(
            replace(
                _row(task.kind, state, remembered.found(state.digest), begun, now),
                asked=task.kind != "train" or state.digest in victims,
            )
            for task, state in zip(known.tasks, status.tasks, strict=True)
        )
        ended = [
            f"{row.digest} {row.state} {row.finished}" for row in rows if row.state in ("done", "failed")
        ]
        mark = hashlib.sha256("\n".join(ended).encode()).hexdigest() if ended else ""
        specs = {row.digest: task for row, task in zip(rows, known.tasks, strict=True)}
        return Look(status, rows, specs, study.store, mark)

    def _open(self) -> tuple[StudyOnDisk, Remembered]:
        """The study, planned anew when its file has changed: a study may grow in its folder."""
        try:
            about = (self.folder / STUDY_FILE).stat()
            stamp = about.st_mtime_ns, about.st_ino
        except OSError:
            stamp = None
        if self._study is None or self._remembered is None or stamp != self._stamp:
            self._study, self._stamp = StudyOnDisk.of(self.folder), stamp
            self._remembered = Remembered(self._study.store, whole=bool(self._study.planned.stages))
        return self._study, self._remembered

    def _run(self) -> None:
        while True:
            self._asked.wait()
            if self._ended.is_set():
                return
            self._asked.clear()
            began = time.monotonic()
            self._latest = self._try()
            self._ended.wait(max(LOOK_EVERY, SHARE * (time.monotonic() - began)))

    def _try(self) -> Look:
        if self._patient and not (self.folder / STUDY_FILE).exists():
            return Look(problem="The run has not begun to write to its folder yet.")
        try:
            return self.look()
        except NasauditError as error:
            return Look(problem=str(error))
        except Exception as error:  # the page outlives whatever a folder holds
            _log.warning("cannot look at %s: %s", self.folder, error)
            return Look(problem=presentable(f"{type(error).__name__}: {error}"))


def _row(
    kind: str, task: TaskStatus, record: Record | None, begun: Mapping[str, float], now: datetime
) -> Row:
    row = Row(task.label, task.digest, kind, task.state, task.why)
    if record is not None:
        finished = _time(record.finished)
        return replace(
            row,
            seconds=record.seconds,
            began=None if finished is None else _before(finished, record.seconds),
            finished=finished,
            figure=headline(record),
            traceback="" if record.problem is None else record.problem.traceback,
        )
    if task.state == "running":
        began = datetime.fromtimestamp(begun[task.digest[:BEGUN_DIGITS]], UTC)
        return replace(row, seconds=max(0.0, (now - began).total_seconds()), began=began)
    return row


def _time(text: str) -> datetime | None:
    """When a record says that it was finished, which may be anything."""
    try:
        time_of = datetime.fromisoformat(text)
        return time_of.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _before(moment: datetime, seconds: float) -> datetime | None:
    try:
        return moment - timedelta(seconds=seconds)
    except OverflowError:
        return None
