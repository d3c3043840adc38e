"""The same promises with real trainings and attacks, on digits."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nasaudit.running.display.observer import Silent
from nasaudit.running.run import RunOptions, run
from nasaudit.spec.study import StudySpec

RUN = """
import sys
from pathlib import Path
from nasaudit.planning.studies import load_study
from nasaudit.running.run import RunOptions, run
run(load_study(sys.argv[1]), Path(sys.argv[2]), RunOptions(workers=2))
"""
STUDY = """
name: storm
architectures: [darts, resnet]
data: digits
seeds: 2
training: {epochs: 3}
attacks: [{name: pgd, images: 60, steps: 5, epsilons: [8/255, 24/255]}]
"""


def children_of(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_and_resumed_audits_write_the_same_table_as_an_undisturbed_one(tmp_path: Path) -> None:
    recipe = tmp_path / "storm.yaml"
    recipe.write_text(STUDY)
    calm, stormy = tmp_path / "calm", tmp_path / "stormy"
    command = [sys.executable, "-c", RUN, str(recipe)]
    begin = time.monotonic()
    subprocess.run([*command, str(calm)], check=True)
    duration = time.monotonic() - begin

    rng = random.Random(0)
    for moment in range(10):
        runner = subprocess.Popen([*command, str(stormy)])
        time.sleep(rng.uniform(0, duration / 3))
        workers = children_of(runner.pid)
        if moment % 2 and workers:  # a worker first, and the runner while it deals with that
            os.kill(rng.choice(workers), signal.SIGKILL)
            time.sleep(rng.uniform(0, 1))
        runner.kill()
        runner.wait()
    subprocess.run([*command, str(stormy)], check=True)
    assert (stormy / "results.csv").read_bytes() == (calm / "results.csv").read_bytes()
    assert b"median_minimal_epsilon" in (calm / "results.csv").read_bytes()

    begin = time.monotonic()
    subprocess.run([*command, str(calm)], check=True)
    assert time.monotonic() - begin < 3


@pytest.mark.slow
def test_one_worker_and_two_write_the_same_table(tmp_path: Path) -> None:
    study = StudySpec.parse(
        {"architectures": ["resnet"], "data": "digits", "seeds": [0, 1], "training": {"epochs": 2}}
    )
    for workers in (1, 2):
        run(study, tmp_path / str(workers), RunOptions(workers=workers, observer=Silent()))
    assert (tmp_path / "1" / "results.csv").read_bytes() == (tmp_path / "2" / "results.csv").read_bytes()
