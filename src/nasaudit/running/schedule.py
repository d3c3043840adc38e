"""Which task runs next: the ready ones, longest first, so that no long task is left over at the end."""

from collections.abc import Iterable, Iterator, Mapping

from nasaudit.planning.needs import failed_need
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record


class Schedule:
    """The tasks that have no record yet, and the order in which they may run.

    Args:
        tasks: those known so far, each after its needs.
        records: those that exist, by digest.
    """

    def __init__(self, tasks: Iterable[Task], records: Mapping[str, Record]):
        self._records: dict[str, Record] = {}
        self._waiting: dict[str, Task] = {}
        self._needs: dict[str, list[str]] = {}  # digests of what each waiting task needs
        self.running: dict[str, Task] = {}
        self.add(tasks, records)

    def __bool__(self) -> bool:
        return bool(self._waiting or self.running)

    def add(self, tasks: Iterable[Task], records: Mapping[str, Record]) -> None:
        """Further tasks are known, and records that exist of them."""
        self._records.update(records)
        for task in tasks:
            digest = task.digest()
            if digest not in self._records:
                self._waiting[digest] = task
                self._needs[digest] = [need.digest() for need in task.needs()]

    def take(self) -> Task | None:
        """The next task that can run, or None when all that is left waits for a running one."""
        ready = [task for digest, task in self._waiting.items() if self._is_ready(digest)]
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

    def _is_ready(self, digest: str) -> bool:
        records = (self._records.get(need) for need in self._needs[digest])
        return all(record is not None and record.state == "ok" for record in records)
