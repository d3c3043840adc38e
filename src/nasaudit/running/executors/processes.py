"""Processes: persistent workers side by side, each with one thread. A worker that dies is replaced.

The worker is a fresh interpreter (`python -m nasaudit.running.executors.worker`), so a script that calls
`nasaudit.audit` needs no `if __name__ == "__main__"`. Runner and worker share one socket. Its end is news of the
other's death: the kernel closes it, whatever killed the process, unless code of others started processes that hold
it open. So the runner looks after its children too, and a worker ends with all of its process group.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from nasaudit.running.executors.attempt import LogPace
from nasaudit.running.executors.base import Died, Event, Finished, Job, Printed, RunContext, Started
from nasaudit.running.executors.output import Output
from nasaudit.running.executors.threads import worker_environment
from nasaudit.running.executors.worker import SHOW_STACK

STACK_PATIENCE = 1.0  # seconds for a worker to say where it hangs


class Processes:
    """An Executor of one process for each device.

    Args:
        context: what all jobs share.
        devices: where each worker runs ("cpu", "cuda:1"); one name may come several times.
    """

    def __init__(self, context: RunContext, devices: Sequence[str]):
        self._context = context
        self._free_devices = list(reversed(devices))
        self._workers: list[_Worker] = []
        self._news: list[Event] = []
        self.slots = len(devices)

    def submit(self, job: Job) -> None:
        """Hand the job to an idle worker, or to a new one. Workers start when they are first needed."""
        payload = pickle.dumps(job)
        while True:
            worker = self._idle_worker()
            try:
                worker.take(job.digest, payload)
            except OSError:  # it died while it was idle
                self._drop(worker)
            else:
                return

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        """Wait for messages and deaths, at most `timeout` seconds."""
        news, self._news = self._news, []
        for event in news:
            handle(event)
        ready = wait([worker.connection for worker in self._workers], 0 if news else timeout)
        for worker in list(self._workers):
            received = None
            if worker not in self._workers:
                continue  # what was handled before made room for a job
            if worker.connection in ready:
                received = self._receive(worker)
            elif (
                worker.process.poll() is not None
            ):  # and the socket is held open, or has just got its last message
                received = self._receive(worker) if worker.connection.poll() else self._death(worker)
            if received is not None:
                handle(received)
        for worker in list(self._workers):
            if (printed := worker.news()) is not None:
                handle(printed)

    def stop(self, digest: str) -> None:
        """Ask the worker of a job where it is, and end it with all that it started."""
        for worker in [worker for worker in self._workers if worker.digest == digest]:
            stack = worker.stack()
            death = self._death(worker)
            if death is not None:
                self._news.append(Died(death.digest, death.reason, worker.words, stack))

    def close(self) -> None:
        """Kill all workers: they write to their own folders only, so nothing can be left half-written."""
        for worker in self._workers:
            worker.kill()
        for worker in list(self._workers):
            self._drop(worker)

    def _idle_worker(self) -> "_Worker":
        for worker in self._workers:
            if worker.digest is None:
                return worker
        if not self._free_devices:
            raise RuntimeError(f"submitted more jobs than there are slots ({self.slots})")
        worker = _Worker(self._context, self._free_devices.pop())
        self._workers.append(worker)
        return worker

    def _receive(self, worker: "_Worker") -> Event | None:
        try:
            received: Event | tuple[Event, bool] = worker.connection.recv()
        except (EOFError, OSError):  # at the end, or in the middle of a message
            return self._death(worker)
        if not isinstance(received, tuple):
            worker.is_at_work = worker.is_at_work or isinstance(received, Started)
            return received
        event, processes_left = received
        if processes_left:
            self._drop(worker)  # with them: they may write to what the job left
        if isinstance(event, Finished):
            worker.digest, worker.is_at_work = None, False
            return replace(event, words=worker.printed())
        return event

    def _death(self, worker: "_Worker") -> Died | None:
        digest, reason = worker.digest, self._drop(worker)
        return Died(digest, reason, worker.words) if digest is not None else None

    def _drop(self, worker: "_Worker") -> str:
        """Forget a worker and free its device; returns how it ended."""
        self._workers.remove(worker)
        self._free_devices.append(worker.device)
        return worker.bury()


class _Worker:
    """The runner's side of one worker process.

    Attributes:
        device: where it works.
        digest: of the job that it has.
        is_at_work: whether it said that it began the job.
        words: the end of what it printed during its job, when it is buried.
    """

    def __init__(self, context: RunContext, device: str):
        self.device = device
        self.digest: str | None = None
        self.is_at_work = False
        self.words = ""
        self.connection, theirs = Pipe()
        # Not a terminal's business: libraries print, and a live display must stay whole.
        reading, writing = os.pipe()
        self._output = Output(reading)
        self._since = 0  # bytes that had come when it was given its job
        self._pace = LogPace()
        program = [sys.executable, "-m", "nasaudit.running.executors.worker"]
        try:
            self.process = subprocess.Popen(
                [*program, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=worker_environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for the runner, which ends its workers
            )
        finally:
            os.close(writing)
            theirs.close()  # or the end of the worker would never be seen
        _send_context(self.connection, context, device)

    def take(self, digest: str, payload: bytes) -> None:
        """Send a job. Raises OSError when the worker is gone."""
        self._since, self._pace = self._output.length, LogPace()
        self.connection.send_bytes(payload)
        self.digest = digest

    def printed(self) -> str:
        """The end of what it printed since it was given its job, which has ended."""
        self._output.settle()
        return self._output.since(self._since)

    def news(self) -> Printed | None:
        """The log of its job, if that is to be told now."""
        if self.digest is None or not self.is_at_work:
            return None
        if not self._pace.is_due(self._output.length - self._since):
            return None
        words = self._output.since(self._since)
        return Printed(self.digest, words) if words else None

    def stack(self) -> str:
        """Where the worker is, as it says itself; empty if it does not."""
        before, until = self._output.length, time.monotonic() + STACK_PATIENCE
        self.words = self._output.between(self._since, before)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, SHOW_STACK)
        while self.process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
            said = self._output.since(before)
            if "most recent call first" in said and said == self._output.since(before):
                return said
        return ""

    def kill(self) -> None:
        """End the process and all of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says so of a group of the dead
            os.killpg(self.process.pid, signal.SIGKILL)

    def bury(self) -> str:
        """Make sure that the process is gone; returns how it ended."""
        self.connection.close()
        self.kill()
        code = self.process.wait()
        self._output.close()
        self.words = self.words or self._output.since(self._since)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the worker {how}"


def _send_context(connection: Connection, context: RunContext, device: str) -> None:
    try:
        connection.send((context, device))
    except OSError:
        return  # it died at once; `take` or `recv` will find that out
