"""Writing that survives a crash, and telling a full disk from other trouble."""

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nasaudit.documents import parse_json
from nasaudit.errors import FormatError, StoreError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk's end, the user's, the process's (`ulimit -f`)
MOST_TEXT = 2**28  # bytes of a text file of ours; a longer one is none
# Raised when records, study.json or results.json change in a way that code of before or after cannot read.
FORMAT = 3


def sync(path: Path) -> None:
    """Wait until a file or a folder's list of names is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: str | bytes | Iterable[str], *, durable: bool = True) -> None:
    """Replace a file (texts are UTF-8, line ends as given): a reader sees the old content or the new.

    Args:
        path: the file.
        content: all of it, or its parts.
        durable: wait until it is on the disk, as what could not be made again has to.

    Raises:
        StoreError: the disk is full; the old content is untouched.
    """
    # Nobody can lay a link there beforehand: the name is not to be guessed, and what exists is not opened.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with explain_full_disk(path.parent):
        try:
            with temporary.open("xb") as file:
                for part in [content] if isinstance(content, str | bytes) else content:
                    file.write(part.encode("utf-8") if isinstance(part, str) else part)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync(path.parent)


def read_text(path: Path) -> str:
    """The content of a regular file (UTF-8): a link, a pipe or a device in its place is not followed or waited for.

    Raises:
        OSError: it is none, cannot be read, or is too large for any file of ours.
        ValueError: it is not UTF-8.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, encoding="utf-8", newline="") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if about.st_size > MOST_TEXT:
            raise OSError(errno.EFBIG, f"longer than {MOST_TEXT} bytes", str(path))
        return file.read()


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_format(number: object, place: Path | str, remedy: str) -> None:
    """Refuse what another version wrote.

    Args:
        number: the format that it names; None where it names none.
        place: file, folder or URL.
        remedy: what to do about it.

    Raises:
        FormatError: the number is another one than FORMAT.
    """
    if number != FORMAT:
        age = "a newer" if isinstance(number, int) and number > FORMAT else "an earlier"
        raise FormatError(
            f"{place} was written by {age} version of nasaudit, whose format this version does not read; {remedy}"
        )


def check_mark(path: Path) -> None:
    """Refuse a store that another version wrote, by the file that says so; without it, it is of an earlier one.

    Raises:
        StoreError: the file is damaged, or somebody else's.
        FormatError: another version wrote the records beside it.
    """
    try:
        content = parse_json(read_text(path), path.name)
    except FileNotFoundError:
        content = {}
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("format", 0), int):
        raise StoreError(
            f"{path} is damaged, or nothing of nasaudit's: expected {json.dumps({'format': FORMAT})}; "
            "restore it, or choose another folder for the records"
        )
    check_format(content.get("format"), path.parent, "choose another folder for the records")


def is_full_disk(error: BaseException | None) -> bool:
    """Whether a full disk is at the bottom of this error.

    Libraries wrap it in errors of their own (safetensors, torch), so the text counts too.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if any(os.strerror(number) in str(error) for number in FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def full_disk(folder: Path) -> StoreError:
    """The error that says what to do about a full disk."""
    return StoreError(
        f"the disk that holds {folder} is full (or your quota or limit is reached): free some space and run the same "
        "command again; what is finished is kept"
    )


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn a full disk inside the block into a StoreError; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise full_disk(folder) from error
        raise
