"""Store: records by the digest of their task.

    format.json                             that it is one, and which versions of nasaudit can read it
    records/<first two digits>/<digest>/    artefacts and record.json
    index.sqlite                            the records in outline, made of them at any time (index.py)
    .nasaudit-unfinished/                   unfinished work, removed by the next run
    .nasaudit-checkpoints/<digest>          how far a long task is, removed when it has its record
    .nasaudit-logs/<digest>.txt             the last that a worker printed during a task, no part of the record

A task writes its artefacts to a folder of unfinished work. `commit` syncs them, writes record.json beside them
as the last file, and publishes the folder by one rename: a crash at any moment leaves a whole record, or
rubbish in unfinished work, and nothing between. Whatever else a user keeps in the folder is left alone.
"""

import contextlib
import json
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nasaudit.errors import ConflictError, MissingRecordError, StoreError
from nasaudit.spec.tasks import Task
from nasaudit.store.artefacts import describe
from nasaudit.store.checkpoints import checkpoint_of, forget_checkpoints
from nasaudit.store.entries import Entry
from nasaudit.store.files import (
    FORMAT,
    check_mark,
    explain_full_disk,
    sync,
    write_atomically,
)
from nasaudit.store.index import Index
from nasaudit.store.lock import hold, is_held
from nasaudit.store.reading import RECORD_FILE, DistrustError, files_of, read_entry, read_record
from nasaudit.store.records import Record
from nasaudit.store.unfinished import Unfinished
from nasaudit.store.words import Words

FORMAT_FILE = "format.json"

_log = logging.getLogger(__name__)


