"""What a run tells whoever watches it. `progress.py` shows it to a person; a test writes it down."""

from collections.abc import Collection, Sequence
from typing import Protocol

from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record


class Observer(Protocol):
    """Called from the runner's own thread, in the order in which things happen."""

    def begin(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None = 0) -> None:
        """A run of these tasks begins; those whose digest is in `cached` have records already.

        `expected` is how many more will be known on the way; None: some, and nobody can say how many.
        """

    def added(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None) -> None:
        """What was found decided further tasks, or that there are none; the arguments are those of `begin`."""

    def started(self, task: Task) -> None:
        """A task began to run (again, when its worker had died)."""

    def progressed(self, task: Task, done: float, text: str) -> None:
        """A running task did a share, in [0,1], of its work."""

    def finished(self, task: Task, record: Record) -> None:
        """A task's record, of success or of failure, is stored."""

    def died(self, task: Task, reason: str) -> None:
        """The worker of a running task died; the task will start again, or finish as failed."""

    def skipped(self, task: Task, reason: str) -> None:
        """A task will not run, because one that it needs failed."""

    def blocked(self, stage: str, reason: str) -> None:
        """What a stage would have decided will not be known."""

    def end(self) -> None:
        """The run is over, also when it was interrupted."""


class Silent:
    """An Observer that shows nothing."""

    def begin(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None = 0) -> None:
        """Nothing."""

    def added(self, tasks: Sequence[Task], cached: Collection[str], expected: int | None) -> None:
        """Nothing."""

    def started(self, task: Task) -> None:
        """Nothing."""

    def progressed(self, task: Task, done: float, text: str) -> None:
        """Nothing."""

    def finished(self, task: Task, record: Record) -> None:
        """Nothing."""

    def died(self, task: Task, reason: str) -> None:
        """Nothing."""

    def skipped(self, task: Task, reason: str) -> None:
        """Nothing."""

    def blocked(self, stage: str, reason: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
