"""Processes: persistent workers side by side, each with one thread. A worker that dies is replaced.

The worker is a fresh interpreter (`python -m nasaudit.running.executors.worker`), so a script that calls
`nasaudit.audit` needs no `if __name__ == "__main__"`. Runner and worker share one socket. Its end is all
the news that either needs of the other's death: the kernel closes it, whatever killed the process.
"""

import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from signal import Signals

from nasaudit.running.executors.base import Died, Event, Finished, Job, RunContext, Started
from nasaudit.running.executors.threads import worker_environment

LOG_TAIL = 1500  # characters of a dead worker's last words that are kept


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
        self._logs = Path(tempfile.mkdtemp(prefix="nasaudit-workers-"))
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
                self._news.append(Started(job.digest))
                return

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        """Wait for messages and deaths, at most `timeout` seconds."""
        news, self._news = self._news, []
        for event in news:
            handle(event)
        ready = wait([worker.connection for worker in self._workers], 0 if news else timeout)
        for worker in [worker for worker in self._workers if worker.connection in ready]:
            received = self._receive(worker)
            if received is not None:
                handle(received)

    def close(self) -> None:
        """Kill all workers: they write to their own folders only, so nothing can be left half-written."""
        for worker in self._workers:
            worker.process.kill()
        for worker in list(self._workers):
            self._drop(worker)
        shutil.rmtree(self._logs, ignore_errors=True)

    def _idle_worker(self) -> "_Worker":
        for worker in self._workers:
            if worker.digest is None:
                return worker
        if not self._free_devices:
            raise RuntimeError(f"submitted more jobs than there are slots ({self.slots})")
        worker = _Worker(self._context, self._free_devices.pop(), self._logs)
        self._workers.append(worker)
        return worker

    def _receive(self, worker: "_Worker") -> Event | None:
        try:
            event: Event = worker.connection.recv()
        except (EOFError, OSError):  # at the end, or in the middle of a message
            digest = worker.digest
            reason = self._drop(worker)
            return Died(digest, reason) if digest is not None else None
        if isinstance(event, Finished):
            worker.digest = None
        return event

    def _drop(self, worker: "_Worker") -> str:
        """Forget a worker and free its device; returns why it ended."""
        self._workers.remove(worker)
        self._free_devices.append(worker.device)
        return worker.bury()


class _Worker:
    """The runner's side of one worker process."""

    def __init__(self, context: RunContext, device: str, logs: Path):
        self.device = device
        self.digest: str | None = None  # of the job that it has
        self.connection, theirs = Pipe()
        # Not a terminal's business: libraries print, and a live display must stay whole.
        with tempfile.NamedTemporaryFile(dir=logs, suffix=".log", delete=False) as log:
            self._log = Path(log.name)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nasaudit.running.executors.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=worker_environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for the runner, which ends its workers
            )
        theirs.close()  # or the end of the worker would never be seen
        _send_context(self.connection, context, device)

    def take(self, digest: str, payload: bytes) -> None:
        """Send a job. Raises OSError when the worker is gone."""
        self.connection.send_bytes(payload)
        self.digest = digest

    def bury(self) -> str:
        """Make sure that the process is gone; returns why it ended."""
        self.connection.close()
        self.process.kill()
        code = self.process.wait()
        words = self._log.read_text(errors="replace")[-LOG_TAIL:].strip() if self._log.exists() else ""
        self._log.unlink(missing_ok=True)
        how = f"was killed by {Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"the worker {how}" + (f"; its last words: {words}" if words else "")


def _send_context(connection: Connection, context: RunContext, device: str) -> None:
    try:
        connection.send((context, device))
    except OSError:
        return  # it died at once; `take` or `recv` will find that out
