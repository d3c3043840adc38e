"""Shelf: the records at a URL, whole or not at all.

    format.json                                       as in a folder
    records/<first two digits>/<digest>/record.json
    records/<first two digits>/<digest>/<seal>/...    its artefacts: the seal is that of the record

An object appears whole or not at all, and record.json is the last one of a record. It names its artefacts by its
seal, so that two machines which do the same task at once, or one that does it again, do not mix what they leave: the
last record.json counts. What is there may be a stranger's: names lead nowhere else, and no more is read than is said.
"""

import json
import re
import time
from pathlib import Path

from nasaudit.documents import parse_json
from nasaudit.errors import ConflictError, SpecError, StoreError
from nasaudit.store.files import FORMAT, FULL, MOST_TEXT, check_format, sync, write_atomically
from nasaudit.store.reading import RECORD_FILE, DistrustError, read_record
from nasaudit.store.records import Record
from nasaudit.store.remote.bucket import Bucket
from nasaudit.store.store import FORMAT_FILE

RECORDS = "records"
MOST_BYTES = 2**35  # of the artefacts of one record
MOST_NAME = 255  # bytes of each part of an artefact's name
LISTED_FOR = 300.0  # seconds that a list of what is there counts, while nothing is written
_DIGEST = re.compile("[0-9a-f]{20}")
_SHARD = re.compile("[0-9a-f]{2}")


