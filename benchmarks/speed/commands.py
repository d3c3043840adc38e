"""What a person waits for, and what a worker holds: seconds and bytes, not ratios."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

COLUMNS = ("command", "measured", "target", "met")
ROUNDS = 5
HELP, RERUN = 0.3, 1.5  # seconds
MEMORY = 1.0  # GB


def rows(folder: Path) -> Iterator[tuple[str, ...]]:
    """`--help`, an audit that is finished, and the largest process of one that is not."""
    nasaudit = [sys.executable, "-m", "benchmarks.speed.commands"]
    yield _seconds("nasaudit --help", [*nasaudit, "--help"], HELP)
    audit = ["audit", "darts", "resnet", "--seeds", "1", "--workers", "1", "--quiet", "--out"]
    out = folder / "audit"
    subprocess.run([*nasaudit, *audit, str(out)], check=True, stdout=subprocess.DEVNULL, env=_plain())
    # Of all processes that ended, the one that held most; of this benchmark's own none was as large.
    gigabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    yield (
        "a worker of audit darts resnet --seeds 1",
        f"{gigabytes:.2f} GB",
        f"{MEMORY:g} GB",
        "yes" if gigabytes <= MEMORY else "no",
    )
    yield _seconds("the same audit once more", [*nasaudit, *audit, str(out)], RERUN)


def _seconds(name: str, command: list[str], target: float) -> tuple[str, ...]:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=_plain())
        taken.append(time.perf_counter() - began)
    middle = median(taken)
    said = f"{middle:.2f} s ({min(taken):.2f} to {max(taken):.2f})"
    return name, said, f"{target:g} s", "yes" if middle <= target else "no"


def _plain() -> dict[str, str]:
    """As a user's shell: nothing that this benchmark sets for itself."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "MALLOC_"))}


if __name__ == "__main__":
    from nasaudit.cli import main

    main()
