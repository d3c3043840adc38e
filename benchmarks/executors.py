"""Whole studies with one worker, two, and two of Ray's: how much a second core brings, and what a cluster costs.

Each run is a process of its own and trains the same networks from nothing; the start of Ray (which also sets up its
folders) is in its time. All results are compared byte for byte before any time counts.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import yaml

from benchmarks.table import Table

RUNS = 1  # of each way: nine minutes in all
STUDY = {
    "name": "executors",
    "architectures": ["resnet", "vgg"],
    "data": "digits",
    "seeds": 8,
    "attacks": [{"name": "fgsm", "images": 200}],
    "analyses": [],
    "training": {"epochs": 100, "batch_size": 64},
}
WAYS = {
    "processes, 1 worker": ("--executor", "processes", "--workers", "1"),
    "processes, 2 workers": ("--executor", "processes", "--workers", "2"),
    "ray, 2 workers": ("--executor", "ray", "--workers", "2"),
}
COMMAND = "from nasaudit.cli import main; main()"


def run(folder: Path) -> Table:
    """Tasks an hour of each way, as a ratio to one worker's and to two's."""
    with tempfile.TemporaryDirectory() as place:
        study = Path(place) / "study.yaml"
        study.write_text(yaml.safe_dump(STUDY))
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        tables: set[bytes] = set()
        for number in range(RUNS):
            for position, (way, words) in enumerate(WAYS.items()):
                out = Path(place) / f"{number}-{position}"
                begin = time.monotonic()
                subprocess.run(
                    [sys.executable, "-P", "-c", COMMAND, "study", "run", str(study), "--out", str(out), "--quiet",
                     "--device", "cpu", *words],
                    check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                seconds[way].append(time.monotonic() - begin)
                tables.add((out / "results.csv").read_bytes())
        if len(tables) != 1:
            raise RuntimeError("expected the same results.csv of every run")
    tasks = 2 * 2 * 8
    one, two = (median(seconds[way]) for way in list(WAYS)[:2])
    rows = [
        (
            way,
            f"{median(times):.0f}",
            f"{3600 * tasks / median(times):.0f}",
            f"{one / median(times):.2f}",
            f"{two / median(times):.2f}",
        )
        for way, times in seconds.items()
    ]
    return Table(
        f"a study of {tasks} tasks (two networks, 8 seeds, 100 epochs of digits), its start and report included",
        ("way", "seconds", "tasks an hour", "of one worker's", "of two workers'"),
        rows,
    )
