"""A run that shares its store, and writes down what it began: `sharing_runner.py INPUTS OUT STORE MODE RUNS`."""

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
PATIENCE = 30  # seconds that a run waits for the others at its first task


class Witness(Silent):
    """A line for each task that this process began; appended at once, whatever becomes of the process.

    Args:
        path: of the lines, which all runs append to.
        runs: how many begin together. Each goes on from its first task when all have begun one: on a busy machine
            one of them could otherwise do everything before another gets to run.
    """

    def __init__(self, path: Path, runs: int):
        self.path, self.runs = path, runs
        self.waits = True

    def started(self, task: Task) -> None:
        with self.path.open("a") as file:
            file.write(f"{os.getpid()} {task.label()}\n")
        end = time.monotonic() + PATIENCE
        while self.waits and self._processes() < self.runs and time.monotonic() < end:
            time.sleep(0.01)
        self.waits = False

    def _processes(self) -> int:
        return len({line.partition(" ")[0] for line in self.path.read_text().splitlines()})


def main(inputs: Path, out: Path, store: Path, mode: str, runs: int) -> None:
    planned = fake_plan(inputs, seeds=(0, 1, 2), naps=NAPS)
    context = RunContext(store, inputs)
    (inputs / f"ready-{os.getpid()}").touch()  # imports take longer than tasks: both begin together
    while not (inputs / "go").exists():
        time.sleep(0.01)
    witness = Witness(inputs / "begun.txt", runs)
    run_plan(planned, out, context, lambda: Serial(context), mode=mode, observer=witness)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), sys.argv[4], int(sys.argv[5]))
