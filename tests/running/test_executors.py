import contextlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from nasaudit import registry
from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.measure.estimate import Measurement
from nasaudit.planning.plan import plan
from nasaudit.registry import Registry
from nasaudit.running import devices
from nasaudit.running import run as run_module
from nasaudit.running.devices import cores, worker_devices
from nasaudit.running.executors.base import Event, Finished, Job, Progressed, RunContext, Started
from nasaudit.running.executors.catalogue import EXECUTORS
from nasaudit.running.executors.serial import Serial
from nasaudit.running.executors.threads import ONE_THREAD, one_thread, worker_environment
from nasaudit.running.options import RunOptions
from nasaudit.spec.analyses import TopologySpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import ArchitectureAnalysisTask, Task
from nasaudit.store.workspace import Workspace


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpus_in_use", lambda: True)
    monkeypatch.setattr(devices, "_torch_gpus", lambda: 2)


def test_one_worker_for_each_core_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpus_in_use", lambda: False)
    assert worker_devices("auto", None) == ("cpu",) * cores()
    assert worker_devices("cpu", 3) == ("cpu",) * 3


@pytest.mark.usefixtures("gpus")
def test_one_worker_for_each_gpu() -> None:
    assert worker_devices("auto", None) == ("cuda:0", "cuda:1")
    assert worker_devices("cuda", 3) == ("cuda:0", "cuda:1", "cuda:0")
    assert worker_devices("cuda:1", None) == ("cuda:1",)
    assert worker_devices("cpu", 1) == ("cpu",)


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    ("device", "workers", "field"),
    [("tpu", None, "device"), ("cuda:2", None, "device"), ("cuda:x", 1, "device"), ("cpu", 0, "workers")],
)
def test_impossible_devices_are_refused(device: str, workers: int | None, field: str) -> None:
    with pytest.raises(SpecError, match=field):
        worker_devices(device, workers)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_torch_gpus", lambda: 0)
    with pytest.raises(SpecError, match="it sees 0"):
        worker_devices("cuda", None)


def test_workers_get_one_thread_and_the_search_path() -> None:
    environment = worker_environment()
    assert {name: environment[name] for name in ONE_THREAD} == ONE_THREAD
    assert str(Path(__file__).parent) in environment["PYTHONPATH"].split(os.pathsep)


def test_the_threads_of_this_process_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Torch:
        threads = 7

        def get_num_threads(self) -> int:
            return self.threads

        def set_num_threads(self, count: int) -> None:
            self.threads = count

    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread():
        assert torch.threads == 1
        assert os.environ["MKL_NUM_THREADS"] == "1"
    assert torch.threads == 7
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ


class Reciter:
    """An executor of a plugin's, which only says that it was made."""

    def __init__(self, context: RunContext, devices: Sequence[str]):
        raise LookupError(f"asked for {len(devices)} devices, records in {context.store.name}")


def test_executors_are_chosen_by_name_also_those_of_plugins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point = EntryPoint("reciter", "test_executors:Reciter", "nasaudit.executors")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    monkeypatch.setattr(run_module, "EXECUTORS", Registry("executor", "nasaudit.executors"))
    study = StudySpec.parse({"architectures": ["resnet"], "data": "digits", "analyses": ["topology"]})
    with pytest.raises(LookupError, match="asked for 2 devices, records in store"):
        run_module.run(study, tmp_path / "out", RunOptions(workers=2, device="cpu", executor="Reciter"))


def test_an_unknown_executor_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    study = StudySpec.parse({"architectures": ["resnet"], "data": "digits"})
    with pytest.raises(UnknownNameError, match="unknown executor 'dask'; known: processes, serial, ray"):
        run_module.run(study, tmp_path / "out", RunOptions(executor="dask"))
    assert not (tmp_path / "out").exists()


def test_the_serial_executor_is_reachable_by_name(tmp_path: Path) -> None:
    study = StudySpec.parse({"architectures": ["resnet"], "data": "digits", "analyses": ["topology"]})
    architecture = plan(study, tmp_path).architectures[0]
    task = ArchitectureAnalysisTask(architecture=architecture, analysis=TopologySpec())
    executor = EXECUTORS["serial"](RunContext(tmp_path, tmp_path), ("cpu", "cpu"))
    events: list[Event] = []
    with contextlib.closing(executor):
        assert executor.slots == 1
        executor.submit(Job(task, tmp_path))
        executor.pump(events.append, 0.0)
    assert [type(event) for event in (events[0], events[-1])] == [Started, Finished]
    assert events[-1].record.state == "ok"


class Chatter(Task):
    """A task that reports, and would go on."""

    work = "test_executors:chatter"

    kind: str = "chatter"


def chatter(task: Chatter, workspace: Workspace) -> list[Measurement]:
    workspace.progress(0.5, "half")
    raise AssertionError("the task went on although the run has stopped")


def test_an_error_of_who_listens_is_no_failure_of_the_task(tmp_path: Path) -> None:
    def broken_pipe(event: Event) -> None:
        if isinstance(event, Progressed):
            raise BrokenPipeError("nobody reads")

    with contextlib.closing(Serial(RunContext(tmp_path, tmp_path))) as executor:
        executor.submit(Job(Chatter(), tmp_path))
        with pytest.raises(BrokenPipeError, match="nobody reads"):
            executor.pump(broken_pipe, 0.0)
