"""A victim that was trained, briefly, on the embedded digits; made once."""

import copy
from pathlib import Path

import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.attacks.backdoor.base import Ground
from nasaudit.data.load import load_data
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import Bench
from nasaudit.training.work import load_victim

VICTIM = TrainTask(
    architecture=resolve(ArchChoice(name="resnet"), "mini", 10, (1, 8, 8)),
    data=DataSpec(name="digits"),
    training=TrainingSpec(epochs=6, crop=0, learning_rate=0.005),
    seed=0,
)


@pytest.fixture(scope="session")
def victim_task():
    return VICTIM


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    """One for all files: they share the victim."""
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="session")
def loaded(bench, tmp_path_factory):
    return load_victim(VICTIM, Workspace(tmp_path_factory.mktemp("unused"), bench))


@pytest.fixture
def network(loaded):
    """A copy of the victim, for an attack to change."""
    return copy.deepcopy(loaded[0])


@pytest.fixture
def ground(loaded):
    """Data and a short fine-tuning."""
    training = VICTIM.training.model_copy(update={"epochs": 3, "learning_rate": 0.002})
    return Ground(loaded[1].train, training, seed=5)


@pytest.fixture(scope="session")
def bundle():
    return load_data(VICTIM.data, Path("unused"))
