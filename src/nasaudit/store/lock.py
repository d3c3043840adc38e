"""One run at a time in a folder. The lock is the kernel's: it dies with its process, also under `kill -9`."""

import contextlib
import errno
import fcntl
import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from nasaudit.errors import ConflictError
from nasaudit.store.files import explain_full_disk

LOCK_FILE = ".lock"
GLANCES, GLANCE = 3, 0.02  # tries, and seconds between them
_OURS = re.compile(rb'\{"process": \d')


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold the folder for this process until the block ends.

    The file stays behind when the lock is released: removing it would let two runs lock two files of
    the same name.

    Raises:
        ConflictError: another run holds the folder; the message says which process, where, since when. Or its
            lock is a file that nasaudit did not write.
        StoreError: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A file descriptor of Python is not inherited by the workers, so they cannot keep the lock alive.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(folder / LOCK_FILE, flags, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise _not_ours(folder) from error
        raise
    try:
        if not _is_ours(descriptor):
            raise _not_ours(folder)
        try:
            _lock(descriptor)
        except BlockingIOError:
            raise ConflictError(
                f"another run {_holder(descriptor)} is writing to {folder}; "
                "wait until it ends, stop it, or choose another folder"
            ) from None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
        with explain_full_disk(folder):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a run holds the folder, which may be one that nothing can be written to."""
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        if not _is_ours(descriptor):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a disk without locks
        return False
    finally:
        os.close(descriptor)
    return False


def _lock(descriptor: int) -> None:
    """Take the lock; whoever only looked whether it is held (`is_held`) has it for an instant."""
    for _ in range(GLANCES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(GLANCE)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_ours(descriptor: int) -> bool:
    """Whether a lock may be written to: it is new, or says what `hold` writes."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    content = os.pread(descriptor, 1000, 0).strip(b"\0")  # zeros are what a power failure leaves
    return not content or _OURS.match(content) is not None  # a full disk leaves half of it


def _not_ours(folder: Path) -> ConflictError:
    return ConflictError(
        f"{folder / LOCK_FILE} is a file that nasaudit did not write; move it, or choose another folder"
    )


def _holder(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 1000, 0))
        return f"(process {owner['process']} on {owner['host']}, since {owner['since']})"
    except (ValueError, KeyError, TypeError):
        return "(which has only just started)"
