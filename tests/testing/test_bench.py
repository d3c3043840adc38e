"""The bench: a store that does what it is asked for."""

import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.spec.attacks import FgsmSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import EvasionTask, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing import bench
from nasaudit.testing.bench import Bench

VICTIM = TrainTask(
    architecture=resolve(ArchChoice(name="vgg"), "mini", 10, (1, 8, 8)),
    data=DataSpec(name="digits"),
    training=TrainingSpec(epochs=1),
    seed=0,
)
ATTACK = EvasionTask(victim=VICTIM, attack=FgsmSpec())


@pytest.fixture
def done(monkeypatch):
    """The kinds of the tasks that were done, in order; their work leaves a file and finds what they need."""
    kinds = []

    def work(task, workspace):
        kinds.append(task.kind)
        assert all(workspace.find(need)[0].digest == need.digest() for need in task.needs())
        (workspace.folder / "left").write_text(task.kind)
        return [Measurement("number", exact(len(kinds), "tasks"))]

    monkeypatch.setattr(bench, "resolve_work", lambda task: work)
    return kinds


def test_a_task_is_done_once_and_after_all_that_it_needs(done, tmp_path):
    find = Bench(tmp_path)
    record, folder = find(ATTACK)
    assert find(ATTACK) == (record, folder)
    assert done == [VICTIM.kind, ATTACK.kind]
    assert record.digest == ATTACK.digest()
    assert record.measured("number").value == 2
    assert (folder / "left").read_text() == ATTACK.kind
    assert find(VICTIM)[0].measured("number").value == 1


def test_an_error_is_passed_on_and_leaves_no_record(monkeypatch, tmp_path):
    def fails(task, workspace):
        raise ZeroDivisionError

    monkeypatch.setattr(bench, "resolve_work", lambda task: fails)
    find = Bench(tmp_path)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            find(VICTIM)
