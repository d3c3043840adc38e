"""The executor over a cluster, on one of this machine: rules of executors, files that travel, nodes that differ."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_tasks import fake_plan
from tests.running.test_run import House

from nasaudit.errors import SpecError, StoreError
from nasaudit.planning.plan import plan
from nasaudit.running.executors.base import Cluster, Died, Finished, Halted, Job, Printed, RunContext, Started
from nasaudit.running.executors.cluster.parcels import pack, unpack
from nasaudit.running.executors.cluster.ray import Ray
from nasaudit.running.executors.threads import module_path
from nasaudit.running.options import RunOptions
from nasaudit.spec.study import StudySpec
from nasaudit.testing.chores import FILE, Chore
from nasaudit.testing.executors import ExecutorConformance

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One for all tests that take one as it is: it takes seconds to start."""
    path = {"env_vars": {"PYTHONPATH": module_path()}}
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "CRITICAL"}
    ray.init("local", num_cpus=2, runtime_env=path, **options)
    yield
    ray.shutdown()


@pytest.mark.slow
class TestRay(ExecutorConformance):
    def executor(self, context, devices):
        return Ray(replace(context, cluster=Cluster(workers=len(devices), device="cpu")))


@pytest.mark.parametrize("carries", [False, True])
def test_what_a_task_prints_is_told_wherever_its_files_are(
    tmp_path: Path, cluster: None, carries: bool
) -> None:
    executor = Ray(
        RunContext(tmp_path / "store", tmp_path, Cluster(workers=1, device="cpu", carries=carries))
    )
    loud, quiet = jobs(tmp_path, Chore(number=2, trouble="murmur"), Chore(number=3))
    events = [*outcomes(executor, loud), *outcomes(executor, quiet)]
    executor.close()
    words = {event.digest: event.words for event in events if isinstance(event, Finished)}
    told = [event.words for event in events if isinstance(event, Printed)]
    for line in ("chore 2 begins", "chore 2 goes on", "UserWarning: chore 2 is slow"):
        assert line in words[loud.digest]
        assert line in told[-1]
    assert words[quiet.digest] == ""


def jobs(folder: Path, *chores: Chore) -> list[Job]:
    made = [Job(chore, folder / chore.digest()) for chore in chores]
    for job in made:
        job.folder.mkdir()
    return made


def outcomes(executor: Ray, *given: Job) -> list[object]:
    events: list[object] = []
    for job in given:
        executor.submit(job)
    while sum(isinstance(event, Finished | Died | Halted) for event in events) < len(given):
        executor.pump(events.append, 1.0)
    return events


@pytest.mark.parametrize("carries", [False, True])
def test_a_run_comes_to_the_same_bytes_whether_files_are_shared_or_travel(
    tmp_path: Path, cluster: None, carries: bool
) -> None:
    inputs = tmp_path / "inputs"
    calm, house = House(tmp_path / "calm"), House(tmp_path / "ray")
    calm.run(fake_plan(inputs))
    results, _ = house.run(
        fake_plan(inputs),
        lambda context: Ray(replace(context, cluster=Cluster(device="cpu", carries=carries))),
    )
    assert results.failures == []
    assert house.table == calm.table


def test_files_travel_when_the_workers_do_not_see_them(tmp_path: Path, cluster: None, monkeypatch) -> None:
    """The first job finds that out."""
    (job,) = jobs(tmp_path, Chore(number=3))
    executor = Ray(RunContext(tmp_path / "store", tmp_path, Cluster(workers=1, device="cpu")))
    elsewhere = replace(job, folder=tmp_path / "not-there")
    events = outcomes(executor, elsewhere)
    executor.close()
    assert executor._carried
    assert [type(event) for event in (events[0], events[-1])] == [Started, Finished]
    assert (elsewhere.folder / FILE).read_text() == "3"


def test_a_dead_worker_and_a_stopped_job_are_told(tmp_path: Path, cluster: None) -> None:
    executor = Ray(RunContext(tmp_path / "store", tmp_path, Cluster(workers=2, device="cpu")))
    dies, hangs = jobs(tmp_path, Chore(trouble="die"), Chore(trouble="hang"))
    events: list[object] = []
    executor.submit(dies)
    executor.submit(hangs)
    while {event.digest for event in events if isinstance(event, Started)} != {dies.digest, hangs.digest}:
        executor.pump(events.append, 1.0)
    executor.stop(hangs.digest)
    while sum(isinstance(event, Died) for event in events) < 2:
        executor.pump(events.append, 1.0)
    executor.close()
    assert {event.digest for event in events if isinstance(event, Died)} == {dies.digest, hangs.digest}
    assert not any(event.is_innocent for event in events if isinstance(event, Died))


def test_a_node_with_other_code_stops_the_run(tmp_path: Path, cluster: None) -> None:
    executor = Ray(RunContext(tmp_path / "store", tmp_path, Cluster(workers=1, device="cpu")))
    executor._code = "0" * 64
    (end,) = [
        event for event in outcomes(executor, *jobs(tmp_path, Chore())) if not isinstance(event, Started)
    ]
    executor.close()
    assert isinstance(end, Halted)
    assert "is not that of the runner; install the same version on every node" in end.message


def test_a_node_without_the_images_stops_the_run(tmp_path: Path, cluster: None) -> None:
    images = tmp_path / "tiny.npz"
    np.savez(images, images=np.zeros((60, 8, 8), np.uint8), labels=np.arange(60) % 3)
    study = StudySpec(
        name="s", architectures=("resnet",), data={"name": "npz", "path": str(images)}, seeds=(0,)
    )
    task = plan(study, tmp_path).victims[0]
    images.unlink()
    (tmp_path / "job").mkdir()
    context = RunContext(tmp_path / "store", tmp_path, Cluster(workers=1, device="cpu", carries=True))
    executor = Ray(context)
    events = outcomes(executor, Job(task, tmp_path / "job"))
    executor.close()
    assert isinstance(events[-1], Halted)
    assert "cannot read the images" in events[-1].message
    assert "put them under the same path on every node" in events[-1].message


def test_a_cluster_that_is_not_there_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(SpecError, match=r"address: expected a cluster that can be reached .*refused"):
        Ray(RunContext(tmp_path / "store", tmp_path, Cluster(address="127.0.0.1:1")))


@pytest.mark.parametrize("field", ["address", "task_gpus"])
def test_what_is_said_of_a_cluster_needs_one(field: str) -> None:
    with pytest.raises(SpecError, match=f"{field}: expected an executor that has a cluster"):
        RunOptions(**{field: {"address": "here:1", "task_gpus": 0.5}[field]})


def test_parcels_stay_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c.txt").write_text("c")
    (tmp_path / "a/link").symlink_to("/etc/passwd")
    parcel = pack(tmp_path / "a")
    assert parcel == {"b/c.txt": b"c"}
    unpack(parcel, tmp_path / "d")
    assert (tmp_path / "d/b/c.txt").read_text() == "c"
    for name in ("../x", "/tmp/x", "a/../../x"):
        with pytest.raises(StoreError, match="files of one folder"):
            unpack({name: b""}, tmp_path / "e")
    assert not (tmp_path / "e").exists()
