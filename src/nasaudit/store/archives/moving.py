"""Records that move: to an archive, and from an archive or another store into a store.

    format.json                                     which versions of nasaudit can read it; the first entry
    records/<first two digits>/<digest>/record.json the files of a record, one after the other, its own first

An archive is a plain tar (`tar.py`), and whoever made it may be a stranger: only regular files under these names are
taken, each within bounds, and a record comes in only if it is whole, with all files that it names and no others.
"""

import contextlib
import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import IO

import pydantic

from nasaudit.documents import parse_json
from nasaudit.errors import ConflictError, NasauditError, SpecError, StoreError
from nasaudit.spec.base import as_json
from nasaudit.spec.searches.task import SearchTask
from nasaudit.spec.tasks import Task
from nasaudit.store.archives.tar import FOLDER, DamagedError, TarEntry, entries
from nasaudit.store.files import FORMAT, check_format, explain_full_disk
from nasaudit.store.reading import RECORD_FILE, DistrustError, files_of, read_record
from nasaudit.store.records import Record
from nasaudit.store.store import FORMAT_FILE, Store
from nasaudit.store.upkeep import Tell
from nasaudit.strangers import opened

MAX_FORMAT_BYTES = 1000
MAX_RECORD_BYTES = 2**26  # of a record.json; the longest have a few hundred thousand
MAX_FILE_BYTES = 2**33 - 1  # of an artefact: the largest networks have 4 GB
MAX_FILES, MAX_NAME, MAX_DEPTH = 1000, 300, 8  # of a record; letters of a name; folders in it
MOST_NAMED = 1000  # of what is refused
_NAME = re.compile(r"records/([0-9a-f]{2})/(\1[0-9a-f]{18})/(.+)", re.ASCII)


@dataclass
class Moved:
    """What became of records that were to move.

    Attributes:
        came: how many moved.
        there: how many were there already.
        refused: what did not move, and why.
        more: how many beyond these did not.
    """

    came: int = 0
    there: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0

    def refuse(self, name: str, why: str) -> None:
        """Something does not move. Of a stranger's million entries not every one is kept."""
        if len(self.refused) < MOST_NAMED:
            self.refused.append((name[:MAX_NAME], why))
        else:
            self.more += 1


def write_archive(store: Store, path: Path, tell: Tell = iter) -> Moved:
    """Write all whole records to an archive; it appears when it is complete.

    Args:
        store: whose records.
        path: of the archive.
        tell: goes over the digests, and may tell somebody how far it is.

    Raises:
        StoreError: the disk is full, or the file cannot be written.
    """
    moved = Moved()
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with (
            explain_full_disk(path.parent),
            tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as archive,
        ):
            content = json.dumps({"format": FORMAT}).encode()
            archive.addfile(_member(FORMAT_FILE, len(content)), io.BytesIO(content))
            for digest in tell(store.digests()):
                store.bring(digest)
                folder = store.path(digest)
                try:
                    names = files_of(read_record(folder, digest, deep=True))
                except (DistrustError, FileNotFoundError) as why:
                    moved.refuse(digest, str(why))
                    continue
                sizes = {name: (folder / name).stat().st_size for name in names}
                members = [_member(f"records/{digest[:2]}/{digest}/{name}", sizes[name]) for name in names]
                if not all(map(_fits, members)):
                    moved.refuse(digest, "has a file whose name or size no archive takes")
                    continue
                for name, member in zip(names, members, strict=True):
                    with (folder / name).open("rb") as file:
                        archive.addfile(member, file)
                moved.came += 1
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return moved


def import_records(source: Path | Store, target: Store, tell: Tell = iter) -> Moved:
    """Bring the records of a store or an archive into a store. Whole records that are there stay; damaged ones go.

    Args:
        source: a store, or an archive of `write_archive`.
        target: is made if it is not there.
        tell: see `write_archive`; of an archive nobody knows the length.

    Raises:
        StoreError: the file is no archive, or the disk is full.
        FormatError: another version wrote it.
        ConflictError: another run holds the target alone.
    """
    moved = Moved()
    if isinstance(source, Store):
        source.check()
        with target.writing():
            for digest in tell(source.digests()):
                source.bring(digest)
                _take(target, digest, partial(_copy, source.path(digest), digest), moved)
        return moved
    with opened(source, StoreError) as archive:
        found = _of_records(_begin(source, archive), source, moved)
        with target.writing():
            for digest, group in groupby(found, key=itemgetter(0)):
                files = [(name, entry) for _, name, entry in islice(group, MAX_FILES + 1)]
                _take(target, digest, partial(_extract, archive, files), moved)
    return moved


