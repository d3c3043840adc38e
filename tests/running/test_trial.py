"""Trials of what users bring: every way that one can end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nasaudit.errors import InputError, ModelError, StoreError
from nasaudit.planning.plan import Plan, plan
from nasaudit.running.execute import failure
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
)
from nasaudit.running.executors.serial import Serial
from nasaudit.running.trial import try_models
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"


class Script(Serial):
    """An executor on which every job ends in one way."""

    def __init__(self, end: Callable[[Task], Event]):
        super().__init__(RunContext(Path("nowhere"), Path("nowhere")))
        self._end = end
        self.tried: list[Task] = []

    def pump(self, handle: Callable[[Event], None], timeout: float) -> None:
        assert self._job is not None
        handle(Progressed(self._job.digest, 0.5, ""))
        self.tried.append(self._job.task)
        handle(self._end(self._job.task))
        self._job = None


def planned(*architectures: object, seeds: int = 1) -> Plan:
    values = {"architectures": list(architectures), "data": "digits", "seeds": list(range(seeds))}
    return plan(StudySpec.parse(values), Path("nowhere"))


def failed(error: Exception) -> Callable[[Task], Event]:
    return lambda task: Finished(task.digest(), failure(task, error, 0.0, "cpu"))


@pytest.mark.parametrize(
    ("end", "kind", "told"),
    [
        (failed(ModelError("m: does not work")), InputError, "^m: does not work$"),
        (failed(KeyError("x")), InputError, r"^nasbench201-301001: cannot be used: KeyError: 'x'$"),
        (
            lambda task: Died(task.digest(), "the worker ended with exit code 0", "many\nlines"),
            ModelError,
            "^nasbench201-301001: ends the process that tries it: the worker ended with exit code 0$",
        ),
        (
            lambda task: Overran(
                task.digest(), 1.5, "many", 'Stack (most recent call first):\n  File "net.py"\n  x'
            ),
            ModelError,
            r'^nasbench201-301001: a trial of it takes longer than 1.5 seconds; it is at File "net\.py"; allow more',
        ),
        (lambda task: Halted(task.digest(), "the disk is full"), StoreError, "^the disk is full$"),
    ],
)
def test_a_trial_that_does_not_succeed_is_said(
    end: Callable[[Task], Event], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        try_models(planned(CELL), lambda: Script(end))


def test_each_model_is_tried_once_and_others_not_at_all(tmp_path: Path) -> None:
    executor = Serial(RunContext(tmp_path, tmp_path))
    tried: list[str] = []
    submit = executor.submit

    def note(job: Job) -> None:
        tried.append(job.task.label())
        submit(job)

    executor.submit = note  # type: ignore[method-assign]
    try_models(planned("resnet", CELL, seeds=2), lambda: executor)
    assert tried == ["try nasbench201-301001"]


def test_without_anything_brought_no_executor_is_made() -> None:
    def none() -> Executor:
        raise AssertionError

    try_models(planned("resnet", "darts"), none)
