"""Feeds an executor the tasks of a plan that have no record, and stores what comes back.

Other runs may be at the same store: a task is claimed before it is begun, so that no two do it, and what another run
is at is awaited. Claims end with the process that has them.
"""

import contextlib
import time
from collections.abc import Callable

from nasaudit.errors import StoreError
from nasaudit.planning.unfolding import Unfolding
from nasaudit.running.budget import Budget
from nasaudit.running.display.observer import Observer
from nasaudit.running.execute import death, overrun
from nasaudit.running.executors.base import (
    Died,
    Event,
    Executor,
    Finished,
    Halted,
    Job,
    Overran,
    Printed,
    Progressed,
    Started,
)
from nasaudit.running.order import informative_first, longest_first
from nasaudit.running.schedule import Schedule
from nasaudit.running.usable import UsableRecords
from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Entry, Known
from nasaudit.store.reading import read_whole
from nasaudit.store.records import Record

ATTEMPTS = 3  # a task whose worker dies is tried again, this often in all
POLL = 0.5  # seconds that the runner waits at most before it looks up


class Runner:
    """Does what of an unfolding plan has no record.

    Args:
        unfolding: the plan; it grows by what tasks find.
        records: those that count.
        observer: is told of everything.
        budget: what may be begun; None: all.
    """

    def __init__(
        self, unfolding: Unfolding, records: UsableRecords, observer: Observer, budget: Budget | None
    ):
        self._unfolding, self._records, self._observer = unfolding, records, observer
        self._store = records.store
        order = longest_first if budget is None else informative_first
        self._schedule = Schedule(unfolding.plan.tasks, unfolding.records, order)
        self._budget = budget or Budget()
        self._expected = unfolding.expected
        self._jobs: dict[str, Job] = {}
        self._elsewhere: dict[str, Task] = {}  # what other runs are at
        self._deaths: dict[str, int] = {}
        self._blocked: set[str] = set()  # labels of stages that were reported

    def run(self, make_executor: Callable[[], Executor]) -> None:
        """Do it; inside of `Store.writing`. An executor is made only if there is anything to do.

        Raises:
            StoreError: the disk is full.
        """
        self._observer.begin(self._unfolding.plan.tasks, self._unfolding.records.keys(), self._expected)
        try:
            self._report_blocked()
            if self._schedule:
                with contextlib.closing(make_executor()) as executor:
                    self._feed(executor)
        finally:
            self._observer.end()

    def _feed(self, executor: Executor) -> None:
        while self._schedule:
            while len(self._jobs) < executor.slots and (task := self._take()) is not None:
                self._submit(task, executor)
            if self._jobs:
                executor.pump(lambda event: self._handle(event, executor), POLL)
            elif self._elsewhere and not self._budget.refused:
                time.sleep(POLL)
            elif self._schedule:  # the budget does not allow what is left
                return
            self._look_elsewhere()

    def _take(self) -> Task | None:
        """The next task that no other run is at, or has done meanwhile."""
        while (task := self._schedule.take()) is not None:
            if not self._store.claim(task):
                self._elsewhere[task.digest()] = task
            elif (record := self._records.made_meanwhile(task)) is not None:
                self._store.release(task)
                self._adopt(task, record)
            elif self._budget.allows(task):
                return task
            else:
                self._store.release(task)
                self._schedule.leave(task)
        return None

    def _look_elsewhere(self) -> None:
        """What came of the tasks that other runs are at; one that they gave up, or died of, can be taken again."""
        for digest, task in list(self._elsewhere.items()):
            if self._store.is_claimed(task):
                continue
            del self._elsewhere[digest]
            record = self._records.made_meanwhile(task)
            if record is None:
                self._schedule.put_back(task)
            else:
                self._adopt(task, record)

    def _adopt(self, task: Task, record: Known) -> None:
        """A record that another run made is as if it had been there."""
        self._end(
            task, read_whole(record, self._store.path(record.digest)) if isinstance(record, Entry) else record
        )

    def _submit(self, task: Task, executor: Executor) -> None:
        job = Job(task, self._store.workspace(task))
        self._jobs[job.digest] = job
        self._store.words.forget(job.digest)  # those of an earlier attempt
        executor.submit(job)

    def _handle(self, event: Event, executor: Executor) -> None:
        job = self._jobs[event.digest]
        match event:
            case Started():
                self._observer.started(job.task)
            case Progressed():
                self._observer.progressed(job.task, event.done, event.text)
            case Printed():
                self._store.words.keep(job.digest, event.words, durable=False)
            case Finished():
                self._finish(job, event.record, event.words)
            case Died():
                self._bury(job, event, executor)
            case Overran():
                self._finish(job, overrun(job.task, event.seconds, event.words, event.stack), event.words)
            case Halted():
                raise StoreError(event.message)

    def _finish(self, job: Job, record: Record, words: str) -> None:
        attempts = self._deaths.get(job.digest, 0) + 1
        self._store.words.keep(job.digest, words)  # first: what has a record is not come back to
        stored = self._store.commit(record.model_copy(update={"attempts": attempts}), job.folder)
        del self._jobs[job.digest]
        self._budget.learn(job.task, stored)
        self._end(job.task, stored)

    def _end(self, task: Task, record: Record) -> None:
        entry = Entry.of(record)  # of 100,000 whole records the memory would be full
        self._schedule.finish(entry.digest, entry)
        self._observer.finished(task, record)
        self._unfold(entry)
        self._report_blocked()

    def _unfold(self, record: Known) -> None:
        """What a task left may decide further ones, some of which may have been done before."""
        tasks, expected = self._unfolding.add(record), self._unfolding.expected
        if not tasks and expected == self._expected:
            return
        records = self._unfolding.records_of(tasks)
        self._schedule.add(tasks, records)
        self._observer.added(tasks, records.keys(), expected)
        self._expected = expected

    def _bury(self, job: Job, event: Died, executor: Executor) -> None:
        """A worker died; its task starts anew in an empty folder, unless it was tried often enough."""
        self._observer.died(job.task, event.reason)
        deaths = self._deaths[job.digest] = self._deaths.get(job.digest, 0) + (not event.is_innocent)
        if deaths < ATTEMPTS:
            self._store.discard(job.folder)
            self._submit(job.task, executor)
            return
        self._deaths[job.digest] = ATTEMPTS - 1
        self._finish(job, death(job.task, event.reason, ATTEMPTS, event.words), event.words)

    def _report_blocked(self) -> None:
        """Tasks whose needs failed are not stored as failures: they run as soon as their needs succeed."""
        for task, reason in self._schedule.blocked():
            self._observer.skipped(task, reason)
        for state in self._unfolding.stages:
            if state.problem is not None and state.stage.label not in self._blocked:
                self._blocked.add(state.stage.label)
                self._observer.blocked(state.stage.label, state.problem.message)
