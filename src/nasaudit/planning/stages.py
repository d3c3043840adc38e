"""Stages of a plan: what a task finds decides which tasks come next. No torch.

A stage is written as a generator. It yields the tasks that it asks for, is sent their outcomes when all have ended,
and returns what the study audits because of them. A one-shot search asks once, and its genotype is then trained and
attacked like the architectures that the study names; an evolution asks for the children of each round:

    def evolution() -> Steps:
        children = first_round(seed)
        for left in reversed(range(rounds)):
            outcomes = yield Ask(tuple(map(training_of, children)), expected=left * len(children))
            children = next_round(children, outcomes)
        return Part(...)

Nothing but the study and the outcomes may decide what it does: a run that resumes, `study status` and read-only send
the recorded outcomes to a new generator, which must ask for the same tasks.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from nasaudit.errors import NasauditError
from nasaudit.search.found import FoundCells
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.tasks import Task, TrainTask
from nasaudit.store.records import Record


@dataclass(frozen=True)
class Ask:
    """What a stage wants done next.

    Attributes:
        tasks: to be done; what they need is done too.
        awaited: those whose outcomes are sent back, in this order; they may have been asked for before, so that a
            method can stay some children behind and keep every worker busy. None: `tasks`.
        expected: how many tasks will come after these; None: nobody can say.
    """

    tasks: tuple[Task, ...]
    awaited: tuple[Task, ...] | None = None
    expected: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: which one.
        record: of success or failure; None when the task could not run.
        folder: of the record's artefacts.
        why: the reason for which there is no result; empty when there is one.
    """

    task: Task
    record: Record | None
    folder: Path
    why: str = ""

    def require(self) -> tuple[Record, Path]:
        """The record of a success and the folder of its artefacts.

        Raises:
            NeedFailed: there is none. A stage that lets it pass is blocked.
        """
        if self.record is None or self.why:
            raise NeedFailed(self.why)
        return self.record, self.folder


class NeedFailed(NasauditError):  # noqa: N818 - its name is the type that results.json gives such failures
    """A stage cannot go on without the result of a task."""


@dataclass(frozen=True)
class Part:
    """What a stage adds to the study. The names of its architectures are no others of the study's.

    Attributes:
        architectures: see `Plan`.
        victims: see `Plan`.
        tasks: what is measured on the victims.
        found: the cells that a search found, by the name of their architecture.
    """

    architectures: tuple[ArchSpec, ...] = ()
    victims: tuple[TrainTask, ...] = ()
    tasks: tuple[Task, ...] = ()
    found: tuple[tuple[str, FoundCells], ...] = ()


Steps = Generator[Ask, list[Outcome], Part]


@dataclass(frozen=True)
class Stage:
    """A part of a plan that is decided while the plan runs.

    Attributes:
        label: what a person reads of it.
        begin: makes the generator.
    """

    label: str
    begin: Callable[[], Steps]
