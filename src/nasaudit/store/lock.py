"""One run at a time in a folder. The lock is the kernel's: it dies with its process, also under `kill -9`."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nasaudit.errors import ConflictError

LOCK_FILE = ".lock"


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the folder for this process until the block ends.

    The file stays behind when the lock is released: removing it would let two runs lock two files of
    the same name.

    Raises:
        ConflictError: another run holds the folder; the message says which process, where, since when.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A file descriptor of Python is not inherited by the workers, so they cannot keep the lock alive.
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                f"another run {_holder(descriptor)} is writing to {folder}; "
                "wait until it ends, stop it, or choose another folder"
            ) from None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 1000, 0))
        return f"(process {owner['process']} on {owner['host']}, since {owner['since']})"
    except (ValueError, KeyError, TypeError):
        return "(which has only just started)"
