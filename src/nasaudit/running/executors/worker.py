"""The program of a worker process: `python -m nasaudit.running.executors.worker FILE_DESCRIPTOR PARENT`."""

import contextlib
import faulthandler
import io
import pickle
import resource
import signal
import sys
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue

from nasaudit.errors import ModelError
from nasaudit.progress import Progress
from nasaudit.running.execute import failure
from nasaudit.running.executors.attempt import Reporter, attempt
from nasaudit.running.executors.base import Finished, Job, Started
from nasaudit.running.executors.leftovers import Copies, any_left, end_all, end_with, wait_for_the_end
from nasaudit.store.store import Store

SHOW_STACK = signal.SIGUSR1  # asks a worker to print where it is
COPIED = ModelError(
    "its code calls os.fork, and the copy went on with the task, into the same files; end the copy with os._exit, or "
    "start it with multiprocessing"
)


def main(descriptor: int, parent: int) -> None:
    """Do the jobs that come through the socket until its other end is closed."""
    faulthandler.enable()  # a crash in native code leaves its traceback in the log
    faulthandler.register(SHOW_STACK, all_threads=False)
    end_with(parent)
    copies = Copies()
    connection: Connection = Connection(descriptor)
    payloads: SimpleQueue[bytes] = SimpleQueue()
    context, device = connection.recv()
    threading.Thread(target=_listen, args=(connection, payloads), daemon=True).start()
    store = Store(context.store)
    if isinstance(sys.stdout, io.TextIOWrapper):  # so that the log of a job that runs has its lines
        sys.stdout.reconfigure(line_buffering=True)
    if context.cluster.memory is not None:
        _limit_memory(context.cluster.memory)
    while True:
        job: Job = pickle.loads(payloads.get())
        copies.made = False
        connection.send(Started(job.digest))
        end = attempt(
            job.task,
            job.folder,
            store,
            progress=_reporter(connection, job.digest, copies),
            device=device,
            downloads=context.downloads,
        )
        if copies.is_one:
            wait_for_the_end()
        _flush()
        left = any_left()
        if left and copies.made and isinstance(end, Finished):
            end = Finished(job.digest, failure(job.task, COPIED, end.record.seconds, device))
        connection.send((end, left))


def _limit_memory(size: int) -> None:
    """What wants more gets a MemoryError: the task fails, and the machine does not look for somebody to kill.

    The limit is on private memory, not on addresses: torch maps much that it never touches. Linux alone knows it.
    """
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def _flush() -> None:
    """What the job printed belongs to it, and not to the next one."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # code of others may have put anything there, or closed it
            stream.flush()


def _listen(connection: Connection, payloads: SimpleQueue[bytes]) -> None:
    """Receive jobs. The socket ends when the runner does, and then this process must not live on."""
    try:
        while True:
            payloads.put(connection.recv_bytes())
    except (EOFError, OSError):
        end_all()


def _reporter(connection: Connection, digest: str, copies: Copies) -> Progress:
    """Tells the runner of progress, but not in a copy of the process."""
    report = Reporter(digest, connection.send)

    def progress(done: float, text: str = "") -> None:
        if copies.is_one:
            wait_for_the_end()
        report(done, text)

    return progress


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
