"""Poison tasks on victims that are really trained, briefly, on the embedded digits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import Network, build
from nasaudit.attacks.poisoning.base import choose_aims
from nasaudit.attacks.poisoning.work import craft_poison
from nasaudit.data.load import load_data
from nasaudit.data.split import Split
from nasaudit.errors import SpecError
from nasaudit.measure.estimate import exact
from nasaudit.planning.experiments import EXPERIMENTS, Build, poisoned_training
from nasaudit.planning.plan import plan
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import GradientMatchingSpec, LabelFlipSpec, PoisoningSpec
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import PoisoningTask, PoisonTask, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.records import Record
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import Bench
from nasaudit.training.evaluate import predict
from nasaudit.training.loop import History, fit
from nasaudit.training.work import load_victim, training_images

TRAINING = TrainingSpec(epochs=3, crop=0, optimizer="sgd", learning_rate=0.05)
SETTING = Build("mini", 10, (1, 8, 8))


def victim(name: str = "vgg", seed: int = 0, training: TrainingSpec = TRAINING) -> TrainTask:
    architecture: ArchSpec = resolve(ArchChoice(name=name), "mini", 10, (1, 8, 8))
    return TrainTask(architecture=architecture, data=DataSpec(name="digits"), training=training, seed=seed)


def task_of(attack: PoisoningSpec, of: TrainTask) -> PoisoningTask:
    made = EXPERIMENTS["poisoning"](of, attack, SETTING)
    assert isinstance(made, PoisoningTask)
    return made


def values(record: Record) -> dict[tuple[str, str], float]:
    return {(m.metric, ";".join(v for _, v in m.setting)): m.estimate.value for m in record.measurements}


def test_at_fraction_zero_nothing_is_trained_anew(bench: Bench) -> None:
    task = task_of(LabelFlipSpec(), victim())
    assert task.trainings[0].digest() == task.clean.digest() == victim().digest()
    assert all(training.digest() != victim().digest() for training in task.trainings[1:])
    longer = task_of(LabelFlipSpec(epochs=9), victim())
    assert longer.clean.digest() == longer.trainings[0].digest() != victim().digest()
    assert longer.clean.training.epochs == 9
    # One poison serves trainings of all lengths.
    assert longer.trainings[1].poison == task.trainings[1].poison


def test_every_architecture_and_seed_gets_the_same_flipped_labels_and_nested_ones(bench: Bench) -> None:
    tasks = [task_of(LabelFlipSpec(), victim(name, seed)) for name, seed in (("vgg", 0), ("darts", 3))]
    poisons = [[training.poison for training in task.trainings] for task in tasks]
    assert poisons[0] == poisons[1]
    pairs = []
    for poison in poisons[0][1:]:
        assert poison is not None
        arrays = np.load(bench(poison)[1] / "poison.npz")
        pairs.append(dict(zip(arrays["index"].tolist(), arrays["label"].tolist(), strict=True)))
    train = load_data(DataSpec(name="digits"), Path()).train
    assert [len(each) for each in pairs] == [round(f * len(train)) for f in (0.1, 0.2, 0.4)]
    assert pairs[0].items() < pairs[1].items() < pairs[2].items()


def test_a_study_of_two_architectures_plans_each_poison_once() -> None:
    attacks = (LabelFlipSpec(fractions=(0.0, 0.2)), GradientMatchingSpec())
    study = StudySpec(
        architectures=("vgg", "resnet"), data="digits", seeds=(0, 1), attacks=attacks, analyses=()
    )
    planned = plan(study, Path())
    labels = sorted(task.label() for task in planned.tasks if isinstance(task, PoisonTask))
    # Label flips are common to all; optimised poisons to the seeds of an architecture.
    assert labels == [
        "0.03 gradient_matching made on resnet",
        "0.03 gradient_matching made on vgg",
        "0.2 label_flip",
    ]
    trained = [task for task in planned.tasks if isinstance(task, TrainTask)]
    assert len(trained) == 4 * 3 + 2
    assert len(planned.victims) == 4
    surrogates = {t.poison.surrogate for t in trained if t.poison is not None} - {None}
    assert {(s.architecture.name, s.seed, s.poison) for s in surrogates if s} == {
        ("vgg", 10_000, None),
        ("resnet", 10_000, None),
    }


def test_the_attackers_model_is_never_a_victim() -> None:
    for seed in (0, 1, 10_000, 10_001):
        poison = task_of(GradientMatchingSpec(), victim(seed=seed)).trainings[0].poison
        assert poison is not None
        assert poison.surrogate is not None
        assert poison.surrogate.seed != seed
    named = task_of(GradientMatchingSpec(surrogate="resnet"), victim("darts")).trainings[0].poison
    assert named is not None
    assert named.surrogate is not None
    assert named.surrogate.architecture.name == "resnet"


def test_the_drop_is_that_of_the_two_trainings_on_the_same_images(bench: Bench) -> None:
    task = task_of(LabelFlipSpec(fractions=(0.0, 0.4, 0.8)), victim())
    found = values(bench(task)[0])
    clean, some, most = (bench(t)[0].measured("clean_accuracy").value for t in task.trainings)
    assert found["clean_accuracy", "0.8"] == most
    assert found["cad", "0.8"] == pytest.approx(clean - most)
    assert found["cad_area", ""] == pytest.approx(
        (0.25 * (clean - some) + 0.25 * (clean - some) + 0.25 * (clean - most)) / 1
    )
    assert found["cad", "0"] == 0
    assert clean - most > 0.1  # four of five labels wrong: it would be a wonder otherwise
    estimate = next(m.estimate for m in bench(task)[0].measurements if m.setting == (("fraction", "0.8"),))
    assert estimate.n == len(load_data(DataSpec(name="digits"), Path()).test)


def test_a_network_is_trained_on_the_poison_that_was_crafted(bench: Bench) -> None:
    training = poisoned_training(victim(), LabelFlipSpec(), 0.2)
    assert training.poison is not None
    bench(training.poison)
    bundle = load_data(training.data, Path())
    seen = training_images(training, bundle, Workspace(Path(), bench))
    assert int((seen.labels != bundle.train.labels).sum()) == round(0.2 * len(bundle.train))
    clean = training_images(
        poisoned_training(victim(), LabelFlipSpec(), 0.0), bundle, Workspace(Path(), bench)
    )
    assert clean.digest == bundle.train.digest


def test_published_setting_poisoned_images_alone_are_augmented_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ain-soph/autovul, vision/attacks/poison/poison_random.py:55 to 66 makes a list of the augmented subset."""
    given = []

    def spy(network: Network, train: Split, *rest: Any, frozen: torch.Tensor | None, **named: Any) -> History:
        given.append((train, frozen))
        return fit(network, train, *rest, frozen=frozen, **named)

    monkeypatch.setattr("nasaudit.training.work.fit", spy)
    (attack,) = attacks_for(["poisoning"], "paper", "paper")
    assert isinstance(attack, LabelFlipSpec)
    assert (attack.fractions, attack.epochs) == ((0, 0.1, 0.2, 0.4), 50)
    clean = load_data(DataSpec(name="digits"), Path()).train
    for spec, frozen_too in ((attack, True), (LabelFlipSpec(), False)):
        bench(poisoned_training(victim(), spec.model_copy(update={"epochs": 1}), 0.2))
        train, frozen = given[-1]
        assert frozen_too == (frozen is not None)
        if frozen is not None:
            assert torch.equal(frozen, train.labels != clean.labels)
        bench(poisoned_training(victim(), spec.model_copy(update={"epochs": 1}), 0.0))
        assert given[-1][1] is None


