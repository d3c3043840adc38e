"""RemoteStore: the records are at a URL, and this machine has a mirror of those that it made or asked for.

    format.json                                       as in a folder
    records/<first two digits>/<digest>/record.json
    records/<first two digits>/<digest>/<seal>/...    its artefacts: the seal is that of the record

An object appears whole or not at all, and record.json is the last one of a record. It names its artefacts by its
seal, so that two machines which do the same task at once, or one that does it again, do not mix what they leave: the
last record.json counts. What a mirror has and the URL has not is marked until it is there.

    .nasaudit-uploads/<digest>    is not at the URL yet
    .nasaudit-fetched/            records that are being fetched
    .nasaudit-url                 whose mirror it is
"""

import contextlib
import errno
import json
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nasaudit.documents import parse_json
from nasaudit.errors import ConflictError, SpecError, StoreError
from nasaudit.spec.tasks import Task
from nasaudit.store.files import (
    FORMAT,
    FULL,
    MOST_TEXT,
    check_format,
    explain_full_disk,
    sync,
    write_atomically,
)
from nasaudit.store.reading import RECORD_FILE, DistrustError, read_record
from nasaudit.store.records import Record
from nasaudit.store.remote.bucket import Bucket
from nasaudit.store.store import FORMAT_FILE, Store

UPLOADS = ".nasaudit-uploads"
FETCHED = ".nasaudit-fetched"
URL_FILE = ".nasaudit-url"
RECORDS = "records"
MOST_BYTES = 2**35  # of the artefacts of one record
MOST_NAME = 255  # bytes of each part of an artefact's name
LISTED_FOR = 300.0  # seconds that a list of what is at the URL counts, while nothing is written
TRIES = 3  # of a record that does not arrive as it was sent
ABANDONED = 86400.0  # seconds after which nobody fetches a record any longer
_DIGEST = re.compile("[0-9a-f]{20}")
_SHARD = re.compile("[0-9a-f]{2}")

_log = logging.getLogger(__name__)