class Store:
    """A folder of records. Many may read; the processes that are inside of `writing()` write, each what it claimed.

    Args:
        folder: made when the first record is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder.absolute()
        self._records = self.folder / "records"
        self._unfinished = Unfinished(self.folder)
        self._index = Index(self.folder)
        self.words = Words(self.folder)
        self._format_checked = False

    @property
    def where(self) -> str:
        """What names the store: its folder."""
        return str(self.folder)

    def exists(self) -> bool:
        """Whether there is one in the folder."""
        return (self.folder / FORMAT_FILE).exists() or self._records.is_dir()

    def check(self) -> None:
        """Refuse a folder that no records can be written to; nothing of it is changed.

        Raises:
            ConflictError: it holds other things and is no store.
            FormatError: another version wrote its records.
            StoreError: it is no folder, or its marks are damaged.
        """
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise StoreError(f"{self.folder} is a file; choose another folder for the records")
        self._check_format()
        self._unfinished.check()
        if (self.folder / FORMAT_FILE).exists():
            return
        # Hidden files do not say what a folder is for, and a run that was killed in its first instant leaves some.
        others = sorted(entry.name for entry in self.folder.iterdir() if not entry.name.startswith("."))
        if others and others != ["lost+found"]:  # which every new disk has
            raise ConflictError(
                f"{self.folder} is not empty (it holds {others[0]}) and holds no records; "
                "choose a folder for them that is empty or does not exist yet"
            )

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[None]:
        """Write to the store, beside other runs that do; first what a killed run left unfinished is removed.

        Args:
            alone: beside no other run, as whoever removes records has to be.

        Raises:
            ConflictError: another run is writing to this store alone (or at all), or it is no store; see `check`.
            FormatError: another version wrote its records.
            StoreError: the folder cannot be written to.
        """
        self.check()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {self.folder}: {error.strerror}") from error
        try:
            with hold(self.folder, shared=not alone), explain_full_disk(self.folder):
                # A worker of a killed run may live for an instant longer, and still write.
                self._unfinished.clear()
                if not self._records.exists():
                    write_atomically(self.folder / FORMAT_FILE, json.dumps({"format": FORMAT}))
                self._unfinished.make()
                try:
                    yield
                finally:
                    self._unfinished.release_all()
                    self._unfinished.clear()
                    self.save_index()
        finally:  # whoever is the last one here
            with contextlib.suppress(ConflictError, StoreError, OSError), hold(self.folder):
                self._unfinished.remove()

    def path(self, digest: str) -> Path:
        """Where the record of a task is, or would be."""
        return self._records / digest[:2] / digest

    def find(self, task: Task, *, deep: bool = False) -> Record | None:
        """The record of a task, or None when there is none that can be trusted.

        A record that cannot be read, or whose artefacts are missing or of another size, counts as absent,
        and a warning is logged; its task is then done again.

        Args:
            task: whose record.
            deep: read the artefacts too, and compare their SHA-256.

        Raises:
            FormatError: another version wrote the records of this store.
        """
        self._check_format()
        folder = self.path(task.digest())
        try:
            return read_record(folder, task.digest(), deep=deep)
        except FileNotFoundError:
            return None
        except DistrustError as why:
            _log.warning("the record of %s %s and counts as absent: %s", task.label(), why, folder)
            return None

    def look_up(self, task: Task, *, deep: bool = False) -> Entry | None:
        """The record of a task in outline, or None when there is none that can be trusted; see `find`.

        It is read when the index does not know it, or when one of its files is not the same as then.

        Args:
            task: whose record.
            deep: the SHA-256 of the artefacts as they are now must have been compared once.

        Raises:
            FormatError: another version wrote the records of this store.
        """
        self._check_format()
        digest = task.digest()
        entry = self._index.find(digest, f"{self._records}/{digest[:2]}/{digest}", deep=deep)
        if entry is not None:
            return entry
        folder = self.path(digest)
        try:
            with self._index.reading(folder) as add:
                entry = read_entry(folder, digest, deep=deep)
                add(entry, hashed=deep)
        except FileNotFoundError:
            return None
        except DistrustError as why:
            _log.warning("the record of %s %s and counts as absent: %s", task.label(), why, folder)
            return None
        return entry

    def save_index(self, least: int = 1) -> None:
        """Write what was looked up to the index: so many records at least, if the folder can be written to."""
        if self._index.fresh >= least and (self.folder / FORMAT_FILE).exists():
            self._index.save()

    def open(self, task: Task) -> tuple[Record, Path]:
        """The record of a finished task and the folder of its artefacts, whose content was verified.

        Raises:
            MissingRecordError: there is no trustworthy record, or it is of a failure.
        """
        record = self.find(task, deep=True)
        if record is None:
            raise MissingRecordError(f"there is no record of: {task.label()} ({task.digest()})")
        if record.state != "ok":
            raise MissingRecordError(f"this task failed, and left nothing to read: {task.label()}")
        return record, self.path(record.digest)

    def claim(self, task: Task) -> bool:
        """Take a task for this run, until its record is committed; False: another run is at it.

        The claim ends with its process, whatever ends that.
        """
        with explain_full_disk(self.folder):
            return self._unfinished.claim(task.digest())

    def release(self, task: Task) -> None:
        """Give a task back that was claimed and is not begun."""
        self._unfinished.release(task.digest())

    def is_claimed(self, task: Task) -> bool:
        """Whether some run is at this task."""
        return self._unfinished.is_claimed(task.digest())

    def refresh(self, task: Task) -> None:
        """See what other machines wrote: a share remembers for a while what was not there, but asks for a list."""
        with contextlib.suppress(OSError):
            deque(self.path(task.digest()).parent.iterdir(), maxlen=0)

    def workspace(self, task: Task) -> Path:
        """A new, empty folder for a task to write its artefacts to; `commit` or `discard` ends it.

        Raises:
            ConflictError: another run is at this task.
        """
        if not self.claim(task):
            raise ConflictError(f"another run is at {task.label()}; wait until it ends")
        with explain_full_disk(self.folder):
            return self._unfinished.new(task.digest())

    def checkpoint(self, digest: str) -> Path:
        """Where a task may write how far it is (its folder may not exist yet); what is there is of the same code.

        Raises:
            StoreError: something else has the folder's name.
        """
        return checkpoint_of(self.folder, digest)

    def commit(self, record: Record, workspace: Path) -> Record:
        """Publish a record with the files of its workspace as artefacts; replaces an older record.

        Returns:
            The record as stored, artefacts listed.

        Raises:
            StoreError: the disk is full; nothing of the record is left.
        """
        with explain_full_disk(self.folder):
            try:
                if record.state == "failed":  # half of an artefact is worse than none
                    self.discard(workspace)
                if not workspace.is_dir():
                    self._unfinished.make()
                    workspace.mkdir()
                stored, text = record.model_copy(update={"artefacts": describe(workspace)}).sealed()
                write_atomically(workspace / RECORD_FILE, text)
                self._publish(workspace, self.path(record.digest))
                forget_checkpoints(self.folder, record.digest)
                self._index.add(Entry.of(stored), self.path(record.digest))
                self._unfinished.release(record.digest)
            except BaseException:
                self.discard(workspace)
                raise
        return stored

    def take_in(self, digest: str, fill: Callable[[Path], None]) -> None:
        """Publish a record that was made elsewhere, whose files `fill` writes, if it is whole; replaces an older one.

        Raises:
            DistrustError: it cannot be relied on; nothing of it is left.
            ConflictError: another run is at its task.
            StoreError: the disk is full.
        """
        with explain_full_disk(self.folder):
            if not self._unfinished.claim(digest):
                raise ConflictError("another run is at its task")
            workspace = self._unfinished.new(digest)
            try:
                fill(workspace)
                entry = read_entry(workspace, digest, deep=True)
                if describe(workspace).keys() != {*files_of(entry)}:
                    raise DistrustError("has files that it does not name")
                self._publish(workspace, self.path(digest))
                forget_checkpoints(self.folder, digest)
                self._index.add(entry, self.path(digest))
            finally:
                self.discard(workspace)
                self._unfinished.release(digest)

    def bring(self, digest: str) -> None:
        """Have a record in the folder that is elsewhere; here there is no elsewhere."""

    def digests(self) -> list[str]:
        """Of all records, whole or not, in the order of their names."""
        return sorted(path.parent.name for path in self._records.glob(f"??/*/{RECORD_FILE}"))

    def outline(self, digest: str) -> tuple[str, int]:
        """The label of a record ("": it cannot be read), and the bytes of its files."""
        folder = self.path(digest)
        size = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
        try:
            return read_record(folder, digest, deep=False).label, size
        except (DistrustError, FileNotFoundError):
            return "", size

    def remove(self, digest: str) -> None:
        """Remove a record with its artefacts, at once or not at all; inside of `writing(alone=True)`."""
        self._unfinished.make()
        aside = self._unfinished.new(digest)
        self.path(digest).rename(aside / digest)
        self._index.forget(digest)
        self.discard(aside)
        self.words.forget(digest)

    def begun(self) -> dict[str, float]:
        """When the tasks that run began, in seconds since 1970, by the first 8 digits of their digests.

        Empty while no run writes to this store: what a killed one left does not run.
        """
        return self._unfinished.begun() if is_held(self.folder) else {}

    def discard(self, workspace: Path) -> None:
        """Remove an unfinished workspace."""
        shutil.rmtree(workspace, ignore_errors=True)

    def _check_format(self) -> None:
        if self._format_checked:
            return
        # The first versions wrote no mark.
        if os.path.lexists(self.folder / FORMAT_FILE) or any(self._records.glob(f"??/*/{RECORD_FILE}")):
            check_mark(self.folder / FORMAT_FILE)
            self._format_checked = True

    def _publish(self, workspace: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            aside = self._unfinished.new(target.name)
            target.rename(aside / target.name)
            workspace.rename(target)
            self.discard(aside)
        else:
            workspace.rename(target)
        sync(target.parent)
