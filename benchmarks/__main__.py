"""Run every benchmark and print its table. Trained victims are kept in `build/benchmarks`."""

import os
import sys
from pathlib import Path

from benchmarks import (
    adversarial,
    autoattack,
    executors,
    gradients,
    parity,
    pgd,
    scale,
    search,
    throughput,
    training,
)
from benchmarks.speed import race
from nasaudit.running.executors.threads import KEEP_FREED_MEMORY, ONE_THREAD

BENCHMARKS = {
    "pgd": pgd.run,
    "training": training.run,
    "adversarial": adversarial.run,
    "gradients": gradients.run,
    "parity": parity.run,
    "autoattack": autoattack.run,
    "search": search.run,
    "executors": executors.run,
    "throughput": throughput.run,
    "scale": scale.run,
    "speed": race.run,
    "commands": race.run_commands,
}
DEFAULT_ALLOCATOR = "--default-allocator"


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(
            f"unknown benchmark {', '.join(sorted(unknown))}; known: {', '.join(BENCHMARKS)}", file=sys.stderr
        )
        return 2
    for name in names or BENCHMARKS:
        print(BENCHMARKS[name](Path("build/benchmarks")).markdown(), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    wanted = ONE_THREAD if DEFAULT_ALLOCATOR in sys.argv else {**ONE_THREAD, **KEEP_FREED_MEMORY}
    # As in a worker of a study: one thread, and an allocator that keeps freed memory. The peers get both too.
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], os.environ | wanted)
    sys.exit(main([name for name in sys.argv[1:] if name != DEFAULT_ALLOCATOR]))
