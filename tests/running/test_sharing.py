"""Several runs at one store share the work: no task is done twice, and each comes to the same table."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_tasks import fake_plan
from sharing_runner import NAPS
from tests.running.test_run import Diary, House, serial, wait_until

from nasaudit.errors import ConflictError
from nasaudit.running import runner as runner_module
from nasaudit.running.run import run_plan
from nasaudit.spec.tasks import Task
from nasaudit.store.records import Record
from nasaudit.store.store import Store
from nasaudit.store.unfinished import MARKER, NAME

RUNNER = Path(__file__).with_name("sharing_runner.py")


class Shared:
    """Inputs, one store, and runs in processes of their own."""

    def __init__(self, folder: Path):
        self.folder, self.store = folder, Store(folder / "store")
        self.inputs = folder / "inputs"
        self.planned = fake_plan(self.inputs, seeds=(0, 1, 2), naps=NAPS)

    def start(self, *outs: str, mode: str = "cached") -> list[subprocess.Popen[bytes]]:
        """Runs in these folders, which begin together."""
        (self.inputs / "go").unlink(missing_ok=True)
        runs = []
        for out in outs:
            words = [str(self.inputs), str(self.folder / out), str(self.store.folder), mode, str(len(outs))]
            runs.append(subprocess.Popen([sys.executable, str(RUNNER), *words], stderr=subprocess.PIPE))
        ready = [self.inputs / f"ready-{run.pid}" for run in runs]
        assert wait_until(lambda: all(path.exists() for path in ready), 60)
        (self.inputs / "go").touch()
        return runs

    def begun(self) -> list[str]:
        """Lines of processes and tasks, in the order in which they were begun."""
        path = self.inputs / "begun.txt"
        return path.read_text().splitlines() if path.exists() else []

    def counts(self) -> Counter[str]:
        return Counter(line.partition(" ")[2] for line in self.begun())

    def table(self, out: str) -> bytes:
        return (self.folder / out / "results.csv").read_bytes()


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    house = House(tmp_path_factory.mktemp("calm"))
    house.run(fake_plan(house.folder, seeds=(0, 1, 2), naps=NAPS))
    return house.table


def ended_well(*runs: subprocess.Popen[bytes]) -> None:
    for run in runs:
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 0, errors.decode()


@pytest.mark.parametrize("mode", ["cached", pytest.param("force", marks=pytest.mark.slow)])
def test_two_runs_do_each_task_once(shared: Shared, calm: bytes, mode: str) -> None:
    if mode == "force":
        ended_well(*shared.start("before"))
        (shared.inputs / "begun.txt").unlink()
    ended_well(*shared.start("one", "two", mode=mode))
    labels = {task.label() for task in shared.planned.tasks}
    counts = shared.counts()
    assert counts.keys() == labels
    if mode == "cached":
        assert set(counts.values()) == {1}
        by_process = Counter(line.partition(" ")[0] for line in shared.begun())
        assert len(by_process) == 2, "both took part"
    assert shared.table("one") == shared.table("two") == calm
    assert not (shared.store.folder / NAME).exists()


def test_the_other_goes_on_when_one_is_killed(shared: Shared, calm: bytes) -> None:
    one, two = shared.start("one", "two")
    assert wait_until(lambda: len(shared.begun()) > 4, 60)
    one.kill()
    one.communicate()
    ended_well(two)
    assert shared.table("two") == calm
    counts = shared.counts()
    assert counts.keys() == {task.label() for task in shared.planned.tasks}
    assert sum(counts.values()) <= len(counts) + 1, "what the killed one was at is begun anew, and no more"
    assert not (shared.store.folder / NAME).exists()
    ended_well(*shared.start("one"))
    assert shared.counts() == counts
    assert shared.table("one") == calm


def test_what_another_run_is_at_comes_last_and_is_awaited(shared: Shared, monkeypatch) -> None:
    """Here that one ends without a record, so the task is done by us after all."""
    monkeypatch.setattr(runner_module, "POLL", 0.01)
    first = shared.planned.tasks[0]
    other = Store(shared.store.folder)
    context = House(shared.folder).context

    class LetGo(Diary):
        def finished(self, task: Task, record: Record) -> None:
            super().finished(task, record)
            if len(self.of("ok")) == 15:  # all that need not wait for it
                other.release(first)

    diary = LetGo()
    with other.writing():
        assert other.claim(first)
        run_plan(
            shared.planned,
            shared.folder / "out",
            type(context)(shared.store.folder, shared.inputs),
            lambda: serial(type(context)(shared.store.folder, shared.inputs)),
            observer=diary,
        )
        assert (other.folder / NAME / MARKER).exists(), "another run is here"
    assert diary.of("started")[15:] == [task.label() for task in shared.planned.tasks[:3]]


def test_unfinished_work_of_a_living_run_is_left_alone(shared: Shared) -> None:
    task, stale = shared.planned.tasks[0], shared.planned.tasks[3]
    with shared.store.writing():
        folder = shared.store.workspace(task)
        (folder / "half").write_bytes(b"x")
        left = folder.with_name(f"{stale.digest()[:8]}-0123456789ab")
        left.mkdir()
        second = Store(shared.store.folder)
        with second.writing():
            assert (folder / "half").exists()
            assert not left.exists()
            assert list(second.begun()) == [task.digest()[:8]]
            with pytest.raises(ConflictError, match="another run is at train darts"):
                second.workspace(task)
        assert (folder / "half").exists()
        assert shared.store.begun()
    assert shared.store.begun() == {}
    assert not (shared.store.folder / NAME).exists()


def test_who_removes_records_is_alone(shared: Shared) -> None:
    other = Store(shared.store.folder)
    with shared.store.writing(), pytest.raises(ConflictError, match="writing to"), other.writing(alone=True):
        pass
    with other.writing(alone=True), pytest.raises(ConflictError, match="writing to"), shared.store.writing():
        pass


def test_a_claim_is_one_runs_alone_however_many_try(tmp_path: Path) -> None:
    """Claims are made and given back as fast as can be; whoever has one writes to a file that must be its alone."""
    script = """
import sys, time
from pathlib import Path
from nasaudit.store.lock import claim, release
path, alone = Path(sys.argv[1]), Path(sys.argv[2])
done, end = 0, time.monotonic() + 1.5
while time.monotonic() < end:
    held = claim(path)
    if held is not None:
        with alone.open("x"):
            pass
        alone.unlink()
        release(held, path)
        done += 1
assert done > 10, done
"""
    words = [sys.executable, "-c", script, str(tmp_path / "claim"), str(tmp_path / "alone")]
    began = time.monotonic()
    ended_well(*[subprocess.Popen(words, stderr=subprocess.PIPE) for _ in range(3)])
    assert time.monotonic() - began < 30
