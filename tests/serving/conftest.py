"""A study of three tasks on disk whose records are written by hand: nothing is trained."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from nasaudit.measure.estimate import Measurement
from nasaudit.measure.proportion import proportion
from nasaudit.planning.plan import plan
from nasaudit.results.folder import StudyFolder
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Problem, Record
from nasaudit.store.store import Store

STUDY = {
    "architectures": ["darts"], "data": "digits", "seeds": [0], "name": "small",
    "analyses": ["topology", "convergence"],
}  # fmt: skip


def record_of(task: Task, **changes: object) -> Record:
    correct = Measurement("clean_accuracy", proportion(349, 359), (("split", "test"),))
    values = {
        "digest": task.digest(), "kind": task.kind, "label": task.label(), "task": task.model_dump(mode="json"),
        "state": "ok", "seconds": 4.0, "finished": "2026-01-01T00:00:10+00:00", "versions": {"torch": "2.6"},
        "measurements": (correct,) if task.kind == "train" else (),
    }  # fmt: skip
    return Record(**{**values, **changes})


@dataclass
class OnDisk:
    """A study's folder."""

    path: Path
    store: Store
    tasks: tuple[Task, ...]

    @property
    def training(self) -> Task:
        return next(task for task in self.tasks if task.kind == "train")

    def commit(self, task: Task, files: dict[str, bytes] | None = None, **changes: object) -> Record:
        with self.store.writing():
            workspace = self.store.workspace(task)
            for name, content in (files or {}).items():
                (workspace / name).write_bytes(content)
            return self.store.commit(record_of(task, **changes), workspace)

    def fail(self, task: Task, message: str = "the loss became NaN", lines: int = 40) -> Record:
        trace = "".join(f"  line {number}\n" for number in range(lines)) + f"ValueError: {message}\n"
        return self.commit(
            task,
            state="failed",
            measurements=(),
            problem=Problem(type="ValueError", message=message, traceback=trace),
        )


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., OnDisk]:
    def make(**changes: object) -> OnDisk:
        path = tmp_path / "out"
        path.mkdir()
        study = StudySpec.parse({**STUDY, **changes})
        folder = StudyFolder(path)
        folder.claim(study, folder.store, tmp_path)
        return OnDisk(path, Store(folder.store), plan(study, tmp_path).tasks)

    return make


@pytest.fixture
def folder(make_folder: Callable[..., OnDisk]) -> OnDisk:
    return make_folder()
