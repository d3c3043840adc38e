"""The same promises with real trainings and attacks, on digits."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasaudit.running.display.observer import Silent
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.study import StudySpec

RUN = """
import sys
from pathlib import Path
from nasaudit.planning.studies import load_study
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
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


def test_what_a_killed_audit_measured_has_a_report_that_says_what_is_missing(
    tmp_path: Path, command: Callable[..., tuple[Any, str, str]]
) -> None:
    recipe, out = tmp_path / "short.yaml", tmp_path / "out"
    recipe.write_text(
        "{architectures: [resnet], data: digits, seeds: 2, attacks: [{name: fgsm, images: 20}], analyses: [], "
        "training: {epochs: 1}}"
    )
    here = RUN.replace("workers=2", "executor='serial'")
    runner = subprocess.Popen([sys.executable, "-c", here, str(recipe), str(out)])
    try:
        until = time.monotonic() + 60
        while not (records := list(out.glob("store/**/record.json"))) and time.monotonic() < until:
            assert runner.poll() is None
            time.sleep(0.02)
    finally:
        runner.kill()  # as `kill -9`, or a machine that goes out
        runner.wait()
    assert records
    code, _, err = command("report", out)
    assert code == 0, err
    missing = re.search(r"this study is not finished: (\d) of 4 tasks are missing", err)
    assert missing, err
    assert 1 <= int(missing[1]) <= 3
    page = (out / "report.html").read_text()
    assert missing[0].removeprefix("t") in page
    assert not (out / "results.json").exists()


@pytest.mark.slow
def test_one_worker_and_two_write_the_same_table(tmp_path: Path) -> None:
    study = StudySpec.parse(
        {"architectures": ["resnet"], "data": "digits", "seeds": [0, 1], "training": {"epochs": 2}}
    )
    for workers in (1, 2):
        run(study, tmp_path / str(workers), RunOptions(workers=workers, observer=Silent()))
    assert (tmp_path / "1" / "results.csv").read_bytes() == (tmp_path / "2" / "results.csv").read_bytes()
