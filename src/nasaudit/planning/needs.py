"""What tasks need of each other. No torch."""

from collections.abc import Iterable, Mapping

from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Known


def closure(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """The tasks and all that they need, each once, every one after its needs."""
    ordered: dict[str, Task] = {}

    def visit(task: Task) -> None:
        if task.digest() not in ordered:
            for need in task.needs():
                visit(need)
            ordered[task.digest()] = task

    for task in tasks:
        visit(task)
    return tuple(ordered.values())


def failed_need(task: Task, records: Mapping[str, Known]) -> Task | None:
    """The task upstream whose failure keeps this one from running, or None."""
    for need in _upstream(task):
        record = records.get(need.digest())
        if record is not None and record.state == "failed":
            return need
    return None


def _upstream(task: Task) -> Iterable[Task]:
    for need in task.needs():
        yield from _upstream(need)
        yield need
