"""Which records count, and which are made again."""

from collections.abc import Callable, Collection

from nasaudit.errors import SpecError
from nasaudit.running.options import Mode
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import AttackTask, PoisonTask, Task, TrainTask
from nasaudit.store.entries import Known
from nasaudit.store.store import Store


class UsableRecords:
    """The records that count: all that can be trusted, but those that are to be made again.

    Args:
        store: where they are.
        again: whether a record that was there when this run began is to be made again.
        deep: see `Store.look_up`.
    """

    def __init__(self, store: Store, again: Callable[[Task, Known], bool], *, deep: bool = True):
        self.store, self._again, self._deep = store, again, deep
        self._rejected: dict[str, str] = {}  # seals, by digest

    def find(self, task: Task) -> Known | None:
        """The record of a task that has just become known."""
        record = self.store.look_up(task, deep=self._deep)
        if record is None or not self._again(task, record):
            return record
        self._rejected[record.digest] = record.seal
        return None

    def made_meanwhile(self, task: Task) -> Known | None:
        """The record of a task that had none, if another run has made one since."""
        self.store.refresh(task)
        record = self.store.look_up(task, deep=self._deep)
        return None if record is None or record.seal == self._rejected.get(record.digest) else record


def made_again(study: StudySpec, mode: Mode, redo: Collection[str]) -> Callable[[Task, Known], bool]:
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

    def again(task: Task, record: Known) -> bool:
        match task:
            case AttackTask() | PoisonTask():
                named = task.attack.name
            case TrainTask(poison=PoisonTask() as poison):
                named = poison.attack.name
            case _:
                named = ""
        return mode == "force" or named in redo or (mode == "retry" and record.state != "ok")

    return again