def test_an_optimised_poison_from_crafting_to_pictures(bench: Bench) -> None:
    spec = GradientMatchingSpec(steps=4, targets=2, epsilon=32 / 255, fractions=(0.0, 0.04))
    task = task_of(spec, victim())
    record, folder = bench(task)
    found = values(record)
    assert {"asr", "floor", "confidence_gain", "cad", "clean_accuracy", "matching_loss"} == {
        m for m, _ in found
    }

    poison = task.trainings[1].poison
    assert poison is not None
    bundle = load_data(task.victim.data, Path())
    assert bench(poison)[0].measured("poisoned_images") == exact(42, "images")
    arrays = np.load(bench(poison)[1] / "poison.npz")
    assert np.array_equal(
        arrays["label"], bundle.train.labels[bundle.train.find(torch.from_numpy(arrays["index"]))]
    )
    aims = choose_aims(bundle.test, 2, 0)
    assert np.array_equal(arrays["target"], aims.images.indices)
    assert found["matching_loss", "0.04;after"] == pytest.approx(arrays["after"].mean())

    # The confidences are what a fresh look at both networks says.
    workspace = Workspace(Path(), bench)
    clean, poisoned = (
        load_victim(t, workspace)[0](aims.images.pixels()).softmax(1)[[0, 1], aims.classes].detach()
        for t in (task.clean, task.trainings[1])
    )
    assert found["confidence_gain", "0.04"] == pytest.approx(float((poisoned - clean).mean()), abs=1e-5)

    (curve,) = json.loads((folder / "curves.json").read_text())
    assert (curve["name"], curve["x"], curve["setting"]) == ("matching", [1, 2, 3, 4], {"fraction": "0.04"})
    pictures = np.load(folder / "pictures.npz")
    assert pictures["clean"].dtype == pictures["poisoned"].dtype == np.uint8
    assert 0 < np.abs(pictures["poisoned"].astype(int) - pictures["clean"]).max() <= 32
    assert len(pictures["label"]) == 6
    assert set(pictures["label"].tolist()) == set(aims.classes.tolist())


