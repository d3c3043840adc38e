"""What of a study is done, without doing any of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nasaudit.planning.needs import failed_need
from nasaudit.planning.plan import plan
from nasaudit.results.folder import StudyFolder
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record
from nasaudit.store.store import Store

State = Literal["done", "failed", "blocked", "missing"]
STATES: tuple[State, ...] = ("done", "failed", "blocked", "missing")


@dataclass(frozen=True)
class TaskStatus:
    """One task.

    Attributes:
        label: what it does.
        digest: its name in the store.
        state: `blocked` when a task that it needs failed; `missing` when it has not run yet.
        why: the reason of a failure or a block.
    """

    label: str
    digest: str
    state: State
    why: str = ""


@dataclass(frozen=True)
class StudyStatus:
    """A study's name and its tasks, in the order in which they need each other."""

    study: str
    folder: Path
    tasks: tuple[TaskStatus, ...]

    def count(self, state: State) -> int:
        """How many tasks are in this state."""
        return sum(task.state == state for task in self.tasks)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "study": self.study,
            "folder": str(self.folder),
            "counts": {state: self.count(state) for state in STATES},
            "tasks": [dict(vars(task)) for task in self.tasks],
        }

    def as_text(self) -> str:
        """For a terminal: the counts, then every task that is not done."""
        counts = ", ".join(f"{self.count(state)} {state}" for state in STATES if self.count(state))
        lines = [f"{self.study}: {counts} of {len(self.tasks)} tasks"]
        for task in self.tasks:
            if task.state != "done":
                lines.append(f"  {task.state:8} {task.label}" + (f": {task.why}" if task.why else ""))
        return "\n".join(lines)


def status(out: Path) -> StudyStatus:
    """Look at a study's folder; a run may be going on in it.

    Raises:
        StoreError: the folder holds no study.
        InputError: the study that it names cannot be planned (its data is gone, say).
    """
    folder = StudyFolder(out)
    content = folder.read()
    study = StudySpec.parse(content["study"], where=str(folder.path / "study.json"))
    planned = plan(study, Path(content.get("downloads") or "data"))
    return status_of(
        planned.tasks, Store(Path(content.get("store") or folder.store)), study.name, folder.path
    )


def status_of(tasks: tuple[Task, ...], store: Store, name: str, folder: Path) -> StudyStatus:
    """The status of these tasks in a store."""
    found = {task.digest(): store.find(task) for task in tasks}
    records = {digest: record for digest, record in found.items() if record is not None}
    return StudyStatus(name, folder, tuple(_status(task, records) for task in tasks))


def _status(task: Task, records: Mapping[str, Record]) -> TaskStatus:
    label, digest = task.label(), task.digest()
    record, need = records.get(digest), failed_need(task, records)
    if record is not None and record.problem is not None:
        return TaskStatus(label, digest, "failed", f"{record.problem.type}: {record.problem.message}")
    if record is not None:
        return TaskStatus(label, digest, "done")
    if need is not None:
        return TaskStatus(label, digest, "blocked", f"needs {need.label()}, which failed")
    return TaskStatus(label, digest, "missing")
