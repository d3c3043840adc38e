"""A record as it is read back: whole, of the task that it is said to be of, with all of its files, or not at all."""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from nasaudit.errors import StoreError
from nasaudit.store.entries import Entry
from nasaudit.store.files import read_text, sha256
from nasaudit.store.records import Record
from nasaudit.strangers import is_file, is_there

RECORD_FILE = "record.json"


class DistrustError(Exception):
    """Why a record counts as absent."""


def files_of(record: Entry | Record) -> tuple[str, ...]:
    """The names of a record's files, its own first."""
    return (RECORD_FILE, *(artefact.file for artefact in record.artefacts.values()))


def read_record(folder: Path, digest: str, *, deep: bool) -> Record:
    """The record of a folder; see `read_entry`."""
    return _read(folder, digest, deep=deep)[0]


def read_whole(entry: Entry, folder: Path) -> Record:
    """The record that an entry is the outline of.

    Raises:
        StoreError: it is not there any more, or was altered meanwhile.
    """
    try:
        record = read_record(folder, entry.digest, deep=False)
    except (FileNotFoundError, DistrustError) as why:
        reason = "is gone" if isinstance(why, FileNotFoundError) else str(why)
        raise StoreError(
            f"the record of {entry.label} {reason}: {folder}; run the study again to make it anew"
        ) from why
    return record


def read_entry(folder: Path, digest: str, *, deep: bool) -> Entry:
    """The record of a folder, in outline.

    Args:
        folder: of the record.
        digest: of the task that it should be of.
        deep: read the artefacts too, and compare their SHA-256.

    Raises:
        FileNotFoundError: there is none.
        DistrustError: it cannot be relied on.
    """
    record, text = _read(folder, digest, deep=deep)
    return Entry.of(record, seal=hashlib.sha256(text.encode()).hexdigest())


def _read(folder: Path, digest: str, *, deep: bool) -> tuple[Record, str]:
    folder = Path(os.path.realpath(folder))  # which, unlike Path.resolve, takes a link that leads to itself
    if not _is_own(folder / RECORD_FILE, folder):
        raise DistrustError(f"has a {RECORD_FILE} that is no file of its own")
    try:
        text = read_text(folder / RECORD_FILE)
        record = Record.model_validate_json(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DistrustError(f"cannot be read ({error.strerror})") from error
    except ValueError as error:  # not UTF-8, not JSON, or not a record
        raise DistrustError("is damaged") from error
    if not record.is_whole(text):
        raise DistrustError("is damaged")
    if record.digest != digest:
        raise DistrustError(f"is of another task ({record.label})")
    for artefact in record.artefacts.values():
        path = folder / artefact.file
        if not _is_own(path, folder):
            raise DistrustError(f"names {artefact.file!r}, which is no file of its own")
        try:
            size = path.stat().st_size
            altered = size == artefact.bytes and deep and sha256(path) != artefact.sha256
        except OSError as error:
            raise DistrustError(f"lacks its artefact {artefact.file} ({error.strerror})") from error
        if size != artefact.bytes:
            raise DistrustError(f"has {size} bytes of {artefact.file} instead of {artefact.bytes}")
        if altered:
            raise DistrustError(f"has another content in {artefact.file} than was recorded")
    return record, text


def _is_own(path: Path, folder: Path) -> bool:
    """Whether a name leads to a file of the folder itself, or to nothing."""
    if path.parent == folder and ".." not in path.name:  # nearly all do; the folder is where it is said to be
        with contextlib.suppress(OSError, ValueError):
            return stat.S_ISREG(os.lstat(path).st_mode)
    try:
        return (
            os.path.realpath(path) == str(path)
            and path.is_relative_to(folder)
            and (is_file(path) or not is_there(path))
        )
    except ValueError:  # a NUL
        return False