def test_an_optimised_poison_needs_a_model(tmp_path: Path) -> None:
    task = PoisonTask(data=DataSpec(name="digits"), attack=GradientMatchingSpec())
    with pytest.raises(SpecError, match="a trained model to make gradient_matching on"):
        craft_poison(task, Workspace(tmp_path, lambda task: pytest.fail("nothing is needed")))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_optimised_poisons_reach_more_targets_than_noise_of_the_same_size(bench: Bench) -> None:
    """The same images, labels and largest change, and unknown weights: only the direction differs."""
    base = victim(training=TrainingSpec(epochs=20, crop=0), seed=5)
    bundle = load_data(base.data, Path())
    crafted: list[float] = []
    noised: list[float] = []
    for seed in (0, 1):
        spec = GradientMatchingSpec(
            fractions=(0.12,), epsilon=0.5, step_size=0.1875, seed=seed, augment=False
        )
        task = task_of(spec, base)
        (training,) = task.trainings
        assert training.poison is not None
        record, _ = bench(task)
        assert (
            values(record)["matching_loss", "0.12;after"]
            < 0.4
            < values(record)["matching_loss", "0.12;before"]
        )
        arrays = np.load(bench(training.poison)[1] / "poison.npz")
        index, label = torch.from_numpy(arrays["index"]), torch.from_numpy(arrays["label"])
        clean = bundle.train.images[bundle.train.find(index)].int()
        signs = torch.rand(clean.shape, generator=torch.Generator().manual_seed(seed)).sub(0.5).sign()
        noisy = (clean + 127 * signs).clamp(0, 255).to(torch.uint8)
        network = build(base.architecture, 0, bundle.train.moments)
        fit(network, bundle.train.changed(index, label, noisy), base.training, base.seed)
        aims = choose_aims(bundle.test, spec.targets, seed)
        poisoned = load_victim(training, Workspace(Path(), bench))[0]
        for model, into in ((poisoned, crafted), (network, noised)):
            into.extend(predict(model, aims.images).softmax(1)[range(3), aims.classes].tolist())
    assert sum(p > 0.5 for p in crafted) > sum(p > 0.5 for p in noised)
    assert np.mean(crafted) > np.mean(noised) + 0.1
