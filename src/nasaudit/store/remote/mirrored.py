"""RemoteStore: the records are at a URL, and this machine has a mirror of those that it made or asked for.

The mirror is a store in a folder like any other, and what workers read from. Beside the records it has

    .nasaudit-uploads/<digest>    a record that is not at the URL yet
    .nasaudit-fetched/            records that are being fetched
    .nasaudit-url                 whose mirror it is
"""

import contextlib
import errno
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Entry, Known
from nasaudit.store.files import FORMAT, explain_full_disk, sync, write_atomically
from nasaudit.store.reading import RECORD_FILE, DistrustError, read_record
from nasaudit.store.records import Record
from nasaudit.store.remote.shelf import Shelf
from nasaudit.store.store import FORMAT_FILE, Store
from nasaudit.store.upkeep import Fault, Tell

UPLOADS = ".nasaudit-uploads"
FETCHED = ".nasaudit-fetched"
URL_FILE = ".nasaudit-url"
TRIES = 3  # of a record that does not arrive as it was sent
ABANDONED = 86400.0  # seconds after which nobody fetches a record any longer

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
        self._shelf = Shelf(url)

    @property
    def where(self) -> str:
        """The URL."""
        return self._shelf.url

    def exists(self) -> bool:
        """Whether there is a store at the URL, or something of it here."""
        return super().exists() or self._shelf.exists()

    def check(self) -> None:
        """Refuse a URL, or a mirror, that no records can be written to; see `Store.check`."""
        super().check()
        self._shelf.check()

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[None]:
        """Write to the mirror, whose locks are this machine's; first comes what an earlier run could not upload.

        Args:
            alone: see `Store.writing`.
        """
        self._shelf.forget_lists()
        with super().writing(alone=alone):
            self._make_mirror()
            self._remove_abandoned()
            self._shelf.begin(self.folder / FORMAT_FILE)
            for digest in self.waiting():
                self._upload(digest)
            yield

    def find(self, task: Task, *, deep: bool = False) -> Record | None:
        """The record of a task, which is fetched if it is not here; see `Store.find`."""
        record = super().find(task, deep=deep)
        return super().find(task, deep=deep) if self._fetch(task.digest(), record) else record

    def look_up(self, task: Task, *, deep: bool = False) -> Entry | None:
        """The record of a task in outline, which is fetched if it is not here; see `Store.look_up`."""
        entry = super().look_up(task, deep=deep)
        return super().look_up(task, deep=deep) if self._fetch(task.digest(), entry) else entry

    def refresh(self, task: Task) -> None:
        """See what other machines wrote."""
        super().refresh(task)
        self._shelf.forget_lists(task.digest())

    def commit(self, record: Record, workspace: Path) -> Record:
        """Publish a record here, then at the URL.

        Raises:
            StoreError: see `Store.commit`. Or the server does not answer: the record is here, and the next run
                uploads it.
        """
        with explain_full_disk(self.folder):
            self._mark(record.digest).touch()
            sync(self.folder / UPLOADS)
        stored = super().commit(record, workspace)
        self._upload(record.digest)
        return stored

    def take_in(self, digest: str, fill: Callable[[Path], None]) -> None:
        """Publish a record that was made elsewhere here, then at the URL; see `Store.take_in`."""
        self._mark(digest).touch()
        super().take_in(digest, fill)
        self._upload(digest)

    def bring(self, digest: str) -> None:
        """Fetch a record that is not here."""
        if not (self.path(digest) / RECORD_FILE).exists():
            self._fetch(digest, None)

    def waiting(self) -> list[str]:
        """Digests of the records that are not at the URL yet."""
        names = (path.name for path in (self.folder / UPLOADS).glob("*"))
        return sorted(name for name in names if (self.path(name) / RECORD_FILE).exists())

    def digests(self) -> list[str]:
        """Of all records that are at the URL, whole or not, or wait here to be."""
        return sorted({*self.waiting(), *self._shelf.digests()})

    def outline(self, digest: str) -> tuple[str, int]:
        """As in `Store`, of a record at the URL too; its artefacts are not fetched."""
        if (self.path(digest) / RECORD_FILE).exists():
            return super().outline(digest)
        try:
            record, text = self._shelf.read(digest)
        except (FileNotFoundError, DistrustError):
            return "", 0
        return record.label, len(text) + sum(artefact.bytes for artefact in record.artefacts.values())

    def remove(self, digest: str) -> None:
        """Remove a record at the URL, then here; the mirrors of other machines keep theirs."""
        self._shelf.remove(digest)
        self._mark(digest).unlink(missing_ok=True)
        if self.path(digest).exists():
            super().remove(digest)

    def faults(self, tell: Tell = iter) -> Iterator[Fault]:
        """As `find_faults`, of what is at the URL: every record is fetched with its artefacts."""
        for digest in tell(self._shelf.digests()):
            with self._scratch() as folder:
                why = self._shelf.fault(digest, folder)
            if why:
                yield Fault(f"{self.where}/{self._shelf.place(digest)}", why)

    def _fetch(self, digest: str, known: Known | None) -> bool:
        """Bring a record here that is not, or that failed here and not there; whether one came."""
        if (known is not None and known.state == "ok") or not self._shelf.has(digest):
            return False
        self._shelf.ignore(digest)  # asked for once
        why = DistrustError("cannot be read")
        for _ in range(TRIES):
            try:
                if known is not None and self._shelf.read(digest)[0].state != "ok":
                    return False
                with self._scratch() as folder:
                    self._shelf.download(digest, folder)
                    self._keep(folder, digest)
                return True
            except FileNotFoundError:  # it is being uploaded
                return False
            except DistrustError as error:
                why = error
        place = f"{self.where}/{self._shelf.place(digest)}"
        _log.warning("a record %s and counts as absent: %s", why, place)
        return False

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
        """Put a record of the mirror to the URL; one that is not whole is left alone: its task will be done again."""
        folder = self.path(digest)
        with contextlib.suppress(FileNotFoundError, DistrustError):
            record = read_record(folder, digest, deep=True)
            self._shelf.upload(record, folder)
            self._mark(digest).unlink(missing_ok=True)

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
