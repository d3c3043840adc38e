"""The work of an EvasionTask on a victim that was really trained, briefly, on the embedded digits."""

import numpy as np
import pytest
import torch

from nasaudit.arch.catalogue import resolve
from nasaudit.attacks.evasion.curve import predict
from nasaudit.attacks.evasion.work import choose_images, measure_evasion
from nasaudit.data.load import load_data
from nasaudit.data.load import test_images as attacked_positions
from nasaudit.errors import CheckpointError
from nasaudit.measure.estimate import Measurement
from nasaudit.measure.proportion import proportion
from nasaudit.spec.attacks import (
    ApgdSpec,
    DdnSpec,
    EnsembleSpec,
    FgsmSpec,
    HopSkipJumpSpec,
    NesSpec,
    PgdSpec,
    SquareSpec,
    TransferSpec,
)
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import EvasionTask, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.training.work import load_victim
from nasaudit.victim.classifier import Classifier

VICTIM = TrainTask(
    architecture=resolve(ArchChoice(name="vgg"), "mini", 10, (1, 8, 8)),
    data=DataSpec(name="digits"),
    training=TrainingSpec(epochs=4, crop=0, optimizer="sgd", learning_rate=0.05),
    seed=0,
)


def run(bench, folder, spec):
    folder.mkdir()
    found = measure_evasion(EvasionTask(victim=VICTIM, attack=spec), Workspace(folder, bench))
    return found, dict(np.load(folder / "evasion.npz")), dict(np.load(folder / "examples.npz"))


def value(found, metric, **setting):
    (only,) = [m for m in found if m.metric == metric and set(setting.items()) <= set(m.setting)]
    return only.estimate


def test_a_victim_that_is_not_as_accurate_as_recorded_is_refused(bench, tmp_path):
    record, folder = bench(VICTIM)
    claimed = Measurement("clean_accuracy", proportion(0, 359))
    other = record.model_copy(update={"measurements": (claimed,)})
    with pytest.raises(
        CheckpointError, match=r"expected the recorded accuracy 0\.0000 on digits, measured 0\.[1-9]"
    ):
        load_victim(VICTIM, Workspace(tmp_path, lambda task: (other, folder)))


def test_outcomes_examples_and_measurements_agree(bench, tmp_path):
    spec = PgdSpec(images=60, steps=5, epsilons=(8 / 255, 16 / 255, 64 / 255))
    found, outcomes, examples = run(bench, tmp_path / "a", spec)
    assert {key: len(array) for key, array in outcomes.items()} == dict.fromkeys(outcomes, 60)
    broken = outcomes["minimal_epsilon"] <= 16 / 255
    assert value(found, "asr", epsilon="16/255", images="all").value == broken.mean()
    assert value(found, "asr", epsilon="16/255", images="correct").value == broken[outcomes["correct"]].mean()
    assert np.array_equal(
        outcomes["prediction"] != outcomes["label"], np.isfinite(outcomes["minimal_epsilon"])
    )
    assert value(found, "zero_gradient_share").value == 0
    assert {"curve_area", "median_minimal_epsilon", "robust_accuracy"} < {m.metric for m in found}

    # The pictures are what a reader is told they are: another forward pass says so.
    network, bundle = load_victim(VICTIM, Workspace(tmp_path, bench))
    assert 0 < len(examples["label"]) <= 8
    assert examples["clean"].dtype == np.uint8
    size = np.abs(examples["adversarial"] - examples["clean"].astype(np.float32) / 255).max(axis=(1, 2, 3))
    assert (size <= examples["epsilon"].astype(np.float32)).all()
    predicted = network(torch.from_numpy(examples["adversarial"])).argmax(1).numpy()
    assert np.array_equal(predicted, examples["prediction"])
    assert (predicted != examples["label"]).all()
    assert (np.diff(examples["epsilon"]) >= 0).all()
    position = {int(index): k for k, index in enumerate(bundle.test.indices)}
    first = position[int(examples["index"][0])]
    assert np.array_equal(bundle.test.images[first].numpy(), examples["clean"][0])