class RemoteStore(Store):
    """A store at a URL.

    Args:
        url: as `bucket.checked` gives it.
        mirror: a folder of this machine, which several processes may use.

    Raises:
        SpecError: the package that the URL needs is not installed.
    """

    def __init__(self, url: str, mirror: Path):
        super().__init__(mirror)
        self._bucket = Bucket(url)
        self._format_there = False
        self._lists: dict[str, tuple[float, set[str]]] = {}

    @property
    def where(self) -> str:
        """The URL."""
        return self._bucket.url

    def exists(self) -> bool:
        """Whether there is a store at the URL, or something of it here."""
        return super().exists() or FORMAT_FILE in self._bucket.names("")

    def check(self) -> None:
        """Refuse a URL, or a mirror, that no records can be written to; see `Store.check`."""
        super().check()
        self._check_format_there()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the mirror, and first upload what an earlier run could not; see `Store.writing`."""
        self._lists.clear()
        self._check_format_there()
        self._make_mirror()
        with super().writing():
            self._remove_abandoned()
            if not self._format_there:
                self._bucket.write(self.folder / FORMAT_FILE, FORMAT_FILE)
                self._format_there = True
            for digest in self.waiting():
                if (self.path(digest) / RECORD_FILE).exists():
                    self._upload(digest)
            yield

    def find(self, task: Task, *, deep: bool = False) -> Record | None:
        """The record of a task, which is fetched if it is not here; see `Store.find`."""
        record = super().find(task, deep=deep)
        return super().find(task, deep=deep) if self._fetch(task.digest(), record) else record

    def commit(self, record: Record, workspace: Path) -> Record:
        """Publish a record here, then at the URL.

        Raises:
            StoreError: see `Store.commit`. Or the URL does not answer: the record is here, and the next run uploads
                it.
        """
        with explain_full_disk(self.folder):
            self._mark(record.digest).touch()
            sync(self.folder / UPLOADS)
        stored = super().commit(record, workspace)
        self._upload(record.digest)
        return stored

    def waiting(self) -> list[str]:
        """Digests of the records that are not at the URL yet."""
        folder = self.folder / UPLOADS
        return sorted(path.name for path in folder.glob("*") if _DIGEST.fullmatch(path.name))

    def digests(self) -> list[str]:
        """Of all records here or at the URL, whole or not."""
        there = (name for shard in self._shards() for name in self._digests_in(shard))
        return sorted({*super().digests(), *there})

    def outline(self, digest: str) -> tuple[str, int]:
        """As in `Store`, of a record at the URL too; its artefacts are not fetched."""
        if (self.path(digest) / RECORD_FILE).exists():
            return super().outline(digest)
        try:
            record, text = self._described(digest)
        except (FileNotFoundError, DistrustError):
            return "", 0
        return record.label, len(text) + sum(artefact.bytes for artefact in record.artefacts.values())

    def remove(self, digest: str) -> None:
        """Remove a record at the URL, first its record.json, then here; other mirrors keep theirs."""
        self._bucket.remove(f"{_place(digest)}/{RECORD_FILE}")
        self._bucket.remove_folder(_place(digest))
        self._mark(digest).unlink(missing_ok=True)
        if self.path(digest).exists():
            super().remove(digest)

    def fault(self, digest: str) -> str:
        """What is wrong with a record at the URL, all of which is read; "": nothing."""
        try:
            with self._scratch() as folder:
                seal = self._download(digest, folder).seal
        except FileNotFoundError:
            return f"belongs to no record: it has no {RECORD_FILE}"
        except DistrustError as why:
            return f"the record {why}; its task will be done again"
        others = {name.split("/", 1)[0] for name in self._bucket.files(_place(digest))} - {seal, RECORD_FILE}
        return f"{', '.join(sorted(others))} belongs to no record" if others else ""

    def _fetch(self, digest: str, known: Record | None) -> bool:
        """Bring a record here that is not, or that failed here and not there; whether one came."""
        if known is not None and known.state == "ok":
            return False
        if digest not in self._digests_in(digest[:2]):
            return False
        self._digests_in(digest[:2]).discard(digest)  # asked for once
        why = DistrustError("cannot be read")
        for _ in range(TRIES):
            try:
                if known is not None and self._described(digest)[0].state != "ok":
                    return False
                with self._scratch() as folder:
                    self._download(digest, folder)
                    self._keep(folder, digest)
                return True
            except FileNotFoundError:  # it is being uploaded
                return False
            except DistrustError as error:
                why = error
        _log.warning("a record at %s %s and counts as absent: %s", self.where, why, _place(digest))
        return False

    def _described(self, digest: str) -> tuple[Record, bytes]:
        """A record at the URL without its artefacts, and the content of its file.

        Raises:
            FileNotFoundError: there is none.
            DistrustError: it cannot be relied on.
        """
        text = self._bucket.read(f"{_place(digest)}/{RECORD_FILE}", MOST_TEXT)
        try:
            record = Record.model_validate_json(text)
            whole = bool(record.seal) and record.is_whole(text.decode("utf-8"))
        except ValueError as error:
            raise DistrustError("is damaged") from error
        if not whole:
            raise DistrustError("is damaged")
        if record.digest != digest:
            raise DistrustError(f"is of another task ({record.label})")
        for artefact in record.artefacts.values():
            if not _is_plain(artefact.file) or artefact.bytes < 0:
                raise DistrustError(f"names {artefact.file!r}, which is no file of its own")
        if sum(artefact.bytes for artefact in record.artefacts.values()) > MOST_BYTES:
            raise DistrustError(f"says that it has more than {MOST_BYTES} bytes")
        return record, text

    def _download(self, digest: str, folder: Path) -> Record:
        """All files of a record, into an empty folder, and verified; see `_described`."""
        record, text = self._described(digest)
        try:
            for artefact in record.artefacts.values():
                path = folder / artefact.file
                path.parent.mkdir(parents=True, exist_ok=True)
                self._bucket.fetch(f"{_place(digest)}/{record.seal}/{artefact.file}", artefact.bytes, path)
                sync(path)
            write_atomically(folder / RECORD_FILE, text)
        except FileNotFoundError as error:
            raise DistrustError("lacks an artefact") from error
        except OSError as error:
            if error.errno in FULL:
                raise
            raise DistrustError(f"has artefacts that cannot be written ({error.strerror})") from error
        return read_record(folder, digest, deep=True)

    def _keep(self, folder: Path, digest: str) -> None:
        """Publish what was downloaded in the mirror; another process may do the same."""
        target = self.path(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        for aside in ("first", "second", "third"):
            with contextlib.suppress(FileNotFoundError):
                target.rename(folder.parent / aside)
            try:
                folder.rename(target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                break
        sync(target.parent)
        self._mark(digest).unlink(missing_ok=True)

    def _upload(self, digest: str) -> None:
        """Put a record of the mirror to the URL: its artefacts, record.json, and then what that replaces is removed.

        One that the mirror has not whole is left alone: its task will be done again.
        """
        folder, place = self.path(digest), _place(digest)
        try:
            record = read_record(folder, digest, deep=True)
        except (FileNotFoundError, DistrustError):
            return
        try:
            replaced = self._described(digest)[0]
        except (FileNotFoundError, DistrustError):
            replaced = record
        for artefact in record.artefacts.values():
            self._bucket.write(folder / artefact.file, f"{place}/{record.seal}/{artefact.file}")
        self._bucket.write(folder / RECORD_FILE, f"{place}/{RECORD_FILE}")
        self._mark(digest).unlink(missing_ok=True)
        if replaced.seal != record.seal:
            for artefact in replaced.artefacts.values():
                self._bucket.remove(f"{place}/{replaced.seal}/{artefact.file}")

    def _digests_in(self, shard: str) -> set[str]:
        """The digests at the URL that begin with two digits; a list is asked for once in a while."""
        if shard not in self._shards():
            return set()
        return self._list(f"{RECORDS}/{shard}", _DIGEST)

    def _shards(self) -> set[str]:
        return self._list(RECORDS, _SHARD)

    def _list(self, folder: str, names: re.Pattern[str]) -> set[str]:
        made, known = self._lists.get(folder, (0.0, set()))
        if not made or time.monotonic() - made > LISTED_FOR:
            self._check_format_there()
            known = {name for name in self._bucket.names(folder) if names.fullmatch(name)}
            self._lists[folder] = (time.monotonic(), known)
        return known

    def _check_format_there(self) -> None:
        if self._format_there:
            return
        try:
            text = self._bucket.read(FORMAT_FILE, 2**16).decode("utf-8")
            content = parse_json(text, FORMAT_FILE)
        except FileNotFoundError:
            others = [name for name in self._bucket.names("") if not name.startswith(".")]
            if others:
                raise ConflictError(
                    f"{self.where} is not empty (it holds {others[0]}) and holds no records; choose a URL below it "
                    "that nothing has yet"
                ) from None
            return
        except (ValueError, SpecError):
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("format"), int):
            raise StoreError(
                f"{self.where}/{FORMAT_FILE} is damaged, or nothing of nasaudit's: expected "
                f"{json.dumps({'format': FORMAT})}; restore it, or choose another URL for the records"
            )
        check_format(content["format"], self.where, "choose another URL for the records")
        self._format_there = True

    def _make_mirror(self) -> None:
        """The folder with its marks, if it is not there."""
        if (self.folder / URL_FILE).exists() and (self.folder / FORMAT_FILE).exists():
            return
        with explain_full_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not super().exists():
                write_atomically(self.folder / FORMAT_FILE, json.dumps({"format": FORMAT}))
            write_atomically(self.folder / URL_FILE, f"{self.where}\n")

    def _mark(self, digest: str) -> Path:
        folder = self.folder / UPLOADS
        folder.mkdir(exist_ok=True)
        return folder / digest

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """An empty folder on the disk of the mirror."""
        self._make_mirror()
        base = self.folder / FETCHED
        with explain_full_disk(self.folder):
            base.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as folder:
                (Path(folder) / "record").mkdir()
                yield Path(folder) / "record"

    def _remove_abandoned(self) -> None:
        """What processes left that were killed while they fetched."""
        for path in (self.folder / FETCHED).glob("*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    shutil.rmtree(path, ignore_errors=True)


def _place(digest: str) -> str:
    return f"{RECORDS}/{digest[:2]}/{digest}"


def _is_plain(name: str) -> bool:
    """Whether a name leads to a file of its folder on every system, and is not the record's own."""
    parts = name.split("/")
    return (
        name.isprintable()
        and "\\" not in name
        and parts[0] != RECORD_FILE
        and all(part not in ("", ".", "..") and len(part.encode()) <= MOST_NAME for part in parts)
    )
