"""A plan as far as it is known: it grows when what its stages wait for has ended. No torch."""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from nasaudit.planning.needs import closure, failed_need
from nasaudit.planning.plan import Plan
from nasaudit.planning.stages import Outcome, Part, Stage, Steps
from nasaudit.spec.tasks import Task
from nasaudit.store.entries import Known
from nasaudit.store.reading import read_whole
from nasaudit.store.records import Problem, Record


@dataclass
class StageState:
    """How far a stage is.

    Attributes:
        stage: which one.
        steps: its generator; None when it has returned or is blocked.
        asked: all tasks that it asked for.
        awaited: those whose outcomes it waits for, by digest.
        expected: tasks that will come after these; None: nobody can say.
        part: what it added to the study.
        problem: why it is blocked.
    """

    stage: Stage
    steps: Steps | None
    asked: list[Task] = field(default_factory=list)
    awaited: dict[str, Task] = field(default_factory=dict)
    expected: int | None = 0
    part: Part = field(default_factory=Part)
    problem: Problem | None = None

    def advance(self, steps: Steps, outcomes: list[Outcome] | None) -> tuple[Task, ...]:
        """Let the stage go on (begin, with None) to its next question or its end; returns the tasks that it adds."""
        self.awaited, self.expected = {}, 0
        try:
            ask = next(steps) if outcomes is None else steps.send(outcomes)
        except StopIteration as end:
            self.steps, self.part = None, end.value
            return (*self.part.victims, *self.part.tasks)
        except Exception as error:  # also a fault of the stage: the rest of the study goes on
            self.steps = None
            text = "".join(traceback.format_exception(error))
            self.problem = Problem(type=type(error).__name__, message=str(error), traceback=text)
            return ()
        awaited = ask.tasks if ask.awaited is None else ask.awaited
        self.asked += [*ask.tasks, *awaited]
        self.awaited = {task.digest(): task for task in awaited}
        self.expected = ask.expected
        return (*ask.tasks, *awaited)


class Unfolding:
    """A plan with the records that it has so far.

    Args:
        planned: as it stands before anything ran.
        find: the record of a task, which may be its outline, or None; called once for each task, when it becomes
            known.
        folder: where the artefacts of a record are, by digest.
    """

    def __init__(self, planned: Plan, find: Callable[[Task], Known | None], folder: Callable[[str], Path]):
        self._planned, self._find, self._folder = planned, find, folder
        self._known: dict[str, Task] = {}
        self._records: dict[str, Known] = {}
        self.stages = tuple(StageState(stage, stage.begin()) for stage in planned.stages)
        self._learn(planned.tasks)
        for state in self.stages:
            if state.steps is not None:
                self._learn(state.advance(state.steps, None))
        self._advance()

    @property
    def plan(self) -> Plan:
        """The plan as it is known now; its order does not hang on that in which tasks ended."""
        parts = [state.part for state in self.stages]
        places = _places(self._planned)
        for name, found in (each for part in parts for each in part.found):
            places.setdefault(name, places.get(found.search, len(places)))
        asked = [
            task for state in self.stages for task in (*state.asked, *state.part.victims, *state.part.tasks)
        ]
        return replace(
            self._planned,
            architectures=tuple(
                sorted(
                    (*self._planned.architectures, *(spec for part in parts for spec in part.architectures)),
                    key=lambda spec: places.get(spec.name, len(places)),
                )
            ),
            victims=tuple(
                sorted(
                    (*self._planned.victims, *(victim for part in parts for victim in part.victims)),
                    key=lambda victim: places.get(victim.architecture.name, len(places)),
                )
            ),
            tasks=closure((*self._planned.tasks, *asked)),
            found=tuple(found for part in parts for found in part.found),
            blocked=tuple(
                (state.stage.label, state.problem) for state in self.stages if state.problem is not None
            ),
        )

    @property
    def records(self) -> dict[str, Known]:
        """The records of the known tasks, in the plan's order."""
        return self.records_of(self.plan.tasks)

    def records_of(self, tasks: Iterable[Task]) -> dict[str, Known]:
        """Those of these tasks that have one, by digest."""
        digests = (task.digest() for task in tasks)
        return {digest: self._records[digest] for digest in digests if digest in self._records}

    @property
    def expected(self) -> int | None:
        """How many tasks will come beyond the known ones: 0 when no stage is open, None when nobody can say."""
        counts = [state.expected for state in self.stages if state.steps is not None]
        return None if None in counts else sum(count or 0 for count in counts)

    def add(self, record: Known) -> tuple[Task, ...]:
        """A known task has its record; returns the tasks that are known because of it."""
        before = len(self._known)
        self._records[record.digest] = record
        self._advance()
        return tuple(self._known.values())[before:]

    def _advance(self) -> None:
        for state in self.stages:
            while state.steps is not None:
                if not all(self._has_ended(digest, task) for digest, task in state.awaited.items()):
                    break
                outcomes = [self._outcome(digest, task) for digest, task in state.awaited.items()]
                self._learn(state.advance(state.steps, outcomes))

    def _has_ended(self, digest: str, task: Task) -> bool:
        return digest in self._records or failed_need(task, self._records) is not None

    def _outcome(self, digest: str, task: Task) -> Outcome:
        """What became of a task that has ended, or never can run."""
        known = self._records.get(digest)
        folder = self._folder(digest)
        if known is None:
            need = failed_need(task, self._records)
            return Outcome(task, None, folder, "" if need is None else f"needs {need.label()}, which failed")
        record = known if isinstance(known, Record) else read_whole(known, folder)
        return Outcome(task, record, folder, f"needs {task.label()}, which failed" if record.problem else "")

    def _learn(self, tasks: Iterable[Task]) -> None:
        for task in closure(tasks):
            digest = task.digest()
            if digest not in self._known:
                self._known[digest] = task
                record = self._find(task)
                if record is not None:
                    self._records[digest] = record


def _places(planned: Plan) -> dict[str, int]:
    """Where the study names an architecture, found or not; what it does not name comes after."""
    choices = list(enumerate(planned.study.architectures))
    # The first of a plan are those that the study names and that nothing has to be searched for.
    known = (place for place, choice in choices if choice.search is None)
    return {
        **{spec.name: place for place, spec in zip(known, planned.architectures, strict=False)},
        **{choice.name: place for place, choice in choices if choice.search is not None},
    }
