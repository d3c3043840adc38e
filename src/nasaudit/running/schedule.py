"""Which task runs next: the ready ones, longest first, so that no long task is left over at the end."""

from collections.abc import Iterator, Mapping, Sequence

from nasaudit.planning.needs import failed_need
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record


class Schedule:
    """The tasks that have no record yet, and the order in which they may run.

    Args:
        tasks: a plan's, each after its needs.
        records: those that exist, by digest.
    """

    def __init__(self, tasks: Sequence[Task], records: Mapping[str, Record]):
        self._records = dict(records)
        self._waiting = {task.digest(): task for task in tasks if task.digest() not in records}
        self.running: dict[str, Task] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self.running)

    def take(self) -> Task | None:
        """The next task that can run, or None when all that is left waits for a running one."""
        ready = [task for task in self._waiting.values() if self._is_ready(task)]
        if not ready:
            return None
        # The first of equals, so the plan's order breaks ties.
        task = max(ready, key=lambda task: task.expected_time)
        self.running[task.digest()] = self._waiting.pop(task.digest())
        return task

    def finish(self, digest: str, record: Record) -> Task:
        """A running task has its record."""
        self._records[digest] = record
        return self.running.pop(digest)

    def blocked(self) -> Iterator[tuple[Task, str]]:
        """Remove the waiting tasks that can never run, and say why."""
        for digest, task in list(self._waiting.items()):
            need = failed_need(task, self._records)
            if need is not None:
                del self._waiting[digest]
                yield task, f"needs {need.label()}, which failed"

    def _is_ready(self, task: Task) -> bool:
        return all(
            need.digest() in self._records and self._records[need.digest()].state == "ok"
            for need in task.needs()
        )
