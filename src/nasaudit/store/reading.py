"""A record as it is read back: whole, of the task that it is said to be of, with all of its files, or not at all."""

import os
from pathlib import Path

from nasaudit.store.files import read_text, sha256
from nasaudit.store.records import Record
from nasaudit.strangers import is_file, is_there

RECORD_FILE = "record.json"


class DistrustError(Exception):
    """Why a record counts as absent."""


def read_record(folder: Path, digest: str, *, deep: bool) -> Record:
    """The record of a folder.

    Args:
        folder: of the record.
        digest: of the task that it should be of.
        deep: read the artefacts too, and compare their SHA-256.

    Raises:
        FileNotFoundError: there is none.
        DistrustError: it cannot be relied on.
    """
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
    return record


def _is_own(path: Path, folder: Path) -> bool:
    """Whether a name leads to a file of the folder itself, or to nothing."""
    try:
        return (
            os.path.realpath(path) == str(path)
            and path.is_relative_to(folder)
            and (is_file(path) or not is_there(path))
        )
    except ValueError:  # a NUL
        return False