class Shelf:
    """Records by the digest of their task. All methods raise a StoreError where the server does not answer.

    Args:
        url: as `bucket.checked` gives it.

    Raises:
        SpecError: the package that the URL needs is not installed.
    """

    def __init__(self, url: str):
        self.url = url
        self._bucket = Bucket(url)
        self._format_checked = False
        self._lists: dict[str, tuple[float, set[str]]] = {}
        self._asked: set[str] = set()

    def exists(self) -> bool:
        """Whether there is one."""
        return FORMAT_FILE in self._bucket.names("")

    def check(self) -> bool:
        """Whether there is one; what is something else is refused.

        Raises:
            ConflictError: there are other things.
            FormatError: another version wrote the records.
            StoreError: format.json is damaged.
        """
        if self._format_checked:
            return True
        try:
            text = self._bucket.read(FORMAT_FILE, 2**16).decode("utf-8")
            content = parse_json(text, FORMAT_FILE)
        except FileNotFoundError:
            others = [name for name in self._bucket.names("") if not name.startswith(".")]
            if others:
                raise ConflictError(
                    f"{self.url} is not empty (it holds {others[0]}) and holds no records; choose a URL below it "
                    "that nothing has yet"
                ) from None
            return False
        except (ValueError, SpecError):
            content = None
        if not isinstance(content, dict) or not isinstance(content.get("format"), int):
            raise StoreError(
                f"{self.url}/{FORMAT_FILE} is damaged, or nothing of nasaudit's: expected "
                f"{json.dumps({'format': FORMAT})}; restore it, or choose another URL for the records"
            )
        check_format(content["format"], self.url, "choose another URL for the records")
        self._format_checked = True
        return True

    def begin(self, format_file: Path) -> None:
        """Make sure that there is one: upload this file where there is none."""
        if not self.check():
            self._bucket.write(format_file, FORMAT_FILE)
            self._format_checked = True

    def place(self, digest: str) -> str:
        """Where a record is, below the URL."""
        return f"{RECORDS}/{digest[:2]}/{digest}"

    def forget_lists(self, digest: str = "") -> None:
        """Ask anew what is there, where it is next asked for: of all, or of what is listed beside a digest."""
        if digest and digest[:2] in self._shards():
            self._lists.pop(f"{RECORDS}/{digest[:2]}", None)
        elif digest:
            self._lists.pop(RECORDS, None)
        else:
            self._lists.clear()

    def has(self, digest: str) -> bool:
        """Whether a record is listed that `ignore` was not told of since."""
        return digest in self._digests_in(digest[:2]) and digest not in self._asked

    def ignore(self, digest: str) -> None:
        """Do not have a record until the lists are made anew."""
        self._asked.add(digest)

    def digests(self) -> list[str]:
        """Of all records, whole or not, in the order of their names."""
        return sorted(digest for shard in self._shards() for digest in self._digests_in(shard))

    def read(self, digest: str) -> tuple[Record, bytes]:
        """A record without its artefacts, and the content of its file.

        Raises:
            FileNotFoundError: there is none.
            DistrustError: it cannot be relied on.
        """
        text = self._bucket.read(f"{self.place(digest)}/{RECORD_FILE}", MOST_TEXT)
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

    def download(self, digest: str, folder: Path) -> Record:
        """All files of a record, into an empty folder, and verified.

        Raises:
            FileNotFoundError: there is none.
            DistrustError: it cannot be relied on.
            OSError: the disk is full.
        """
        record, text = self.read(digest)
        try:
            for artefact in record.artefacts.values():
                path = folder / artefact.file
                path.parent.mkdir(parents=True, exist_ok=True)
                name = f"{self.place(digest)}/{record.seal}/{artefact.file}"
                self._bucket.fetch(name, artefact.bytes, path)
                sync(path)
            write_atomically(folder / RECORD_FILE, text)
        except FileNotFoundError as error:
            raise DistrustError("lacks an artefact") from error
        except OSError as error:
            if error.errno in FULL:
                raise
            raise DistrustError(f"has artefacts that cannot be written ({error.strerror})") from error
        return read_record(folder, digest, deep=True)

    def upload(self, record: Record, folder: Path) -> None:
        """Put a record there: its artefacts, record.json, and then what that replaces is removed."""
        place = self.place(record.digest)
        try:
            replaced = self.read(record.digest)[0]
        except (FileNotFoundError, DistrustError):
            replaced = record
        for artefact in record.artefacts.values():
            self._bucket.write(folder / artefact.file, f"{place}/{record.seal}/{artefact.file}")
        self._bucket.write(folder / RECORD_FILE, f"{place}/{RECORD_FILE}")
        if replaced.seal != record.seal:
            for artefact in replaced.artefacts.values():
                self._bucket.remove(f"{place}/{replaced.seal}/{artefact.file}")

    def remove(self, digest: str) -> None:
        """Remove a record, first its record.json."""
        self._bucket.remove(f"{self.place(digest)}/{RECORD_FILE}")
        self._bucket.remove_folder(self.place(digest))

    def fault(self, digest: str, folder: Path) -> str:
        """What is wrong with a record, all of which is fetched into an empty folder; "": nothing."""
        try:
            seal = self.download(digest, folder).seal
        except FileNotFoundError:
            return f"belongs to no record: it has no {RECORD_FILE}"
        except DistrustError as why:
            return f"the record {why}; its task will be done again"
        names = {name.split("/", 1)[0] for name in self._bucket.files(self.place(digest))}
        others = sorted(names - {seal, RECORD_FILE})
        return f"{', '.join(others)} belongs to no record" if others else ""

    def _digests_in(self, shard: str) -> set[str]:
        """The digests that begin with two digits."""
        return self._list(f"{RECORDS}/{shard}", _DIGEST) if shard in self._shards() else set()

    def _shards(self) -> set[str]:
        return self._list(RECORDS, _SHARD)

    def _list(self, folder: str, names: re.Pattern[str]) -> set[str]:
        """The names in a folder, which is asked for once in a while."""
        made, known = self._lists.get(folder, (None, set()))
        if made is None or time.monotonic() - made > LISTED_FOR:
            self.check()
            known = {name for name in self._bucket.names(folder) if names.fullmatch(name)}
            self._lists[folder] = (time.monotonic(), known)
            self._asked -= known
        return known


def _is_plain(name: str) -> bool:
    """Whether a name leads to a file of its folder on every system, and is not the record's own."""
    parts = name.split("/")
    return (
        name.isprintable()
        and "\\" not in name
        and parts[0] != RECORD_FILE
        and all(part not in ("", ".", "..") and len(part.encode()) <= MOST_NAME for part in parts)
    )
