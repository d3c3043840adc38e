"""The command line on real trainings, with a module that does harm, too little of everything, and signals."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.chaos.test_runs import SEED, Storm
from tests.running.test_run import wait_until, workers_of

from nasaudit.store.unfinished import NAME

pytestmark = pytest.mark.slow
COMMAND = """
import json, resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
for name, number in json.loads(sys.argv.pop(1)).items():
    resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (number, number))
from nasaudit.cli import main
main()
"""
NET = """
import os, shutil, sys, time
from pathlib import Path
from torch import nn

calls = 0

class build(nn.Module):
    def __init__(self, classes, input_shape):
        super().__init__()
        self.last = nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], classes)

    def forward(self, x):
        global calls
        calls += 1
        if calls == 9:  # the trial is over by then
            trouble()
        return self.last(x.flatten(1))

def trouble():
"""
TROUBLES = {
    "hang": "time.sleep(600)",
    "fork": "os.fork()",
    "remove": "[shutil.rmtree(path.parent) for path in Path('out').rglob('made-by-nasaudit')]",
    "print": "print('x' * 99 * 2**20, flush=True)",
    "memory": "bytearray(2**50)",
}
TIMEOUT = 30  # seconds, of which the import of torch may take ten


class Command(Storm):
    """The command line in an empty folder."""

    def __init__(self, folder: Path):
        self.folder, self.mark = folder, uuid.uuid4().hex
        for name in ("good", *TROUBLES):
            (folder / f"{name}.py").write_text(f"{NET}    {TROUBLES.get(name, 'pass')}\n")
        (folder / "tmp").mkdir()

    def start(self, *words: str, limits: Mapping[str, int] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", COMMAND, json.dumps(limits or {}), *words],
            cwd=self.folder,
            env={**os.environ, "CHAOS_MARK": self.mark, "TMPDIR": str(self.folder / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def audit(self, *names: str, timeout: int = TIMEOUT) -> list[str]:
        """The words of an audit of these modules."""
        study = {
            "architectures": [f"{name}.py:build" for name in names],
            "data": "digits",
            "seeds": [0],
            "attacks": [{"name": "fgsm", "images": 20, "epsilons": [0.1]}],
            "training": {"epochs": 1, "crop": 0},
            "analyses": ["convergence"],
        }
        (self.folder / "study.yaml").write_text(json.dumps(study))
        return [
            "study",
            "run",
            "study.yaml",
            "--out",
            "out",
            "--workers",
            "1",
            "--task-timeout",
            str(timeout),
        ]

    def rows(self) -> list[list[str]]:
        """What was measured on the module without trouble, that hangs on no other."""
        with (self.folder / "out/results.csv").open() as table:
            lines = list(csv.reader(table))
        return [line for line in lines if line[0] == "good.py:build" and "common" not in " ".join(line)]

    def check_nothing_stays(self) -> None:
        assert wait_until(lambda: not self.processes(), 10), self.processes()
        assert list((self.folder / "tmp").glob("nasaudit*")) == []  # torch has caches of its own there
        assert not (self.folder / "out/store" / NAME).exists()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Command:
    command = Command(tmp_path_factory.mktemp("calm"))
    run = command.start(*command.audit("good"))
    _, said = run.communicate(timeout=200)
    assert run.returncode == 0, said
    assert len(command.rows()) > 5
    return command


def test_modules_that_do_harm_fail_alone(tmp_path: Path, calm: Command, note) -> None:
    command = Command(tmp_path)
    run = command.start(*command.audit(*TROUBLES, "good"))
    _, said = run.communicate(timeout=290)
    for trouble in TROUBLES:
        note(f"modules that do harm: {trouble}")
    assert run.returncode == 1, said
    assert "Traceback" not in said
    assert len(said) < 2000
    failures = json.loads((tmp_path / "out/results.json").read_text())["failures"]
    failed = {
        failure["label"].split()[1].partition(".py")[0]: failure
        for failure in failures
        if failure["label"].startswith("train")
    }
    assert failed.keys() == TROUBLES.keys() - {"print"}
    assert failed["hang"]["type"] == "TaskTimeout"
    assert "in trouble" in failed["hang"]["traceback"]
    assert all("good" not in failure["label"] for failure in failures)
    assert command.rows() == calm.rows()
    command.check_nothing_stays()


def test_a_module_that_hangs_when_it_is_tried_is_said_and_nothing_is_trained(tmp_path: Path, note) -> None:
    command = Command(tmp_path)
    (tmp_path / "hang.py").write_text("import time\ntime.sleep(600)\n")
    run = command.start(*command.audit("hang", timeout=10))
    _, said = run.communicate(timeout=100)
    note("modules that do harm: hang on import")
    assert run.returncode == 2, said
    assert "hang.py:build: a trial of it takes longer than 10 seconds; it is at" in said
    assert not (tmp_path / "out").exists()
    command.check_nothing_stays()


def test_signals_tidy_up_and_the_last_run_resumes(tmp_path: Path, calm: Command, note) -> None:
    command, rng = Command(tmp_path), random.Random(SEED)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        run = command.start(*command.audit("good"))
        assert wait_until(lambda r=run: workers_of(r.pid) != [], 100)
        time.sleep(rng.uniform(0, 4))
        run.send_signal(number)
        _, said = run.communicate(timeout=20)
        note(f"{number.name} of a command")
        assert run.returncode == 128 + number, said
        assert said == "nasaudit: interrupted; run the same command again to resume\n"
        command.check_nothing_stays()
    again = command.start(*command.audit("good"))
    assert again.communicate(timeout=200)[1] == ""
    assert again.returncode == 0
    assert (tmp_path / "out/results.csv").read_bytes() == (calm.folder / "out/results.csv").read_bytes()


@pytest.mark.parametrize("limits", [{"NOFILE": 64}, {"DATA": 3 * 2**30}, {"FSIZE": 20_000}], ids=str)
def test_too_little_of_something(tmp_path: Path, calm: Command, note, limits: dict[str, int]) -> None:
    """It ends well, with failures or in a sentence; with enough of it the same command comes to the same bytes."""
    command = Command(tmp_path)
    run = command.start(*command.audit("good"), limits=limits)
    _, said = run.communicate(timeout=200)
    note(f"commands with {limits}: exit code {run.returncode}")
    assert run.returncode in (0, 1, 2, 3), said
    assert "Traceback" not in said
    command.check_nothing_stays()
    again = command.start(*command.audit("good"), "--mode", "retry")
    assert again.communicate(timeout=200)[1] == ""
    assert (tmp_path / "out/results.csv").read_bytes() == (calm.folder / "out/results.csv").read_bytes()
