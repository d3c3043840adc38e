"""What a work function is handed: where to write, what came before, whom to tell of progress."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nasaudit.progress import Progress, silent
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record


@dataclass(frozen=True)
class Workspace:
    """One task's view of the store.

    Attributes:
        folder: an empty folder; every file left in it becomes an artefact of the record.
        find: the record and folder of a task that this one needs.
        progress: called with the share done.
        device: "cpu", "cuda" or "cuda:1".
        downloads: folder of downloaded data sets.
        checkpoint: a file that outlives this attempt and is gone when the task has its record: long work goes on
            from it; None: it begins anew.
        earlier: seconds that earlier attempts took, as the work found in its checkpoint and says here.
    """

    folder: Path
    find: Callable[[Task], tuple[Record, Path]]
    progress: Progress = silent
    device: str = "cpu"
    downloads: Path = Path("data")
    checkpoint: Path | None = None
    earlier: list[float] = field(default_factory=list)
