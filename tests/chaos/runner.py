"""A run of fake tasks in a process of its own, within limits: `python runner.py INPUTS OUT LIMITS`.

LIMITS is JSON: names of `resource` without RLIMIT_, each with a number. What a person would be told is printed.
"""

import json
import resource
import signal
import sys
from pathlib import Path

from fake_tasks import fake_plan

from nasaudit.errors import NasauditError
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.processes import Processes
from nasaudit.running.run import run_plan


def main(inputs: Path, out: Path, limits: dict[str, int]) -> None:
    planned = fake_plan(inputs, seeds=(0, 1, 2), naps=8)
    context = RunContext(out / "store", inputs)
    for name, number in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (number, number))
    try:
        results = run_plan(planned, out, context, lambda: Processes(context, ("cpu", "cpu")))
    except NasauditError as error:
        sys.exit(f"nasaudit: {error}")
    sys.exit(f"{len(results.failures)} tasks failed" if results.failures else 0)


if __name__ == "__main__":
    # A shell that starts a job in the background makes it ignore Ctrl-C; a test may run in such a job.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
