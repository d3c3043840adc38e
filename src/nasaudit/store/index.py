"""The index of a store: what each record says in outline, so that 100,000 of them are looked over in seconds.

    index.sqlite    a table with a line for each record

It is a cache. A line holds for files of exactly the sizes, times and inode numbers that it names, so one that is not
true any longer is not found, and the record is read anew; without the file, or with one that is damaged, of another
version or made elsewhere, all records are read. It is never changed in place: a whole new one takes its name, so
readers need no locks, and shares without them do no harm.
"""

import contextlib
import logging
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import astuple, fields
from pathlib import Path
from urllib.parse import quote

from nasaudit.store.entries import Entry
from nasaudit.store.files import FORMAT, sync
from nasaudit.store.reading import RECORD_FILE, files_of

INDEX_FILE = "index.sqlite"
ABANDONED = 3600  # seconds
VERSION = FORMAT * 1000 + 1  # raised when the table changes
COLUMNS = tuple(field.name for field in fields(Entry))
SCHEMA = (
    "CREATE TABLE records (digest TEXT PRIMARY KEY, kind TEXT, label TEXT, state TEXT, seconds REAL, finished TEXT, "
    "seal TEXT, versions_json TEXT, artefacts_json TEXT, problem_json TEXT, files TEXT, hashed INTEGER) WITHOUT ROWID"
)
SELECT = f"SELECT {', '.join(COLUMNS)}, files, hashed FROM records WHERE digest = ?"
INSERT = f"INSERT OR REPLACE INTO records VALUES ({', '.join('?' * (len(COLUMNS) + 2))})"

_log = logging.getLogger(__name__)


class Index:
    """Looks records up, and remembers what is said of new ones until `save`.

    Args:
        store: the folder of the store.
    """

    def __init__(self, store: Path):
        self.path = store / INDEX_FILE
        self._database: sqlite3.Connection | None = None
        self._opened = self._damaged = False
        self._fresh: dict[str, tuple[Entry, str, bool] | None] = {}  # None: the record is gone

    @property
    def fresh(self) -> int:
        """How many lines are not written yet."""
        return len(self._fresh)

    def find(self, digest: str, folder: Path, *, deep: bool) -> Entry | None:
        """What was said of a record whose files are still the same; None: it has to be read.

        Args:
            digest: of the task.
            folder: of the record.
            deep: it must have been read with the SHA-256 of its artefacts.
        """
        line = self._line(digest)
        if line is None:
            return None
        entry, files, hashed = line
        return entry if (hashed or not deep) and files == _signature(files, folder) else None

    def add(self, entry: Entry, folder: Path, *, hashed: bool = True) -> None:
        """A record was read or written.

        Args:
            entry: of it.
            folder: of it; its files are looked at.
            hashed: the SHA-256 of its artefacts was compared.
        """
        with contextlib.suppress(OSError, ValueError):  # code of others can remove anything
            files = "\n".join(_facts(name, folder) for name in files_of(entry))
            self._fresh[entry.digest] = (entry, files, hashed)

    @contextlib.contextmanager
    def reading(self, folder: Path) -> Iterator[Callable[..., None]]:
        """While a record is read: gives an `add` that takes it only if it was not replaced meanwhile."""
        before = _signature(RECORD_FILE, folder)

        def add(entry: Entry, *, hashed: bool) -> None:
            if before == _signature(RECORD_FILE, folder):
                self.add(entry, folder, hashed=hashed)

        yield add

    def forget(self, digest: str) -> None:
        """A record is gone."""
        self._fresh[digest] = None

    def save(self) -> None:
        """Write the lines that are new, if that is possible."""
        self._open(anew=True)  # another run may have written one meanwhile
        new = self.path.with_name(f".{INDEX_FILE}.{secrets.token_hex(8)}.tmp")
        try:
            new.touch(exist_ok=False)
            self._remove_older(new)
            try:
                self._write(new, None if self._damaged else self._database)
            except sqlite3.Error:
                new.write_bytes(b"")
                self._write(new, None)
            sync(new)
            new.replace(self.path)
        except (OSError, sqlite3.Error) as error:
            _log.info("the index %s is not written: %s", self.path, error)
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            return
        self._fresh.clear()
        self._close()
        self._opened = self._damaged = False

    def _write(self, path: Path, older: sqlite3.Connection | None) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
            if older is not None:
                older.backup(target)
            target.execute("PRAGMA journal_mode = OFF")
            target.execute("PRAGMA synchronous = OFF")
            target.execute("BEGIN")
            if older is None:
                target.execute(f"PRAGMA user_version = {VERSION}")
                target.execute(SCHEMA)
            known = [(*astuple(line[0]), *line[1:]) for line in self._fresh.values() if line]
            target.executemany(INSERT, known)
            gone = [(digest,) for digest, line in self._fresh.items() if line is None]
            target.executemany("DELETE FROM records WHERE digest = ?", gone)
            target.execute("COMMIT")

    def _remove_older(self, new: Path) -> None:
        """What runs that were killed while they saved have left; both times are of the disk's clock."""
        for other in self.path.parent.glob(f".{INDEX_FILE}.*.tmp"):
            if new.stat().st_mtime - other.stat().st_mtime > ABANDONED:
                other.unlink(missing_ok=True)

    def _line(self, digest: str) -> tuple[Entry, str, bool] | None:
        if digest in self._fresh:
            return self._fresh[digest]
        self._open()
        if self._database is None:
            return None
        try:
            row = self._database.execute(SELECT, (digest,)).fetchone()
        except sqlite3.Error as error:
            _log.info("the index %s is damaged and counts as absent: %s", self.path, error)
            self._damaged = True
            self._close()
            return None
        return None if row is None else (Entry(*row[:-2]), str(row[-2]), bool(row[-1]))

    def _open(self, *, anew: bool = False) -> None:
        if self._opened and not anew:
            return
        self._close()
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                return
            place = f"file:{quote(str(self.path))}?mode=ro&immutable=1"
            database = sqlite3.connect(place, uri=True, isolation_level=None, check_same_thread=False)
            self._database = database
            database.execute("PRAGMA trusted_schema = OFF")
            database.execute("PRAGMA cell_size_check = ON")
            version = database.execute("PRAGMA user_version").fetchone()
            # A view in the place of our table could be made to take for ever.
            schema = database.execute("SELECT sql FROM sqlite_schema").fetchall()
        except (OSError, sqlite3.Error):
            self._close()
            return
        if version != (VERSION,) or schema != [(SCHEMA,)]:
            self._close()

    def _close(self) -> None:
        self._opened = True
        if self._database is not None:
            self._database.close()
            self._database = None


def _signature(files: str, folder: Path) -> str | None:
    """What the files that a line names are like now; None where one is missing."""
    try:
        return "\n".join(_facts(line.split("\t", 1)[0], folder) for line in files.split("\n"))
    except (OSError, ValueError):
        return None


def _facts(name: str, folder: Path) -> str:
    """A file's name, and what changes with its content: nobody can set the time of the last change of an inode."""
    about = os.lstat(f"{folder}/{name}")
    kind = stat.S_IFMT(about.st_mode)
    return f"{name}\t{kind}\t{about.st_size}\t{about.st_ino}\t{about.st_mtime_ns}\t{about.st_ctime_ns}"
