"""A task that nobody runs, and what it would leave in a store."""

from nasaudit.measure.estimate import Measurement, exact
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record
from nasaudit.store.store import Store


class Nap(Task):
    """A task that nobody runs."""

    work = "nowhere:nothing"

    kind: str = "nap"
    seed: int = 0


def record_of(task: Task, **changes: object) -> Record:
    fields = {
        "digest": task.digest(),
        "kind": task.kind,
        "label": task.label(),
        "task": task.model_dump(mode="json"),
        "state": "ok",
        "measurements": (Measurement("length", exact(1.5, "seconds", bound="lower"), (("bed", "soft"),)),),
        "seconds": 0.1,
        "finished": "2026-01-01T00:00:00+00:00",
        "versions": {"nasaudit": "0"},
    }
    return Record.model_validate({**fields, **changes})


def put(
    store: Store,
    task: Task,
    content: bytes = b"weights",
    *,
    beside: tuple[str, bytes] = ("other.txt", b"other"),
    **changes: object,
) -> Record:
    """Commit a record with two files, the one `beside` in a folder; `changes` are of its fields."""
    with store.writing():
        folder = store.workspace(task)
        (folder / "deep").mkdir()
        (folder / "weights.bin").write_bytes(content)
        name, other = beside
        (folder / "deep" / name).write_bytes(other)
        return store.commit(record_of(task, **changes), folder)
