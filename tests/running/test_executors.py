import os
import sys
from pathlib import Path

import pytest

from nasaudit.errors import SpecError
from nasaudit.running import devices
from nasaudit.running.devices import cores, worker_devices
from nasaudit.running.executors.base import Setting
from nasaudit.running.executors.serial import Serial
from nasaudit.running.executors.threads import ONE_THREAD, one_thread, worker_environment


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


def test_a_slot_takes_one_job(tmp_path: Path) -> None:
    executor = Serial(Setting(tmp_path, tmp_path))
    try:
        executor.submit(object())
        with pytest.raises(RuntimeError, match="one slot"):
            executor.submit(object())
    finally:
        executor.close()
