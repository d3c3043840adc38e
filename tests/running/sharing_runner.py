"""A run that shares its store, and writes down what it began: `python sharing_runner.py INPUTS OUT STORE MODE`."""

import os
import sys
import time
from pathlib import Path

from fake_tasks import fake_plan

from nasaudit.running.display.observer import Silent
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.running.run import run_plan
from nasaudit.spec.tasks import Task

NAPS = 15


class Witness(Silent):
    """A line for each task that this process began; appended at once, whatever becomes of the process."""

    def __init__(self, path: Path):
        self.path = path

    def started(self, task: Task) -> None:
        with self.path.open("a") as file:
            file.write(f"{os.getpid()} {task.label()}\n")


def main(inputs: Path, out: Path, store: Path, mode: str) -> None:
    planned = fake_plan(inputs, seeds=(0, 1, 2), naps=NAPS)
    context = RunContext(store, inputs)
    (inputs / f"ready-{os.getpid()}").touch()  # imports take longer than tasks: both begin together
    while not (inputs / "go").exists():
        time.sleep(0.01)
    run_plan(
        planned, out, context, lambda: Serial(context), mode=mode, observer=Witness(inputs / "begun.txt")
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), sys.argv[4])
