"""A run in a process of its own, to be killed: `python fake_runner.py FOLDER OUT [TROUBLE]`."""

import signal
import sys
from pathlib import Path

from fake_tasks import fake_plan

from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.processes import Processes
from nasaudit.running.run import run_plan


def main(folder: Path, out: Path, trouble: str = "") -> None:
    context = RunContext(out / "store", folder)
    planned = fake_plan(folder, seeds=(0, 1, 2), trouble=trouble, naps=15)
    run_plan(planned, out, context, lambda: Processes(context, ("cpu", "cpu")))


if __name__ == "__main__":
    # A shell that starts a job in the background makes it ignore Ctrl-C; a test may run in such a job.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
