"""What a worker of the cluster does with a job: it makes sure that it is the same code, does the work, and tells.

Where the folder that the runner made for the job is there, the file system is shared, and the store is read and
written like anywhere else. Where it is not, the worker says so once; from then on the records that a job needs come
through Ray's object store, and its files go back the same way.
"""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from nasaudit.errors import DataError, StoreError
from nasaudit.plugins import OURS, source_sha256
from nasaudit.progress import Progress
from nasaudit.running.executors.attempt import Reporter, attempt
from nasaudit.running.executors.base import Event, Finished, Halted, Job, Printed, Started
from nasaudit.running.executors.cluster.capture import captured
from nasaudit.running.executors.cluster.parcels import Parcel, pack, unpack
from nasaudit.running.executors.threads import one_thread
from nasaudit.spec.tasks import Task
from nasaudit.store.files import FORMAT, write_atomically
from nasaudit.store.records import Record
from nasaudit.store.store import FORMAT_FILE, Store

Tell = Callable[[Event], None]
Fetch = Callable[[str], Parcel | None]  # the files of a record, by the digest of its task


class FilesNotSharedError(Exception):
    """The folder of a job is not on this machine."""


@dataclass(frozen=True)
class Order:
    """A job for a worker.

    Attributes:
        job: as the runner has it.
        digest: the task's, as the runner's code reckons it.
        code: SHA-256 of the runner's code.
        store: the folder of the store, on the runner's machine.
        downloads: folder of the downloaded data sets, on every machine.
        device: "auto", "cpu" or "cuda".
        carried: whether files travel.
    """

    job: Job
    digest: str
    code: str
    store: Path
    downloads: Path
    device: str
    carried: bool


def perform(order: Order, fetch: Fetch, tell: Tell, has_gpu: bool) -> tuple[Event, Parcel]:
    """Do a job.

    Args:
        order: which.
        fetch: finds the files of a record that the job needs; None: there is no such record.
        tell: takes news at once.
        has_gpu: whether a GPU was given to this worker.

    Returns:
        How it ended, and its files if they travel.

    Raises:
        FilesNotSharedError: they must travel.
    """
    job = order.job
    if not order.carried and not job.folder.is_dir():
        raise FilesNotSharedError
    tell(Started(job.digest))
    if order.code != _code():
        return Halted(job.digest, _stranger("the code of nasaudit")), {}
    if order.digest != job.task.digest():
        return Halted(job.digest, _stranger("the code of a plugin, or the plugin's version,")), {}
    device = ("cuda" if has_gpu else "cpu") if order.device == "auto" else order.device
    report = Reporter(job.digest, tell)
    with one_thread(), captured(lambda words: tell(Printed(job.digest, words))) as printed:
        if not order.carried:
            return _with_words(_do(order, job.folder, Store(order.store), device, report), printed()), {}
        with _own_folder() as folder:
            event = _do(order, folder / "work", _Fetched(folder / "store", fetch), device, report)
            event = _with_words(event, printed())
            return event, pack(folder / "work") if isinstance(event, Finished) else {}


def _with_words(event: Event, words: str) -> Event:
    return replace(event, words=words) if isinstance(event, Finished) else event


def _do(order: Order, folder: Path, store: Store, device: str, report: Progress) -> Event:
    folder.mkdir(parents=True, exist_ok=True)
    task = order.job.task
    end = attempt(task, folder, store, progress=report, device=device, downloads=order.downloads)
    if isinstance(end, Halted):
        return Halted(order.digest, f"{socket.gethostname()}: {end.message}")
    problem = end.record.problem
    if order.carried and problem is not None and problem.type == DataError.__name__:
        return Halted(
            order.digest,
            f"{socket.gethostname()} cannot read the images: {problem.message}; "
            "put them under the same path on every node, or start the cluster without this one",
        )
    return end


class _Fetched(Store):
    """A store of this worker alone, which has of the runner's what was asked for."""

    def __init__(self, folder: Path, fetch: Fetch):
        super().__init__(folder)
        folder.mkdir()
        write_atomically(folder / FORMAT_FILE, json.dumps({"format": FORMAT}))
        self._fetch = fetch

    def open(self, task: Task) -> tuple[Record, Path]:
        digest = task.digest()
        if not self.path(digest).exists() and (parcel := self._fetch(digest)) is not None:
            unpack(parcel, self.path(digest))
        return super().open(task)

    def checkpoint(self, digest: str) -> Path:
        """On this machine, and for the next attempt here."""
        return Store(_base()).checkpoint(digest)


@cache
def _code() -> str:
    return source_sha256(OURS)


def _stranger(what: str) -> str:
    return (
        f"{what} on {socket.gethostname()} is not that of the runner; install the same version on every node, "
        "and run the same command again"
    )


def _base() -> Path:
    """A folder of this user's on this machine.

    Raises:
        StoreError: somebody else made it.
    """
    base = Path(tempfile.gettempdir()) / f"nasaudit-ray-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    state = base.lstat()
    if base.is_symlink() or not base.is_dir() or state.st_uid != os.getuid() or state.st_mode & 0o077:
        raise StoreError(f"{base} is not a folder that only this user can write to; remove it")
    return base


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder of this process, gone at the end; those of processes that were killed go now."""
    base = _base()
    for left in base.glob("[0-9]*-*"):
        if not Path("/proc", left.name.partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
