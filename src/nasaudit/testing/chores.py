"""Tasks that cost nothing, for tests of what runs tasks: a module that worker processes import by name."""

import os
import signal
import time
from typing import ClassVar, Literal

from nasaudit.measure.estimate import Measurement, exact
from nasaudit.spec.tasks import Task
from nasaudit.store.workspace import Workspace

FILE = "chore.txt"


class Chore(Task):
    """Reports the process that does it, leaves a file with its number, and measures the number."""

    work: ClassVar[str] = "nasaudit.testing.chores:do"

    kind: Literal["chore"] = "chore"
    number: int = 0
    trouble: Literal["", "fail", "die", "full disk", "hang"] = ""


def do(task: Chore, workspace: Workspace) -> list[Measurement]:
    """The work of a Chore."""
    workspace.progress(0.5, str(os.getpid()))
    if task.trouble == "fail":
        raise ValueError(f"chore {task.number} cannot be done")
    if task.trouble == "full disk":
        raise OSError(28, "No space left on device")
    if task.trouble == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.trouble == "hang":
        time.sleep(600)
    (workspace.folder / FILE).write_text(str(task.number))
    return [Measurement("number", exact(task.number, "chores"))]
