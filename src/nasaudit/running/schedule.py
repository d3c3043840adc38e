"""Which task runs next, in time that does not grow with the number of those that wait."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from nasaudit.planning.needs import failed_need
from nasaudit.running.order import Key, Order, longest_first
from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Known


class Schedule:
    """The tasks that have no record yet, and the order in which they may run.

    Args:
        tasks: those known so far, each after its needs.
        records: those that exist, by digest.
        order: of the ready ones.
    """

    def __init__(self, tasks: Iterable[Task], records: Mapping[str, Known], order: Order = longest_first):
        self._order = order
        self._records: dict[str, Known] = {}
        self._waiting: dict[str, Task] = {}
        self._needed_by: dict[str, list[str]] = {}
        self._missing: dict[str, int] = {}  # needs without a good record, of each waiting task
        self._keys: dict[str, tuple[Key, int]] = {}  # and the place in the plan, which breaks ties
        self._ready: list[tuple[tuple[Key, int], str]] = []
        self._blocked: deque[tuple[Task, str]] = deque()
        self.running: dict[str, Task] = {}
        self.add(tasks, records)

    def __bool__(self) -> bool:
        return bool(self._waiting or self.running)

    def add(self, tasks: Iterable[Task], records: Mapping[str, Known]) -> None:
        """Further tasks are known, and records that exist of them."""
        self._records.update(records)
        new = [task for task in tasks if task.digest() not in self._keys]
        keys = self._order(new)
        for task in new:
            digest = task.digest()
            self._keys[digest] = (keys[digest], len(self._keys))
            needs = dict.fromkeys(need.digest() for need in task.needs())
            for need in needs:
                self._needed_by.setdefault(need, []).append(digest)
            if digest in self._records:
                continue
            self._waiting[digest] = task
            self._missing[digest] = sum(not self._is_good(need) for need in needs)
            if not self._block(digest) and not self._missing[digest]:
                heapq.heappush(self._ready, (self._keys[digest], digest))

    def take(self) -> Task | None:
        """The next task that can run, or None when all that is left waits for a running one."""
        while self._ready:
            _, digest = heapq.heappop(self._ready)
            if digest in self._waiting:
                self.running[digest] = self._waiting.pop(digest)
                return self.running[digest]
        return None

    def leave(self, task: Task) -> None:
        """A task that was taken is not to run this time."""
        del self.running[task.digest()]

    def put_back(self, task: Task) -> None:
        """A task that was taken is to run after all."""
        digest = task.digest()
        self._waiting[digest] = self.running.pop(digest)
        heapq.heappush(self._ready, (self._keys[digest], digest))

    def finish(self, digest: str, record: Known) -> Task:
        """A running task has its record."""
        self._records[digest] = record
        task = self.running.pop(digest)
        affected = list(self._needed_by.get(digest, ()))
        if record.state == "ok":
            for other in affected:
                if other in self._waiting:
                    self._missing[other] -= 1
                    if not self._missing[other]:
                        heapq.heappush(self._ready, (self._keys[other], other))
            return task
        for other in affected:  # which grows
            self._block(other)
            affected += [further for further in self._needed_by.get(other, ()) if further in self._waiting]
        return task

    def blocked(self) -> Iterator[tuple[Task, str]]:
        """The waiting tasks that can never run, each once, and why."""
        while self._blocked:
            yield self._blocked.popleft()

    def _block(self, digest: str) -> bool:
        """Whether it can never run; then it waits no longer."""
        task = self._waiting.get(digest)
        need = None if task is None else failed_need(task, self._records)
        if task is None or need is None:
            return False
        del self._waiting[digest]
        self._blocked.append((task, f"needs {need.label()}, which failed"))
        return True

    def _is_good(self, digest: str) -> bool:
        record = self._records.get(digest)
        return record is not None and record.state == "ok"
