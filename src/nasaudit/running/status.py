"""What of a study is done, without doing any of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nasaudit.planning.needs import failed_need
from nasaudit.planning.plan import Plan
from nasaudit.planning.unfolding import StageState, Unfolding
from nasaudit.results.opened import StudyOnDisk
from nasaudit.running.pace import Pace, Piece, makespan
from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Known
from nasaudit.store.lock import is_held
from nasaudit.store.store import Store
from nasaudit.store.unfinished import BEGUN_DIGITS

State = Literal["done", "running", "failed", "blocked", "missing"]
STATES: tuple[State, ...] = ("done", "running", "failed", "blocked", "missing")


@dataclass(frozen=True)
class TaskStatus:
    """One task.

    Attributes:
        label: what it does.
        digest: its name in the store.
        state: `running` while a run does it; `blocked` when a task that it needs failed; `missing` when it has not
            run yet.
        why: the reason of a failure or a block.
    """

    label: str
    digest: str
    state: State
    why: str = ""


@dataclass(frozen=True)
class StudyStatus:
    """A study's name and its tasks, in the order in which they need each other.

    Attributes:
        study: its name.
        folder: of the study.
        tasks: those that are known.
        stages: what decides further ones: `missing` while it may; `blocked` when a task that decides failed.
        expected: how many more tasks there will be; None: nobody can say.
        going: whether a run is writing to the folder.
        left: seconds that it still takes, by what its tasks took so far; None: no run, or nothing to judge by.
    """

    study: str
    folder: Path
    tasks: tuple[TaskStatus, ...]
    stages: tuple[TaskStatus, ...] = ()
    expected: int | None = 0
    going: bool = False
    left: float | None = None

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
            "stages": [
                {"label": stage.label, "state": stage.state, "why": stage.why} for stage in self.stages
            ],
            "expected": self.expected,
            "running": self.going,
            "seconds_left": None if self.left is None else round(self.left),
        }


def status(out: Path) -> StudyStatus:
    """Look at a study's folder; a run may be going on in it.

    Raises:
        StoreError: the folder holds no study.
        InputError: the study that it names cannot be planned (its data is gone, say).
    """
    study = StudyOnDisk.of(out)
    return status_of(study.planned, study.store, study.folder.path)


def status_of(planned: Plan, store: Store, folder: Path) -> StudyStatus:
    """The status of a plan by the records of a store, and by what a run has begun there."""
    begun = store.begun()  # before the records: a task that ends between the two is done
    return status_by(Unfolding(planned, store.look_up, store.path), begun, folder)


def status_by(unfolding: Unfolding, begun: Mapping[str, float], folder: Path) -> StudyStatus:
    """The status of a plan as far as it is known.

    Args:
        unfolding: with its records.
        begun: what a run has begun, as the store said before the records were read.
        folder: of the study.
    """
    planned = unfolding.plan
    known, records = planned.tasks, unfolding.records
    tasks = tuple(_status(task, records, begun) for task in known)
    going = is_held(folder) or any(task.state == "running" for task in tasks)
    return StudyStatus(
        planned.study.name,
        folder,
        tasks,
        tuple(_stage_status(state, records) for state in unfolding.stages),
        unfolding.expected,
        going,
        _left(known, tasks, records, begun) if going else None,
    )


def _left(
    known: Sequence[Task],
    statuses: Sequence[TaskStatus],
    records: Mapping[str, Known],
    begun: Mapping[str, float],
) -> float | None:
    """Seconds until the known tasks have ended, or None where none has."""
    pace = Pace()
    pieces = [Piece.of(task) for task in known]
    for piece in pieces:
        record = records.get(piece.digest)
        if record is not None and record.state == "ok":
            pace.learn(piece, record.seconds)
    if not pace.measured:
        return None
    now = time.time()
    running = {
        piece.digest: max(0.0, pace.seconds(piece) - (now - begun[piece.digest[:BEGUN_DIGITS]]))
        for piece, task in zip(pieces, statuses, strict=True)
        if task.state == "running"
    }
    todo = [
        piece for piece, task in zip(pieces, statuses, strict=True) if task.state in ("running", "missing")
    ]
    return makespan(todo, pace.seconds, running, len(running))


def _stage_status(state: StageState, records: Mapping[str, Known]) -> TaskStatus:
    label = state.stage.label
    if state.problem is not None:
        return TaskStatus(label, "", "blocked", f"{state.problem.type}: {state.problem.message}")
    if state.steps is None:
        return TaskStatus(label, "", "done")
    waits = [task.label() for digest, task in state.awaited.items() if digest not in records]
    others = f" and {len(waits) - 1} others" if len(waits) > 1 else ""
    return TaskStatus(label, "", "missing", f"waits for {waits[0]}{others}")


def _status(task: Task, records: Mapping[str, Known], begun: Mapping[str, float]) -> TaskStatus:
    label, digest = task.label(), task.digest()
    record, need = records.get(digest), failed_need(task, records)
    if record is not None and record.problem is not None:
        return TaskStatus(label, digest, "failed", f"{record.problem.type}: {record.problem.message}")
    if record is not None:
        return TaskStatus(label, digest, "done")
    if need is not None:
        return TaskStatus(label, digest, "blocked", f"needs {need.label()}, which failed")
    return TaskStatus(label, digest, "running" if digest[:BEGUN_DIGITS] in begun else "missing")
