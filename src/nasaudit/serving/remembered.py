"""The records of a store, each read once for each time that it is written.

A page that is open asks every few seconds, and a study may have a hundred thousand records.
"""

import os
from pathlib import Path

from nasaudit.running.display.figures import headline
from nasaudit.spec.tasks import Task
from nasaudit.store.reading import RECORD_FILE
from nasaudit.store.records import Record
from nasaudit.store.store import Store

TAIL = 4_000  # characters of a traceback that are remembered

Mark = tuple[int, int, int]  # which file it is, when it was written, and how long it is


class Remembered:
    """Finds records as `Store.find` does, without what a table has no use for: spec, versions, artefacts.

    Args:
        store: whose records.
        whole: keep all measurements, by which a stage may decide what comes next; else the one that is shown.
    """

    def __init__(self, store: Store, *, whole: bool = True):
        self._store, self._whole = store, whole
        self._known: dict[str, tuple[Mark, Record | None]] = {}

    def find(self, task: Task) -> Record | None:
        """The record of a task, or None when there is none that can be trusted.

        Raises:
            FormatError: another version wrote the records of this store.
        """
        digest = task.digest()
        mark = _mark(self._store.path(digest) / RECORD_FILE)
        if mark is None:
            self._known.pop(digest, None)
            return None
        known = self._known.get(digest)
        if known is None or known[0] != mark:
            record = self._store.find(task)
            known = self._known[digest] = mark, None if record is None else self._slim(record)
        return known[1]

    def found(self, digest: str) -> Record | None:
        """What `find` came to last."""
        known = self._known.get(digest)
        return None if known is None else known[1]

    def _slim(self, record: Record) -> Record:
        changes: dict[str, object] = {}
        problem = record.problem
        if problem is not None:
            changes["problem"] = problem.model_copy(update={"traceback": problem.traceback[-TAIL:]})
        if not self._whole:
            shown = headline(record)
            changes["measurements"] = tuple(each for each in record.measurements if each.estimate is shown)
        return record.model_copy(update={"task": {}, "versions": {}, "artefacts": {}, **changes})


def _mark(path: Path) -> Mark | None:
    try:
        about = os.lstat(path)
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
