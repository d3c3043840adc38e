"""Run a study: do what has no record yet, then collect all records into results.

Only this process writes what it does to the store; executors hand records back. So a killed worker, or a killed run,
costs the tasks that were running and nothing else.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from nasaudit.errors import MissingRecordError, SpecError, StoreError
from nasaudit.planning.needs import failed_need
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
from nasaudit.running.executors.base import (
    Executor,
    RunContext,
)
from nasaudit.running.executors.catalogue import EXECUTORS
from nasaudit.running.executors.limited import Limited
from nasaudit.running.options import DEFAULT_OPTIONS, Mode, RunOptions
from nasaudit.running.partial import partial_results
from nasaudit.running.runner import Runner
from nasaudit.running.trial import try_models
from nasaudit.running.usable import UsableRecords, made_again
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task
from nasaudit.store.lock import hold
from nasaudit.store.remote.places import store_at
from nasaudit.store.store import Store
from nasaudit.verdicts.decide import collect

WORTH_KEEPING = 1000  # records that had to be read: the next run finds them in the index


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
    store = store_at(StudyFolder(out).store if options.store is None else options.store)
    context = RunContext(store.folder, options.downloads.absolute(), options.cluster)
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
        store=store,
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

    Models that were brought are tried before the folder is claimed, if there is anything to do. The records are those
    of `store`, whose folder is the context's; None: of that folder.
    """
    folder, store = StudyFolder(out), store or Store(context.store)
    folder.check(planned.study)
    store.check()
    again = made_again(planned.study, mode, redo)
    if mode == "read-only":
        unfolding = Unfolding(planned, UsableRecords(store, again).find, store.path)
        if (task := _next_task(unfolding)) is not None:
            raise MissingRecordError(
                f"read-only, but this task has no record yet: {task.label()}; run the study without read-only"
            )
        return collect(unfolding.plan, unfolding.records, store, context.downloads)
    unfolding = Unfolding(planned, UsableRecords(store, again, deep=False).find, store.path)
    watching = observer or Silent()
    if _next_task(unfolding) is None and folder.is_current(_source(unfolding)):
        watching.begin(unfolding.plan.tasks, unfolding.records.keys(), 0)
        watching.end()
        store.save_index(least=WORTH_KEEPING)
        return folder.results()
    try_models(planned, executor)
    with _locked(folder.path), store.writing():
        folder.claim(planned.study, store.where, context.downloads)
        records = UsableRecords(store, again)
        unfolding = Unfolding(planned, records.find, store.path)
        Runner(unfolding, records, watching, budget).run(executor)
        if budget is not None and budget.refused:
            return partial_results(
                planned, folder, store, context.downloads, "the budget is spent; run it again to go on"
            )
        known, found = unfolding.plan, unfolding.records
        results = collect(known, found, store, context.downloads)
        results.environment["command"] = without_folders(command)
        copy_examples(known, found, store, folder)
        folder.write(results, _source(unfolding), planned.study.digest())
    return results


def _next_task(unfolding: Unfolding) -> Task | None:
    """A task that has no record and could run, or None: what waits for a failed one could not."""
    records = unfolding.records
    waiting = (task for task in unfolding.plan.tasks if task.digest() not in records)
    return next((task for task in waiting if failed_need(task, records) is None), None)


def _source(unfolding: Unfolding) -> str:
    """Identifies the content of all records and the code that makes results of them."""
    seals = {digest: record.seal for digest, record in unfolding.records.items()}
    return source_digest({**seals, "plan": unfolding.plan.digest(), "code": source_sha256(OURS)})


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        with hold(folder):
            yield
    except PermissionError as error:
        raise StoreError(f"cannot write to {error.filename or folder}: {error.strerror}") from error
