"""Tasks that cost nothing, for tests of what runs tasks: a module that worker processes import by name."""

import os
import signal
import sys
import time
import warnings
from typing import ClassVar, Literal

from nasaudit.measure.estimate import Measurement, exact
from nasaudit.spec.tasks import Task
from nasaudit.store.workspace import Workspace

FILE = "chore.txt"
HEARD = "heard.txt"  # whoever hears a chore murmur writes it to the chore's folder


class Chore(Task):
    """Reports the process that does it, leaves a file with its number, and measures the number."""

    work: ClassVar[str] = "nasaudit.testing.chores:do"

    kind: Literal["chore"] = "chore"
    number: int = 0
    trouble: Literal["", "fail", "die", "full disk", "hang", "murmur"] = ""


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
    if task.trouble == "murmur":
        _murmur(task, workspace)
    (workspace.folder / FILE).write_text(str(task.number))
    return [Measurement("number", exact(task.number, "chores"))]


def _murmur(task: Chore, workspace: Workspace) -> None:
    """Print to both streams and warn; go on when that was heard, or after as many seconds as the chore's number."""
    sys.stdout.write(f"chore {task.number} begins\n")
    sys.stderr.write(f"chore {task.number} goes on\n")
    warnings.warn(f"chore {task.number} is slow", stacklevel=2)
    until = time.monotonic() + task.number
    while not (workspace.folder / HEARD).exists() and time.monotonic() < until:
        workspace.progress(0.6, str(os.getpid()))
        time.sleep(0.02)
