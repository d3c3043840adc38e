"""Files that somebody else may have made: only regular files are opened, and none is read beyond a bound.

A pipe waits for ever, a device such as /dev/zero never ends, a link may lead to itself or out of the folder that
a user gave. What is wrong is raised as the error class that the caller names, in one sentence.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from nasaudit.errors import NasauditError

# Of a text that a person writes or a program writes for one: studies, policies, genotypes.
MAX_TEXT_BYTES = 2**20
# Opening must not wait for the other end of a pipe, nor make a terminal ours.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_UNKNOWN_SIZE = 2**16
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


@contextmanager
def opened(
    path: Path, error: type[NasauditError], *, most: int | None = None, inside: Path | None = None
) -> Iterator[BufferedReader]:
    """A regular file, open for reading bytes; what goes wrong with it inside the block is `error` too.

    Args:
        path: the file, or a link that leads to one.
        error: what is raised; it is made of one sentence.
        most: bytes that the file may have; None: any number.
        inside: a folder that the file must lie in once links are followed; None: anywhere.

    Raises:
        error: there is no such file, it is no regular file, larger than `most`, elsewhere, or cannot be read.
    """
    try:
        with os.fdopen(_descriptor(path, error, most, inside), "rb") as file:
            yield file
    except OSError as problem:
        raise error(f"{path}: cannot be read ({problem.strerror or problem})") from problem


def read_bytes(path: Path, error: type[NasauditError], *, most: int, inside: Path | None = None) -> bytes:
    """The content of a regular file; see `opened`."""
    with opened(path, error, most=most, inside=inside) as file:
        # A read of so many bytes asks for their memory first. Files of /proc do not know their size.
        expected = min(most, max(os.fstat(file.fileno()).st_size, _UNKNOWN_SIZE))
        try:
            content = file.read(expected + 1)
        except MemoryError as problem:
            raise error(f"{path}: cannot be read (it does not fit in memory)") from problem
    if len(content) > expected:  # it grew
        raise _too_large(path, error, expected)
    return content


def read_text(
    path: Path, error: type[NasauditError], *, most: int = MAX_TEXT_BYTES, inside: Path | None = None
) -> str:
    """The content of a regular file of UTF-8 text, whatever its line ends; see `opened`."""
    content = read_bytes(path, error, most=most, inside=inside)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise error(f"{path}: cannot be read (it is not UTF-8 text)") from problem
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sha256(path: Path, error: type[NasauditError], *, most: int) -> str:
    """SHA-256 of a regular file's content, as hex digits; see `opened`."""
    with opened(path, error, most=most) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_there(path: Path) -> bool:
    """Whether something has this name, be it a link to nowhere; a name that nothing can have is nothing's."""
    return os.path.lexists(path)


def is_folder(path: Path) -> bool:
    """Whether this is a folder, or a link to one; a name that nothing can have is nothing's."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def is_file(path: Path) -> bool:
    """Whether this is a regular file, or a link to one; a name that nothing can have is nothing's."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _descriptor(path: Path, error: type[NasauditError], most: int | None, inside: Path | None) -> int:
    try:
        place = os.path.realpath(path, strict=True)
        home = None if inside is None else os.path.realpath(inside, strict=True)
    except ValueError as problem:
        raise error(f"{path}: cannot be read (its name holds a NUL character)") from problem
    if home is not None and not Path(place).is_relative_to(home):
        raise error(f"{path}: expected a file inside of {inside}, it leads out of it")
    # Before it is opened, since to open a device can already do something; and after: it may be another one by then.
    _check(path, error, Path(place).stat(), most)
    descriptor = os.open(place, _FLAGS)
    try:
        _check(path, error, os.fstat(descriptor), most)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(path: Path, error: type[NasauditError], status: os.stat_result, most: int | None) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise error(f"{path}: cannot be read (expected a file, got {kind})")
    if most is not None and status.st_size > most:
        raise _too_large(path, error, most)


def _too_large(path: Path, error: type[NasauditError], most: int) -> NasauditError:
    return error(f"{path}: cannot be read (expected at most {_readable(most)}, it is larger)")


def _readable(size: int) -> str:
    for unit, bytes_in in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= bytes_in:
            return f"{size / bytes_in:g} {unit}"
    return f"{size} bytes"
