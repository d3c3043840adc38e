"""Serial: one job after the other, in this process. For debugging, and where processes cannot be started."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import cast

from nasaudit.errors import StoreError
from nasaudit.running.execute import execute
from nasaudit.running.executors.base import (
    Event,
    Finished,
    Halted,
    Job,
    Printed,
    Progressed,
    RunContext,
    Started,
)
from nasaudit.running.executors.tee import Tee
from nasaudit.running.executors.threads import one_thread
from nasaudit.store.store import Store


class Serial:
    """An Executor with one slot and no process of its own.

    Args:
        context: what all jobs share.
        devices: the first is where the jobs run.
    """

    slots = 1

    def __init__(self, context: RunContext, devices: Sequence[str] = ("cpu",)):
        self._context, self._device = context, devices[0]
        self._store = Store(context.store)
        self._job: Job | None = None
        self._threads = ExitStack()
        self._threads.enter_context(one_thread())

    def submit(self, job: Job) -> None:
        """Keep the job for `pump`."""
        if self._job is not None:
            raise RuntimeError("submitted a second job to an executor with one slot")
        self._job = job

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        """Do the submitted job, from start to end."""
        if self._job is None:
            return
        job, self._job = self._job, None
        digest = job.digest

        def tell(event: Event) -> None:
            try:
                handle(event)
            except Exception as error:
                raise _ListenerError from error

        def progress(done: float, text: str = "") -> None:
            with tee.deaf():
                tell(Progressed(digest, done, text))
            tee.tell()

        tee = Tee(lambda words: tell(Printed(digest, words)))
        handle(Started(digest))
        process = os.getpid()
        try:
            with tee.listening():
                record = execute(
                    job.task,
                    job.folder,
                    self._store,
                    progress=progress,
                    device=self._device,
                    downloads=self._context.downloads,
                )
            if os.getpid() != process:  # code of others called os.fork: the copy must not go on with the run
                os._exit(0)
        except _ListenerError as error:
            raise cast(Exception, error.__cause__) from None
        except StoreError as error:
            handle(Halted(digest, str(error)))
        else:
            handle(Finished(digest, record, tee.words))

    def close(self) -> None:
        """Forget the job; give torch its threads back."""
        self._job = None
        self._threads.close()


class _ListenerError(BaseException):
    """Whoever listens to progress raised: no failure of the task that reported, so `execute` must not catch it."""
