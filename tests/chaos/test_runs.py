"""Runs of fake tasks, which cost a second, and everything that can happen to a machine while they run.

Whatever it is: nothing that was there is lost, no process stays, and the next run comes to the same bytes.
CHAOS_SEED=N draws other moments.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from fake_tasks import fake_plan
from tests.running.test_run import House, is_alive, wait_until, workers_of

from nasaudit.errors import NasauditError
from nasaudit.store.unfinished import NAME

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("CHAOS_SEED", "0"))
RUNNER = Path(__file__).with_name("runner.py")
RUNNING = Path(__file__).parents[1] / "running"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
MINE = {"store/work/thesis.tex": "years", "store/notes.txt": "mine", "mine.txt": "mine"}


class Storm:
    """A study in a folder that holds things of a user's, and a run of it that something happens to."""

    def __init__(self, folder: Path, inputs: Path):
        self.house = House(folder)
        self.inputs, self.house.folder = inputs, inputs
        self.mark = uuid.uuid4().hex

    def start(self, limits: Mapping[str, int] | None = None) -> subprocess.Popen[str]:
        path = os.pathsep.join(filter(None, [str(RUNNING), os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            [sys.executable, str(RUNNER), str(self.inputs), str(self.house.out), json.dumps(limits or {})],
            env={**os.environ, "PYTHONPATH": path, "CHAOS_MARK": self.mark},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )

    def lay_users_files(self) -> bool:
        """If the folder is a study already; before, it would be refused for them, and rightly."""
        laid = (self.house.out / "study.json").exists()
        if laid:
            for name, text in MINE.items():
                path = self.house.out / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return laid

    def mine(self) -> dict[str, str]:
        return {name: (self.house.out / name).read_text() for name in MINE}

    def processes(self) -> list[int]:
        """All that were started by the run, directly or not, in whatever session."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return [process for process in found if is_alive(process)]

    def check(self, table: bytes) -> None:
        """No process is left; the study resumes to the same bytes; all that a user laid there is there."""
        assert wait_until(lambda: not self.processes(), 10), self.processes()
        results, _ = self.house.run(fake_plan(self.inputs, seeds=(0, 1, 2), naps=8), mode="retry")
        assert results.failures == []
        assert self.house.table == table
        assert not (self.house.store.folder / NAME).exists()
        assert {path for path in self.house.out.rglob("*.tmp") if path.stat().st_size > 100_000} == set()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> House:
    house = House(tmp_path_factory.mktemp("calm"))
    house.run(fake_plan(house.folder, seeds=(0, 1, 2), naps=8))
    return house


@pytest.fixture
def storm(tmp_path: Path, calm: House) -> Iterator[Storm]:
    storm = Storm(tmp_path, calm.folder)
    yield storm
    for process in storm.processes():
        os.kill(process, signal.SIGKILL)


def records(storm: Storm) -> int:
    return len(list(storm.house.store.folder.glob("records/*/*/record.json")))


@pytest.mark.parametrize("moment", range(30))
def test_kills_of_the_runner_and_of_workers(storm: Storm, calm: House, note, moment: int) -> None:
    rng = random.Random(1000 * SEED + moment)
    whom, number = ("runner", "worker")[moment % 2], SIGNALS[moment // 2 % len(SIGNALS)]
    runner = storm.start()
    if after := rng.randrange(10):
        wait_until(lambda: records(storm) >= after or runner.poll() is not None, 60)
    time.sleep(rng.uniform(0, 0.2 if after else 2))
    laid = storm.lay_users_files()
    if whom == "runner":
        runner.send_signal(number)
    elif workers := workers_of(runner.pid):
        os.kill(rng.choice(workers), number)
    _, said = runner.communicate(timeout=60)
    note(
        f"{number.name} of a {whom}"
        if runner.returncode or whom == "worker"
        else "signals that came too late"
    )
    if whom == "worker":
        assert runner.returncode == 0, said
    storm.check(calm.table)
    assert not laid or storm.mine() == MINE


@pytest.mark.parametrize("size", [0, 40, 700, 3000, 30_000, 60_000, 200_000])
def test_a_full_disk(storm: Storm, calm: House, note, size: int) -> None:
    """No file may grow beyond this size."""
    runner = storm.start({"FSIZE": size})
    _, said = runner.communicate(timeout=60)
    note("full disks" if runner.returncode else "disks that held all")
    assert runner.returncode == 0 or "free some space and run the same command again" in said, said
    assert "Traceback" not in said
    storm.check(calm.table)


@pytest.mark.parametrize("files", [12, 24, 64])
def test_few_file_descriptors(storm: Storm, calm: House, note, files: int) -> None:
    runner = storm.start({"NOFILE": files})
    _, said = runner.communicate(timeout=60)
    note(f"{files} file descriptors")
    assert runner.returncode == 0 or files < 64, said
    storm.check(calm.table)


@pytest.mark.parametrize("gigabytes", [1, 3])
def test_little_memory(storm: Storm, calm: House, note, gigabytes: int) -> None:
    runner = storm.start({"AS": gigabytes * 2**30})
    _, said = runner.communicate(timeout=60)
    note(f"{gigabytes} GiB of memory")
    assert runner.returncode == 0 or gigabytes < 3, said
    storm.check(calm.table)


def test_every_kind_of_damage_to_every_kind_of_file(storm: Storm, calm: House, note) -> None:
    """Bits flipped, ends lost, files gone or empty: done anew, or refused in a sentence and nothing changed."""
    rng = random.Random(SEED)
    shutil.copytree(calm.out, storm.house.out)
    storm.lay_users_files()
    marks = {"study.json", "format.json", ".lock"}
    for _ in range(60):
        files = sorted(path for path in storm.house.out.rglob("*") if path.is_file())
        files = [path for path in files if path.relative_to(storm.house.out).as_posix() not in MINE]
        path = rng.choice(files)
        kind, content = rng.choice(("flipped", "truncated", "emptied", "removed")), path.read_bytes()
        damage(path, kind, rng)
        note(f"{'marks' if path.name in marks else path.suffix[1:]} {kind}")
        refused = ""
        try:
            storm.check(calm.table)
        except NasauditError as error:
            refused = str(error)
        if refused:  # restored, it is what it was
            assert path.name in marks
            assert len(refused) < 2000
            path.write_bytes(content)
            storm.check(calm.table)
    assert storm.mine() == MINE


def damage(path: Path, kind: str, rng: random.Random) -> None:
    content = path.read_bytes()
    match kind:
        case "flipped" if content:
            at = rng.randrange(len(content))
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :])
        case "truncated" if content:
            path.write_bytes(content[: rng.randrange(len(content))])
        case "removed":
            path.unlink()
        case _:
            path.write_bytes(b"")


def test_a_runner_that_is_killed_leaves_no_worker_that_hangs(storm: Storm, note) -> None:
    """In code that nothing in the process can interrupt."""
    inputs = storm.house.out.parent / "inputs"
    fake_plan(inputs, trouble="hang_in_c")
    runner = subprocess.Popen(
        [sys.executable, str(RUNNING / "fake_runner.py"), str(inputs), str(storm.house.out), "hang_in_c"],
        env={**os.environ, "CHAOS_MARK": storm.mark},
    )
    assert wait_until(lambda: any(inputs.glob("hangs-*")), 60)
    time.sleep(0.2)
    runner.kill()
    runner.wait()
    note("SIGKILL of a runner whose worker hangs in C")
    assert wait_until(lambda: not storm.processes(), 10), storm.processes()
