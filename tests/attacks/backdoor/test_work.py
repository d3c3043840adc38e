"""The work of a BackdoorTask on digits: the backdoor takes, the floor stays low, the victim is untouched."""

import numpy as np
import pytest
import torch

from nasaudit.arch.catalogue import resolve
from nasaudit.attacks.backdoor import work
from nasaudit.attacks.backdoor.badnets import BadNets
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored
from nasaudit.attacks.backdoor.trigger import stamped
from nasaudit.attacks.backdoor.work import measure_backdoor
from nasaudit.spec.attacks import (
    ATTACKS,
    BackdoorSpec,
    BadNetsSpec,
    BlendedSpec,
    LatentSpec,
    SigSpec,
    WaNetSpec,
)
from nasaudit.spec.data import DataSpec
from nasaudit.spec.recipes import backdoor_training, recipe
from nasaudit.spec.remedies.defences import PgdTrainingSpec, PrivateSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import BackdoorTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace

EASY = {"size": 3, "poison_fraction": 0.15, "epochs": 3, "learning_rate": 0.003}


@pytest.fixture
def run(bench, victim_task, tmp_path):
    def measure(spec, name="run"):
        folder = tmp_path / name
        folder.mkdir()
        found = measure_backdoor(BackdoorTask(victim=victim_task, attack=spec), Workspace(folder, bench))
        figures = {measurement.metric: measurement.estimate for measurement in found}
        return figures, dict(np.load(folder / "pictures.npz"))

    return measure


@pytest.mark.parametrize("copies", ["replace", "append"])
def test_badnets_takes_in_a_fine_tuning(run, bundle, copies):
    figures, _ = run(BadNetsSpec(**EASY, copies=copies))
    assert figures["asr"].value > 0.9
    assert figures["floor"].value < 0.1
    assert figures["clean_accuracy"].value > 0.85
    others = int((bundle.test.labels != 0).sum())
    assert figures["asr"].n == figures["floor"].n == others < len(bundle.test)
    assert figures["cad"].n == figures["clean_accuracy"].n == len(bundle.test)


def test_badnets_takes_in_a_training_from_scratch(run):
    figures, _ = run(BadNetsSpec(**{**EASY, "epochs": None, "learning_rate": None}, from_scratch=True))
    assert figures["asr"].value > 0.9
    assert figures["clean_accuracy"].value > 0.8


def test_without_poison_the_rate_is_near_the_floor(run, monkeypatch):
    monkeypatch.setattr(BadNets, "poison", lambda self, split: split)
    figures, _ = run(BadNetsSpec(**EASY))
    assert figures["asr"].value < figures["floor"].value + 0.1


def test_a_training_from_scratch_without_poison_is_the_victims_training(run, bench, victim_task, monkeypatch):
    monkeypatch.setattr(BadNets, "poison", lambda self, split: split)
    figures, _ = run(BadNetsSpec(from_scratch=True))
    assert figures["cad"].value == 0
    assert figures["clean_accuracy"].value == bench(victim_task)[0].measured("clean_accuracy").value


def test_the_pictures_are_what_a_reader_is_told_they_are(run, bundle):
    spec = BadNetsSpec(**EASY, opacity=0.8)
    _, pictures = run(spec)
    assert (pictures["label"] != 0).all()
    position = {int(index): k for k, index in enumerate(bundle.test.indices)}
    rows = torch.tensor([position[int(index)] for index in pictures["index"]])
    assert np.array_equal(pictures["clean"], bundle.test.images[rows].numpy())
    expected = stamped(bundle.test.images[rows], BadNets(spec).stamp((1, 8, 8)))
    assert np.array_equal(pictures["triggered"], expected.numpy())
    assert pictures["mask"].shape == pictures["pattern"].shape == (1, 8, 8)
    assert float(pictures["opacity"]) == 0.8
    assert set(pictures) >= {"victim", "clean_prediction", "prediction", "target"}