def is_of_its_digest(record: Record) -> bool:
    """Whether the task that a record tells of has the digest that the record is kept under."""
    kinds = {kind.model_fields["kind"].default: kind for kind in _kinds(Task)}
    kind = kinds.get(record.kind)
    if kind is None:
        return False
    text = f"{kind.__name__}:{as_json(record.task)}"
    if hashlib.sha256(text.encode()).hexdigest()[:20] == record.digest:
        return True
    try:  # the code of plugins is a part of what is hashed, and no part of the record
        return kind.model_validate(record.task).digest() == record.digest
    except (pydantic.ValidationError, NasauditError, ValueError, RecursionError):
        return False


def _kinds(root: type[Task]) -> Iterator[type[Task]]:
    """Ours: what plugins bring are specs inside of tasks of these kinds."""
    for kind in root.__subclasses__():
        if kind.__module__ in (Task.__module__, SearchTask.__module__):
            yield from (kind, *_kinds(kind))


def _take(target: Store, digest: str, fill: Callable[[Path], None], moved: Moved) -> None:
    target.bring(digest)
    with contextlib.suppress(DistrustError, FileNotFoundError):
        read_record(target.path(digest), digest, deep=True)
        moved.there += 1
        return

    def fill_and_check(folder: Path) -> None:
        fill(folder)
        if not is_of_its_digest(read_record(folder, digest, deep=False)):
            raise DistrustError(
                "is of another task than its digest says, or of a plugin that is not here in that version"
            )

    try:
        target.take_in(digest, fill_and_check)
    except FileNotFoundError:
        moved.refuse(digest, f"has no {RECORD_FILE}")
    except (DistrustError, ConflictError, DamagedError) as why:
        moved.refuse(digest, str(why))
    else:
        moved.came += 1


def _copy(origin: Path, digest: str, folder: Path) -> None:
    for name in files_of(read_record(origin, digest, deep=False)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, folder / name, follow_symlinks=False)


def _begin(path: Path, archive: IO[bytes]) -> Iterator[TarEntry]:
    """The entries behind the first one, which must say our format."""
    try:
        found = entries(archive)
        first = next(found, None)
        if first is None or first.name != FORMAT_FILE or not first.is_file or first.size > MAX_FORMAT_BYTES:
            raise DamagedError(f"it does not begin with {FORMAT_FILE}")
        text = io.BytesIO()
        first.copy(archive, text)
        content = parse_json(text.getvalue().decode(), FORMAT_FILE)
    except (DamagedError, UnicodeDecodeError, SpecError) as error:
        raise StoreError(f"{path} is no archive of `store export`: {error}") from error
    check_format(content.get("format") if isinstance(content, dict) else None, path, "export it anew")
    return found


def _of_records(found: Iterator[TarEntry], path: Path, moved: Moved) -> Iterator[tuple[str, str, TarEntry]]:
    """The entries that belong to records, with digest and name in it; the others are refused."""
    try:
        for entry in found:
            match = _NAME.fullmatch(entry.name)
            if match is not None and entry.is_file and _is_bounded(match[3], entry.size):
                yield match[2], match[3], entry
            elif entry.kind != FOLDER:
                moved.refuse(entry.name, "is no file of a record")
    except DamagedError as error:
        moved.refuse(str(path), f"is damaged behind what came: {error}")


def _is_bounded(name: str, size: int) -> bool:
    parts = name.split("/")
    named = len(name) <= MAX_NAME and len(parts) <= MAX_DEPTH and name.isprintable() and "\\" not in name
    most = MAX_RECORD_BYTES if name == RECORD_FILE else MAX_FILE_BYTES
    return named and size <= most and not {"", ".", ".."} & set(parts)


def _extract(archive: IO[bytes], files: list[tuple[str, TarEntry]], folder: Path) -> None:
    if len(files) > MAX_FILES:
        raise DistrustError(f"has more than {MAX_FILES} files")
    for name, entry in files:
        place = folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as target:
                entry.copy(archive, target)
        except (FileExistsError, NotADirectoryError) as error:
            raise DistrustError(f"has the name {name} twice") from error


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Of no user and no time: equal records make equal archives."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _fits(member: tarfile.TarInfo) -> bool:
    try:
        member.tobuf(tarfile.USTAR_FORMAT)
    except ValueError:
        return False
    match = _NAME.fullmatch(member.name)
    return match is not None and _is_bounded(match[3], member.size)
