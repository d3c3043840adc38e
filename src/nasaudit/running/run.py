"""Run a study: do what has no record yet, then collect all records into results.

Only this process writes to the store; executors hand records back. So a killed worker, or a killed run,
costs the tasks that were running and nothing else.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from nasaudit.errors import MissingRecordError, SpecError, StoreError
from nasaudit.planning.plan import Plan, plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.plugins import OURS, source_sha256
from nasaudit.results.assemble import copy_examples
from nasaudit.results.folder import StudyFolder, source_digest
from nasaudit.results.provenance import without_folders
from nasaudit.results.schema import StudyResults
from nasaudit.running.budget import Budget
from nasaudit.running.devices import worker_devices
from nasaudit.running.display.observer import Observer, Silent
from nasaudit.running.display.progress import default_observer
from nasaudit.running.execute import death, overrun
from nasaudit.running.executors.base import (
    Died,
    Event,
    Executor,
    Finished,
    Halted,
    Job,
    Overran,
    Progressed,
    RunContext,
    Started,
)
from nasaudit.running.executors.catalogue import EXECUTORS
from nasaudit.running.executors.limited import Limited
from nasaudit.running.options import DEFAULT_OPTIONS, Mode, RunOptions
from nasaudit.running.order import informative_first, longest_first
from nasaudit.running.partial import partial_results
from nasaudit.running.schedule import Schedule
from nasaudit.running.trial import try_models
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import AttackTask, PoisonTask, Task, TrainTask
from nasaudit.store.lock import hold
from nasaudit.store.reading import RECORD_FILE
from nasaudit.store.records import Record
from nasaudit.store.store import Store
from nasaudit.verdicts.decide import collect

ATTEMPTS = 3  # a task whose worker dies is tried again, this often in all
POLL = 0.5  # seconds that the runner waits at most before it looks up


def run(study: StudySpec, out: Path, options: RunOptions = DEFAULT_OPTIONS) -> StudyResults:
    """Run a study and write its results to `out`; what has a record already is not done again.

    Args:
        study: what to do.
        out: the study's folder: study.json, results.json, results.csv, examples.
        options: how to do it.

    Raises:
        InputError: the study cannot be run as asked, or there is no such executor; nothing was trained.
        ConflictError: the folder belongs to another study or is in use, or that of the records holds other things.
        StoreError: the folder cannot be written to, or the disk is full.
        MissingRecordError: `read-only`, and a task has no record.
        KeyboardInterrupt: all workers are gone by then, and the next run resumes.
    """
    make_executor = EXECUTORS[options.executor]
    store = StudyFolder(out).store if options.store is None else Path(options.store)
    context = RunContext(store.absolute(), options.downloads.absolute(), options.cluster)
    is_elsewhere = getattr(make_executor, "is_elsewhere", False)
    devices = () if is_elsewhere else worker_devices(options.device, options.workers)

    def executor() -> Executor:
        made = make_executor(context, devices)
        return made if options.task_timeout is None else Limited(made, options.task_timeout)

    if (
        options.task_timeout is not None
        and not hasattr(make_executor, "stop")
        and isinstance(make_executor, type)
    ):
        raise SpecError(
            "task_timeout", "an executor that can stop a task, such as processes", options.executor
        )
    return run_plan(
        plan(study, options.downloads, download=options.download),
        out,
        context,
        executor,
        mode=options.mode,
        observer=options.observer or default_observer(),
        command=options.command,
        redo=options.redo,
        budget=options.budget,
    )


def run_plan(
    planned: Plan,
    out: Path,
    context: RunContext,
    executor: Callable[[], Executor],
    *,
    mode: Mode = "cached",
    observer: Observer | None = None,
    command: str = "",
    redo: Collection[str] = (),
    budget: Budget | None = None,
    store: Store | None = None,
) -> StudyResults:
    """Run a plan with any executor, which is made only if it is needed; see `run`, which makes both.

    Models that were brought are tried before the folder is claimed, if there is anything to do.
    """
    folder, store = StudyFolder(out), store or Store(context.store)
    folder.check(planned.study)
    store.check()
    again = _again(planned.study, mode, redo)
    if mode == "read-only":
        unfolding = _unfold(planned, store, again, deep=True)
        if (task := _next_task(unfolding)) is not None:
            raise MissingRecordError(
                f"read-only, but this task has no record yet: {task.label()}; run the study without read-only"
            )
        return collect(unfolding.plan, unfolding.records, store, context.downloads)
    unfolding = _unfold(planned, store, again, deep=False)
    watching = observer or Silent()
    if _next_task(unfolding) is None and folder.is_current(_source(unfolding.plan, store)):
        watching.begin(unfolding.plan.tasks, unfolding.records.keys(), 0)
        watching.end()
        return folder.results()
    try_models(planned, executor)
    with _locked(folder.path), store.writing():
        folder.claim(planned.study, context.store, context.downloads)
        unfolding = _unfold(planned, store, again, deep=True)
        _Runner(unfolding, store, watching, budget).run(executor)
        if budget is not None and budget.refused:
            return partial_results(
                planned, folder, store, context.downloads, "the budget is spent; run it again to go on"
            )
        known, records = unfolding.plan, unfolding.records
        results = collect(known, records, store, context.downloads)
        results.environment["command"] = without_folders(command)
        copy_examples(known, records, store, folder)
        folder.write(results, _source(known, store))
    return results


class _Runner:
    """Feeds an executor from a schedule, and stores what comes back."""

    def __init__(self, unfolding: Unfolding, store: Store, observer: Observer, budget: Budget | None):
        self._unfolding, self._store, self._observer = unfolding, store, observer
        order = longest_first if budget is None else informative_first
        self._schedule = Schedule(unfolding.plan.tasks, unfolding.records, order)
        self._budget = budget or Budget()
        self._expected = unfolding.expected
        self._jobs: dict[str, Job] = {}
        self._deaths: dict[str, int] = {}
        self._blocked: set[str] = set()  # labels of stages that were reported

    def run(self, make_executor: Callable[[], Executor]) -> None:
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
            if not self._jobs:  # the budget does not allow what is left
                return
            executor.pump(lambda event: self._handle(event, executor), POLL)

    def _take(self) -> Task | None:
        while (task := self._schedule.take()) is not None:
            if self._budget.allows(task):
                return task
            self._schedule.leave(task)
        return None

    def _submit(self, task: Task, executor: Executor) -> None:
        job = Job(task, self._store.workspace(task))
        self._jobs[job.digest] = job
        executor.submit(job)

    def _handle(self, event: Event, executor: Executor) -> None:
        job = self._jobs[event.digest]
        match event:
            case Started():
                self._observer.started(job.task)
            case Progressed():
                self._observer.progressed(job.task, event.done, event.text)
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
        self._schedule.finish(job.digest, stored)
        self._observer.finished(job.task, stored)
        self._unfold(stored)
        self._report_blocked()

    def _unfold(self, record: Record) -> None:
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


def _again(study: StudySpec, mode: Mode, redo: Collection[str]) -> Callable[[Task, Record], bool]:
    """Whether a task is done again although it has a record.

    Raises:
        SpecError: an attack to redo that the study does not have.
    """
    asked = {attack.name for attack in study.attacks}
    for name in redo:
        if name not in asked:
            raise SpecError(
                "redo", f"an attack of the study ({', '.join(sorted(asked)) or 'it has none'})", name
            )

    def again(task: Task, record: Record) -> bool:
        match task:
            case AttackTask() | PoisonTask():
                named = task.attack.name
            case TrainTask(poison=PoisonTask() as poison):
                named = poison.attack.name
            case _:
                named = ""
        return mode == "force" or named in redo or (mode == "retry" and record.state != "ok")

    return again


def _unfold(planned: Plan, store: Store, again: Callable[[Task, Record], bool], *, deep: bool) -> Unfolding:
    """The plan as far as it is known by the records that are not made anew."""

    def find(task: Task) -> Record | None:
        record = store.find(task, deep=deep)
        return None if record is None or again(task, record) else record

    return Unfolding(planned, find, store.path)


def _next_task(unfolding: Unfolding) -> Task | None:
    """A task that has no record and could run, or None: what waits for a failed one could not."""
    schedule = Schedule(unfolding.plan.tasks, unfolding.records)
    deque(schedule.blocked(), maxlen=0)
    return schedule.take()


def _source(planned: Plan, store: Store) -> str:
    """Identifies the content of all records and the code that makes results of them."""
    parts = {"plan": planned.digest(), "code": source_sha256(OURS)}
    for task in planned.tasks:
        with contextlib.suppress(FileNotFoundError):
            parts[task.digest()] = (store.path(task.digest()) / RECORD_FILE).read_text(encoding="utf-8")
    return source_digest(parts)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with hold(folder):
            yield
    except PermissionError as error:
        raise StoreError(f"cannot write to {error.filename or folder}: {error.strerror}") from error
