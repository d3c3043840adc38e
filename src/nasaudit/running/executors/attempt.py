"""What every worker does with a job, wherever it is: the work, how it ended, and news of it that are not too many."""

import time
from collections.abc import Callable
from pathlib import Path

from nasaudit.errors import StoreError
from nasaudit.progress import Progress
from nasaudit.running.execute import execute
from nasaudit.running.executors.base import Event, Finished, Halted, Progressed
from nasaudit.spec.tasks import Task
from nasaudit.store.store import Store

REPORT_EVERY = 0.2  # seconds between two messages of progress
LOG_EVERY = 1.0  # seconds between two looks at what a job printed


def attempt(
    task: Task, folder: Path, store: Store, *, progress: Progress, device: str, downloads: Path
) -> Finished | Halted:
    """Do a task as `execute` does, and say how it ended; trouble that others would meet too is no failure of it."""
    try:
        record = execute(task, folder, store, progress=progress, device=device, downloads=downloads)
    except StoreError as error:
        return Halted(task.digest(), str(error))
    return Finished(task.digest(), record)


class Reporter:
    """Progress that goes to the runner, a few times a second at most.

    Args:
        digest: of the job.
        tell: takes the news.
    """

    def __init__(self, digest: str, tell: Callable[[Event], object]):
        self._digest, self._tell = digest, tell
        self._next = 0.0

    def __call__(self, done: float, text: str = "") -> None:
        """Tell the share done, if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REPORT_EVERY
            self._tell(Progressed(self._digest, done, text))


class LogPace:
    """When the log of a job that runs is told: when there is more of it, and once a second at most."""

    def __init__(self) -> None:
        self._told = 0
        self._next = 0.0

    def is_due(self, length: int) -> bool:
        """Whether to tell it now; then it counts as told.

        Args:
            length: of all that was printed so far.
        """
        now = time.monotonic()
        if length == self._told or now < self._next:
            return False
        self._told, self._next = length, now + LOG_EVERY
        return True