def test_a_task_gives_the_same_bytes_twice(bench, tmp_path):
    spec = PgdSpec(images=20, steps=3, epsilons=(16 / 255, 64 / 255))
    first = run(bench, tmp_path / "a", spec)[0]
    assert run(bench, tmp_path / "b", spec)[0] == first
    for name in ("evasion.npz", "examples.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_published_protocol(bench, tmp_path):
    spec = PgdSpec(
        goal="least_likely",
        epsilons=(8 / 255,),
        step_size=2 / 255,
        steps=7,
        random_start=False,
        min_confidence=0.99,
        only_correct=True,
        images=50,
    )
    found, outcomes, _ = run(bench, tmp_path / "a", spec)
    assert outcomes["correct"].all()
    steps = np.where(outcomes["steps"] < 0, 14, outcomes["steps"])
    assert value(found, "mean_steps").value == pytest.approx(steps.mean())
    assert value(found, "asr", images="correct") == value(found, "asr", images="all")
    assert (outcomes["target"] != outcomes["label"]).all()


@pytest.mark.parametrize(
    "spec",
    [
        SquareSpec(images=12, queries=60, epsilons=(16 / 255, 64 / 255)),
        NesSpec(images=8, samples=10, steps=4, epsilons=(64 / 255,)),
        HopSkipJumpSpec(images=6, iterations=1, evaluations=20),
        DdnSpec(images=12, steps=20),
        ApgdSpec(images=12, steps=10, epsilons=(16 / 255, 64 / 255)),
        FgsmSpec(images=12),
        EnsembleSpec(members=("fgsm", {"name": "square", "queries": 20}), images=12, epsilons=(64 / 255,)),
    ],
    ids=lambda spec: spec.name,
)
def test_every_attack_goes_all_the_way(bench, tmp_path, spec):
    found, outcomes, examples = run(bench, tmp_path / "a", spec)
    broken = np.isfinite(outcomes["minimal_epsilon"])
    assert np.array_equal(outcomes["prediction"] != outcomes["label"], broken)
    assert (outcomes["queries"] >= 0).all() == (spec.threat_model != "white_box")
    metrics = {m.metric for m in found}
    assert {"asr", "curve_area", "median_minimal_epsilon", "output_disagreement"} <= metrics
    assert ("mean_queries" in metrics) == (spec.threat_model != "white_box")
    change = np.abs(examples["adversarial"] - examples["clean"].astype(np.float32) / 255)
    size = (
        change.max(axis=(1, 2, 3))
        if spec.norm == "linf"
        else np.sqrt((change.astype(float) ** 2).sum((1, 2, 3)))
    )
    assert (size <= examples["epsilon"] * (1 + 1e-5)).all()
    assert value(found, "output_disagreement").value == 0


def test_a_transfer_attack_uses_the_surrogate_of_its_task(bench, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    spec = TransferSpec(images=30, epsilons=(8 / 255, 32 / 255, 64 / 255))
    asked = []

    def finding(task):
        asked.append(task)
        return bench(task)

    # The same network in both parts: what is made on it breaks it.
    task = EvasionTask(victim=VICTIM, attack=spec, surrogate=VICTIM)
    assert task.needs() == (VICTIM, VICTIM)
    found = measure_evasion(task, Workspace(folder, finding))
    assert len(asked) == 2
    assert value(found, "asr", epsilon="64/255", images="correct").value > 0.3
    assert value(found, "median_queries").value == 1


def test_what_favouring_skips_gains_is_counted_on_the_same_images(bench, tmp_path):
    grid = (16 / 255, 64 / 255)
    found, arrays = {}, {}
    for gamma in (1.0, 0.3):
        folder = tmp_path / str(gamma)
        folder.mkdir()
        spec = TransferSpec(images=40, epsilons=grid, steps=4, skip_gamma=gamma)
        found[gamma] = measure_evasion(
            EvasionTask(victim=VICTIM, attack=spec, surrogate=VICTIM), Workspace(folder, bench)
        )
        with np.load(folder / "evasion.npz") as archive:
            arrays[gamma] = dict(archive)
    assert not any(measurement.metric in ("skip_gain", "plain_asr") for measurement in found[1.0])
    right = arrays[1.0]["correct"]
    for epsilon in grid:
        at = f"{round(255 * epsilon)}/255"
        plain, ours = (arrays[gamma]["minimal_epsilon"][right] <= epsilon for gamma in (1.0, 0.3))
        assert value(found[0.3], "plain_asr", epsilon=at).value == plain.mean()
        gain = value(found[0.3], "skip_gain", epsilon=at)
        assert gain.value == pytest.approx(ours.mean() - plain.mean())
        assert gain.low <= gain.value <= gain.high
        assert gain.n == right.sum()


def test_every_architecture_gets_the_same_images(tmp_path):
    bundle = load_data(VICTIM.data, tmp_path)

    def chosen(spec, seed=0, constant=3):
        class Constant(torch.nn.Module):
            def forward(self, x):
                return torch.nn.functional.one_hot(torch.full((len(x),), constant), 10).float()

        return choose_images(bundle, spec, Classifier(Constant(), 10), seed)

    plain = chosen(PgdSpec(images=30))
    assert torch.equal(plain.indices, chosen(PgdSpec(images=30), constant=5).indices)
    assert torch.equal(plain.indices, chosen(PgdSpec(images=40)).indices[:30])
    assert not torch.equal(plain.indices, chosen(PgdSpec(images=30), seed=1).indices)
    assert torch.equal(plain.indices, bundle.test.indices[attacked_positions(bundle, 30, 0)])
    assert (chosen(PgdSpec(images=10, only_correct=True)).labels == 3).all()
    targeted = chosen(PgdSpec(images=200, goal="targeted", target_class=4))
    assert len(targeted) == 200
    assert not (targeted.labels == 4).any()
    assert len(chosen(PgdSpec(images=10**6))) == len(bundle.test)


def test_predictions_come_in_batches(bench, tmp_path):
    network, bundle = load_victim(VICTIM, Workspace(tmp_path, bench))
    judge = Classifier(network, 10, folding=False)
    pixels = bundle.test.pixels()
    assert len(pixels) > 256
    torch.testing.assert_close(predict(judge, pixels), network(pixels).detach(), rtol=1e-4, atol=1e-4)
    assert predict(judge, pixels[:0]).shape == (0, 10)
