"""For tests of work functions: a store that does whatever task it is asked for."""

from collections.abc import Iterable
from pathlib import Path

from nasaudit.measure.estimate import Measurement
from nasaudit.planning.needs import closure
from nasaudit.running.execute import resolve_work
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record
from nasaudit.store.workspace import Workspace


class Bench:
    """A store in a folder: does each task that is asked for, with all that it needs, once; errors are passed on.

    It is what a `Workspace` takes as `find`.

    Args:
        folder: exists; each task has a folder of its own in it.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._done: dict[str, tuple[Record, Path]] = {}

    def __call__(self, task: Task) -> tuple[Record, Path]:
        """The record of a task, and the folder with what its work left."""
        for each in closure([task]):
            if each.digest() not in self._done:
                folder = self.folder / each.digest()
                folder.mkdir(exist_ok=True)
                measurements = resolve_work(each)(each, Workspace(folder, self))
                self._done[each.digest()] = record_of(each, measurements), folder
        return self._done[task.digest()]


def record_of(task: Task, measurements: Iterable[Measurement] = ()) -> Record:
    """The record of a task that went well, with these measurements."""
    return Record(
        digest=task.digest(),
        kind=task.kind,
        label=task.label(),
        task=task.model_dump(mode="json"),
        state="ok",
        measurements=tuple(measurements),
        seconds=1.0,
        finished="2026-01-01T00:00:00Z",
        versions={},
    )
