"""The program of a worker process: `python -m nasaudit.running.executors.worker FILE_DESCRIPTOR`."""

import faulthandler
import os
import pickle
import sys
import threading
import time
from multiprocessing.connection import Connection
from queue import SimpleQueue

from nasaudit.errors import StoreError
from nasaudit.running.execute import execute
from nasaudit.running.executors.base import Finished, Halted, Job, Progressed, RunContext
from nasaudit.store.store import Store

REPORT_EVERY = 0.2  # seconds between two messages of progress


def main(descriptor: int) -> None:
    """Do the jobs that come through the socket until its other end is closed."""
    faulthandler.enable()  # a crash in native code leaves its traceback in the log
    connection: Connection = Connection(descriptor)
    payloads: SimpleQueue[bytes] = SimpleQueue()
    context, device = connection.recv()
    threading.Thread(target=_listen, args=(connection, payloads), daemon=True).start()
    store = Store(context.store)
    while True:
        job: Job = pickle.loads(payloads.get())
        connection.send(_do(job, store, context, device, _Reporter(connection, job.digest)))


def _do(job: Job, store: Store, context: RunContext, device: str, progress: "_Reporter") -> Finished | Halted:
    try:
        record = execute(
            job.task, job.folder, store, progress=progress, device=device, downloads=context.downloads
        )
    except StoreError as error:
        return Halted(job.digest, str(error))
    return Finished(job.digest, record)


def _listen(connection: Connection, payloads: SimpleQueue[bytes]) -> None:
    """Receive jobs. The socket ends when the runner does, and then this process must not live on."""
    try:
        while True:
            payloads.put(connection.recv_bytes())
    except (EOFError, OSError):
        os._exit(0)


class _Reporter:
    """Progress that goes to the runner, a few times a second at most."""

    def __init__(self, connection: Connection, digest: str):
        self._connection, self._digest = connection, digest
        self._next = 0.0

    def __call__(self, done: float, text: str = "") -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + REPORT_EVERY
            self._connection.send(Progressed(self._digest, done, text))


if __name__ == "__main__":
    main(int(sys.argv[1]))
