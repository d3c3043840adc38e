"""Locks between runs. They are the kernel's: they die with their process, also under `kill -9`, and know no clocks.

A folder is held by one run alone, or shared by several. A claim is a lock on one task: the file of it is removed when
it is released, a folder's stays.
"""

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
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK


@contextmanager
def hold(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the folder for this process until the block ends.

    The file stays behind when the lock is released: removing it would let two runs lock two files of
    the same name.

    Args:
        folder: made if it is not there.
        shared: with others that share it too.

    Raises:
        ConflictError: another run holds the folder; the message says which process, where, since when. Or its
            lock is a file that nasaudit did not write.
        StoreError: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A file descriptor of Python is not inherited by the workers, so they cannot keep the lock alive.
    descriptor = _open(folder / LOCK_FILE)
    try:
        try:
            _lock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        except BlockingIOError:
            raise ConflictError(
                f"another run {_holder(descriptor)} is writing to {folder}; "
                "wait until it ends, stop it, or choose another folder"
            ) from None
        with explain_full_disk(folder):
            _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a run holds the folder, or shares it; it may be one that nothing can be written to."""
    return is_locked(folder / LOCK_FILE)


def is_locked(path: Path) -> bool:
    """Whether a process has locked a file of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return False
    try:
        if not _is_ours(descriptor):
            return False
        for kind in (
            fcntl.LOCK_EX,
            fcntl.LOCK_SH,
        ):  # shares refuse the first for a file that is open for reading
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:  # or a disk without locks
                continue
            return False
    finally:
        os.close(descriptor)
    return False


def claim(path: Path) -> int | None:
    """Lock a file, which is made for it, until `release`; None: another one has locked it.

    Raises:
        ConflictError: a file that nasaudit did not write has the name.
    """
    while True:
        descriptor = _open(path)
        try:
            _lock(descriptor, fcntl.LOCK_EX)
            # Its holder may have removed it between these two lines: then the name is that of another file, or free.
            if os.path.samestat(os.fstat(descriptor), path.lstat()):
                _sign(descriptor)
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def release(descriptor: int, path: Path) -> None:
    """Give a claim back; the file is removed while it is still locked."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    os.close(descriptor)


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise _not_ours(path) from error
        raise
    if not _is_ours(descriptor):
        os.close(descriptor)
        raise _not_ours(path)
    return descriptor


def _sign(descriptor: int) -> None:
    """Say who has it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    owner = {"process": os.getpid(), "host": socket.gethostname(), "since": now}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _lock(descriptor: int, kind: int) -> None:
    """Take the lock; whoever only looked whether it is held (`is_locked`) has it for an instant."""
    for _ in range(GLANCES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        time.sleep(GLANCE)
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


def _is_ours(descriptor: int) -> bool:
    """Whether a lock may be written to: it is new, or says what `hold` writes."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    content = os.pread(descriptor, 1000, 0).strip(b"\0")  # zeros are what a power failure leaves
    return not content or _OURS.match(content) is not None  # a full disk leaves half of it


def _not_ours(path: Path) -> ConflictError:
    return ConflictError(f"{path} is a file that nasaudit did not write; move it, or choose another folder")


def _holder(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 1000, 0))
        return f"(process {owner['process']} on {owner['host']}, since {owner['since']})"
    except (ValueError, KeyError, TypeError):
        return "(which has only just started)"