def test_the_attack_cannot_reach_the_model_that_its_floor_is_measured_on(
    bench, victim_task, tmp_path, monkeypatch
):
    class Vandal(BackdoorAttack):
        def plant(self, network, ground):
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.zero_()
            return Backdoored(network, lambda pixels: pixels)

    monkeypatch.setattr(work, "load_attack", Vandal)
    found = measure_backdoor(
        BackdoorTask(victim=victim_task, attack=BadNetsSpec()), Workspace(tmp_path, bench)
    )
    figures = {measurement.metric: measurement.estimate.value for measurement in found}
    assert figures["floor"] < 0.1  # the victim on images without a trigger
    assert figures["asr"] == 1.0  # all logits equal: class 0
    assert figures["cad"] > 0.5


def test_the_same_task_gives_the_same_bytes_twice(run):
    spec = BadNetsSpec(epochs=1)
    first, second = run(spec, "a"), run(spec, "b")
    assert first[0] == second[0]
    assert all(np.array_equal(first[1][key], second[1][key]) for key in first[1])


def test_the_recipe_is_the_victims_with_what_the_attack_says_otherwise():
    victim = TrainingSpec(epochs=10, learning_rate=0.002, crop=2, keep="best_validation")
    fine_tuning = backdoor_training(BadNetsSpec(), victim)
    assert fine_tuning == victim.model_copy(update={"epochs": 2, "keep": "last"})
    assert backdoor_training(SigSpec(), victim) == victim  # from scratch
    told = backdoor_training(
        BadNetsSpec(epochs=20, learning_rate=0.01, optimizer="sgd", batch_size=96), victim
    )
    assert (told.epochs, told.learning_rate, told.optimizer, told.batch_size) == (20, 0.01, "sgd", 96)
    assert told.weight_decay == victim.weight_decay


def test_an_attacker_who_trains_leaves_the_victims_defences_out_and_an_unaware_owner_keeps_them():
    plain = TrainingSpec()
    defended = plain.model_copy(update={"defences": (PgdTrainingSpec(), PrivateSpec())})
    for spec in (WaNetSpec(), WaNetSpec(from_scratch=True), LatentSpec(), BadNetsSpec(copies="append")):
        assert backdoor_training(spec, defended) == backdoor_training(spec, plain)
    for spec in (BadNetsSpec(), SigSpec(), BlendedSpec(from_scratch=True)):
        assert backdoor_training(spec, defended).defences == defended.defences
        assert backdoor_training(spec, defended).undefended() == backdoor_training(spec, plain)


@pytest.mark.parametrize("name", ["badnets", "blended", "sig", "wanet", "trojannn", "latent", "imc"])
def test_every_attack_runs_and_leaves_pictures(run, name):
    changes = {"epochs": 1, "poison_fraction": 0.2, "batch_size": 128}
    figures, pictures = run(ATTACKS[name].parse({"name": name, **changes}))
    assert set(figures) == {"clean_accuracy", "cad", "asr", "floor"}
    assert ("mask" in pictures) == (name not in ("sig", "wanet"))
    assert (pictures["triggered"] != pictures["clean"]).any()
    assert issubclass(ATTACKS[name], BackdoorSpec)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["badnets", "blended", "sig", "wanet", "trojannn", "latent", "imc"])
def test_every_default_takes_on_mnist5k(name, mnist_victim, bench, tmp_path):
    spec = ATTACKS[name].parse({"name": name})
    found = measure_backdoor(BackdoorTask(victim=mnist_victim, attack=spec), Workspace(tmp_path, bench))
    figures = {measurement.metric: measurement.estimate for measurement in found}
    assert figures["asr"].low > figures["floor"].high + 0.3
    assert figures["cad"].value < 0.03


@pytest.fixture(scope="module")
def mnist_victim(victim_task):
    return victim_task.model_copy(
        update={
            "architecture": resolve(ArchChoice(name="resnet"), "mini", 10, (1, 28, 28)),
            "data": DataSpec(name="mnist5k"),
            "training": recipe("mini", "sound", "mnist5k", 1),
        }
    )
