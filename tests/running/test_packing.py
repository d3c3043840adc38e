"""Small networks share a GPU by the memory that they need: a logical one of Ray's, since none is asked to compute."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_tasks import FakeTrain, fake_plan

from nasaudit.errors import SpecError
from nasaudit.planning.plan import plan
from nasaudit.running.executors.base import Cluster, Finished, Job, RunContext, Started
from nasaudit.running.executors.cluster import packing
from nasaudit.running.executors.cluster.packing import CONTEXT, SAFETY, Packing, images_of, needs_of, share_of
from nasaudit.running.executors.cluster.ray import Ray
from nasaudit.running.executors.threads import module_path
from nasaudit.running.options import RunOptions
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import EvasionTask, ExtractionTask, TrainTask
from nasaudit.testing.chores import Chore

ray = pytest.importorskip("ray")
GB = 10**9


@pytest.mark.parametrize(
    ("needed", "memory", "share"),
    [
        (0, 24 * GB, 0.1),
        ((2.4 * GB - CONTEXT) / SAFETY, 24 * GB, 0.1),
        ((2.5 * GB - CONTEXT) / SAFETY, 24 * GB, 0.2),
        ((24 * GB - CONTEXT) / SAFETY, 24 * GB, 1.0),
        ((24.1 * GB - CONTEXT) / SAFETY, 24 * GB, 1.1),
    ],
)
def test_a_share_is_rounded_up_to_a_tenth(needed: float, memory: float, share: float) -> None:
    assert share_of(needed, memory) == share


def test_every_network_of_a_task_counts_once(tmp_path: Path) -> None:
    study = StudySpec.parse(
        {
            "architectures": ["darts", "resnet"],
            "data": "digits",
            "seeds": [0],
            "attacks": ["pgd", "transfer", "knockoff"],
        }
    )
    tasks = plan(study, tmp_path).tasks

    def names(kind: type) -> set[tuple[str, ...]]:
        return {
            tuple(need.architecture.name for need in needs_of(task))
            for task in tasks
            if isinstance(task, kind)
        }

    assert names(TrainTask) == {("darts",), ("resnet",)}
    assert ("darts",) in names(EvasionTask)
    assert any(len(pair) == 2 for pair in names(EvasionTask))  # with an attacker's own model
    assert all(len(pair) >= 1 for pair in names(ExtractionTask))
    training = next(task for task in tasks if isinstance(task, TrainTask))
    (need,) = needs_of(training)
    assert need.batch >= need.training.batch_size
    assert images_of(training) == training.data.expected_images() * 64
    assert needs_of(Chore()) == ()
    assert images_of(Chore()) == 0


class Here:
    """Ray, without another process."""

    class exceptions:  # noqa: N801
        RayError = OSError

    def __init__(self, needed: float | None):
        self.needed, self.asked = needed, 0

    def remote(self, **options: object):
        return lambda function: self

    def get(self, asked: object, timeout: float) -> float:
        self.asked += 1
        if self.needed is None:
            raise OSError("no such module")
        return self.needed

    def cancel(self, asked: object, force: bool) -> None:
        pass


class Counting(Here):
    def remote(self, *given: object, **options: object):
        return self if given else lambda function: self


def training(tmp_path: Path) -> FakeTrain:
    return fake_plan(tmp_path / "work").victims[0]


def test_a_task_that_does_not_fit_says_so_once_and_takes_a_whole_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = Counting(30.0 * GB)
    shares = Packing(library, 24 * GB)
    with caplog.at_level(logging.WARNING):
        assert [shares.share(training(tmp_path)) for _ in range(3)] == [1.0, 1.0, 1.0]
    assert library.asked == 1
    (said,) = [record.getMessage() for record in caplog.records]
    assert "train darts (seed 0): needs about 39.5 GB, and a GPU has 24.0 GB; it takes a whole one" in said


def test_what_cannot_be_counted_takes_a_whole_gpu_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shares = Packing(Counting(None), 24 * GB)
    with caplog.at_level(logging.WARNING):
        assert shares.share(training(tmp_path)) == 1.0
        assert shares.share(Chore()) == 1.0
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "darts: its memory cannot be counted (no such module); it takes a whole GPU" in said


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"task_gpus": "half"}, "task_gpus"),
        ({"gpu_memory": 24 * GB}, "gpu_memory"),
        ({"task_gpus": "auto", "gpu_memory": 5}, "gpu_memory"),
    ],
)
def test_what_is_no_share_is_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(SpecError, match=f"{field}: expected"):
        RunOptions(executor="ray", **fields)
    assert RunOptions(executor="ray", task_gpus="auto").cluster.gpus == "auto"


@pytest.fixture(scope="module")
def one_gpu() -> Iterator[None]:
    """A cluster that says that it has a GPU."""
    path = {"env_vars": {"PYTHONPATH": module_path(), "CUDA_VISIBLE_DEVICES": ""}}
    options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "CRITICAL"}
    ray.init("local", num_cpus=4, num_gpus=1, runtime_env=path, **options)
    yield
    ray.shutdown()


def most_at_once(folder: Path, memory: int, naps: int) -> int:
    """How many of three trainings ran at once on one GPU of this size."""
    cluster = Cluster(gpus="auto", gpu_memory=memory)
    executor = Ray(replace(RunContext(folder / "store", folder), cluster=cluster))
    tasks = [training(folder).model_copy(update={"seed": seed, "naps": naps}) for seed in range(3)]
    events: list[object] = []
    assert executor.slots == 4
    for task in tasks:
        (folder / task.digest()).mkdir(parents=True)
        executor.submit(Job(task, folder / task.digest()))
    while sum(isinstance(event, Finished) for event in events) < 3:
        executor.pump(events.append, 1.0)
    executor.close()
    running = most = 0
    for event in events:
        running += isinstance(event, Started) - isinstance(event, Finished)
        most = max(most, running)
    return most


@pytest.mark.slow
@pytest.mark.parametrize(("memory", "naps", "expected"), [(8 * GB, 1000, 3), (int(0.9 * GB), 60, 1)])
def test_trainings_are_placed_side_by_side_as_they_fit(
    tmp_path: Path, one_gpu: None, memory: int, naps: int, expected: int
) -> None:
    assert most_at_once(tmp_path, memory, naps) == expected


@pytest.mark.slow
def test_a_gpu_that_does_not_say_its_size_is_asked_of_the_user(tmp_path: Path, one_gpu: None) -> None:
    with pytest.raises(SpecError, match="gpu_memory: expected a size, as in --gpu-memory 24GB: no GPU says"):
        Ray(RunContext(tmp_path / "store", tmp_path, Cluster(gpus="auto")))
    assert packing.PATIENCE > 60
