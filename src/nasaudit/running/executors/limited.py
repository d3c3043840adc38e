"""A limit of time for each job, on top of any executor that can stop one."""

import time
from collections.abc import Callable

from nasaudit.errors import SpecError
from nasaudit.running.executors.base import (
    Died,
    Event,
    Executor,
    Finished,
    Halted,
    Job,
    Overran,
    Started,
    StoppingExecutor,
)


class Limited:
    """An Executor that stops jobs which take too long.

    Args:
        executor: does the jobs.
        seconds: that a job may take, from when it started.

    Raises:
        SpecError: the executor cannot stop a job.
    """

    def __init__(self, executor: Executor, seconds: float):
        if not isinstance(executor, StoppingExecutor):
            executor.close()
            raise SpecError(
                "task_timeout", "an executor that can stop a task, such as processes", type(executor).__name__
            )
        self._executor, self._seconds = executor, seconds
        self._began: dict[str, float] = {}
        self._stopped: set[str] = set()

    @property
    def slots(self) -> int:
        """The executor's."""
        return self._executor.slots

    def submit(self, job: Job) -> None:
        """Hand it on."""
        self._executor.submit(job)

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        """Wait for news, and stop what is late."""
        self._executor.pump(lambda event: handle(self._note(event)), timeout)
        late = time.monotonic() - self._seconds
        for digest in [digest for digest, began in self._began.items() if began < late]:
            self._stopped.add(digest)
            del self._began[digest]
            self._executor.stop(digest)

    def close(self) -> None:
        """Hand it on."""
        self._executor.close()

    def _note(self, event: Event) -> Event:
        match event:
            case Started():
                self._began[event.digest] = time.monotonic()
            case Finished() | Died() | Halted():
                self._began.pop(event.digest, None)
                stopped = event.digest in self._stopped
                self._stopped.discard(event.digest)
                if stopped and isinstance(event, Died):
                    return Overran(event.digest, self._seconds, event.words, event.stack)
        return event
