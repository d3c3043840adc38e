"""The successful records of a study with the folders of their artefacts, each read when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from nasaudit.store.entries import Known
from nasaudit.store.reading import read_whole
from nasaudit.store.records import Record

KEPT = 256  # records in memory: an experiment on one architecture asks for its own several times


class OpenRecords(Mapping[str, tuple[Record, Path]]):
    """Records by digest: (record, folder).

    Args:
        records: what is known of all of them, failures too.
        folder: of a record, by its digest.

    Raises:
        StoreError: (of the look-up) the record was altered or removed since.
    """

    def __init__(self, records: Mapping[str, Known], folder: Callable[[str], Path]):
        self._known = {digest: record for digest, record in records.items() if record.state == "ok"}
        self._folder = folder
        self._read = lru_cache(maxsize=KEPT)(self._record)

    def __getitem__(self, digest: str) -> tuple[Record, Path]:
        if digest not in self._known:
            raise KeyError(digest)
        return self._read(digest), self._folder(digest)

    def __contains__(self, digest: object) -> bool:
        return digest in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def artefacts(self, digest: str) -> frozenset[str]:
        """The names of a record's artefacts; the record is not read for them."""
        return frozenset(self._known[digest].artefacts)

    def _record(self, digest: str) -> Record:
        known = self._known[digest]
        return known if isinstance(known, Record) else read_whole(known, self._folder(digest))
