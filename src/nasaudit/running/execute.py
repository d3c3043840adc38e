"""One task from spec to record: call its work function, and turn whatever happens into a Record."""

import math
import shutil
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, cast

from nasaudit.containment import contained
from nasaudit.errors import ModelError, NonFiniteError
from nasaudit.measure.estimate import Measurement
from nasaudit.progress import Progress
from nasaudit.randomness import derive_seed
from nasaudit.running.devices import repeatable
from nasaudit.spec.tasks import Task
from nasaudit.store.files import full_disk, is_full_disk
from nasaudit.store.records import Problem, Record
from nasaudit.store.store import Store
from nasaudit.store.versions import versions
from nasaudit.store.workspace import Workspace

LAST_WORDS = 500  # characters of what a worker printed that a message has room for
MORE_WORDS = 1500  # and a record
Work = Callable[[Task, Workspace], list[Measurement]]


def execute(
    task: Task, folder: Path, store: Store, *, progress: Progress, device: str, downloads: Path
) -> Record:
    """Do a task's work in this process.

    Args:
        task: what to do; the tasks that it needs have records in `store`.
        folder: empty; what the work leaves there becomes the record's artefacts when it is committed.
        store: read only.
        progress: called with the share done.
        device: "cpu", "cuda" or "cuda:K".
        downloads: folder of the downloaded data sets.

    Returns:
        The record, of success or of failure, without artefacts.

    Raises:
        StoreError: the disk is full. That is no property of the task, so it is not its failure.
    """
    workspace = Workspace(folder, store.open, progress, device, downloads, store.checkpoint(task.digest()))
    start = time.perf_counter()
    try:
        work = resolve_work(task)
        # What layers of others draw globally (dropout) hangs on the task alone, and what they set ends with it.
        with contained(derive_seed("task", task.digest()), quiet=False), repeatable(device):
            measurements = _finite(work(task, workspace))
        if not folder.is_dir():
            raise ModelError(
                f"{folder}: was removed while the task ran, which only code of a model or plugin does"
            )
    except (Exception, SystemExit) as error:
        if is_full_disk(error):
            # The folder goes at once: what is in it may be all that fills the disk.
            shutil.rmtree(folder, ignore_errors=True)
            raise full_disk(store.folder) from error
        return failure(task, error, time.perf_counter() - start, device)
    seconds = time.perf_counter() - start + sum(workspace.earlier)
    return _record(task, seconds, device, state="ok", measurements=measurements)


def _finite(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """The measurements, if all are numbers: JSON has no other ones, and a result that is none is a failure."""
    checked = tuple(measurements)
    for measurement in checked:
        estimate = measurement.estimate
        if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
            raise NonFiniteError(f"{measurement.metric} {dict(measurement.setting)} came out as {estimate}")
    return checked


def resolve_work(task: Task) -> Work:
    """Import the function that a task names as `module:function`."""
    return cast(Work, resolve_name(task.work))


def failure(task: Task, error: BaseException, seconds: float, device: str, attempts: int = 1) -> Record:
    """The record of a task that raised."""
    text = "".join(traceback.format_exception(error))
    problem = Problem(type=type(error).__name__, message=str(error), traceback=text)
    return _record(task, seconds, device, state="failed", problem=problem, attempts=attempts)


def death(task: Task, reason: str, attempts: int, words: str = "") -> Record:
    """The record of a task whose worker died each time that it was tried."""
    message = f"{reason} ({attempts} attempts){_last(words)}"
    problem = Problem(type="WorkerDied", message=message, traceback=words[-MORE_WORDS:])
    return _record(task, 0.0, "", state="failed", problem=problem, attempts=attempts)


def overrun(task: Task, seconds: float, words: str, stack: str) -> Record:
    """The record of a task that took longer than it may."""
    message = (
        f"took longer than {seconds:g} seconds and was stopped; allow more (--task-timeout) with --mode retry, "
        f"or end what hangs{_last(words)}"
    )
    problem = Problem(type="TaskTimeout", message=message, traceback=stack or words[-MORE_WORDS:])
    return _record(task, seconds, "", state="failed", problem=problem)


def _last(words: str) -> str:
    """The end of what a worker printed, for a message; the rest is no business of one."""
    return f"; its last words: {words[-LAST_WORDS:]}" if words else ""


def _record(task: Task, seconds: float, device: str, **outcome: Any) -> Record:
    return Record(
        digest=task.digest(),
        kind=task.kind,
        label=task.label(),
        task=task.model_dump(mode="json"),
        seconds=seconds,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={**versions(), "device": device},
        **outcome,
    )
