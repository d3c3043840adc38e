"""Variance over batches against numpy on explicit gradients, closed forms and simulation; and the whole work."""

import copy
import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.analysis.gradients.variance import (
    BatchGradients,
    batch_gradients,
    draw_batches,
    gradient_measurements,
    layer_of,
)
from nasaudit.analysis.gradients.work import images_for_std, measure_gradients
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.data.split import DataBundle
from nasaudit.errors import MeasurementError, NonFiniteError
from nasaudit.spec.analyses import GradientsSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask, VictimAnalysisTask, WeightsFile
from nasaudit.spec.training import TrainingSpec
from nasaudit.stats.jackknife import jackknife
from nasaudit.store.artefacts import WEIGHTS
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import Bench
from nasaudit.testing.data import synthetic_bundle, synthetic_split
from nasaudit.testing.victims import LinearVictim, TinyConvNet


def spec_of(name, auxiliary=False):
    return resolve(ArchChoice(name=name, auxiliary=auxiliary), "mini", 4, (1, 8, 8))


def explicit(network, split, batches):
    """The gradient of each batch, by backward, of a fresh copy in training mode: float64 [K, P] by name."""
    rows = []
    for positions in batches:
        twin = copy.deepcopy(network).train()
        nn.functional.cross_entropy(twin(split.pixels(positions)), split.labels[positions]).backward()
        rows.append({name: p.grad.double().flatten().numpy() for name, p in twin.named_parameters()})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def by_key(measurements):
    found = {(m.metric, *(value for _, value in m.setting)): m.estimate for m in measurements}
    assert len(found) == len(measurements)
    return found


def assert_same(found, expected):
    assert [found.value, found.low, found.high] == pytest.approx(
        [expected.value, expected.low, expected.high]
    )
    assert (found.n, found.unit) == (expected.n, expected.unit)


def of_rows(rows, checkpoint="initial"):
    return by_key(gradient_measurements(BatchGradients({"all": rows @ rows.T}, rows.shape[1]), checkpoint))


def test_every_number_is_numpys_on_explicit_gradients():
    network, split = TinyConvNet(), synthetic_split(200, 4)
    batches = draw_batches(200, 6, 32, seed=0)
    by_name = explicit(network, split, batches)
    rows = np.concatenate(list(by_name.values()), axis=1)
    found = by_key(gradient_measurements(batch_gradients(network, split, batches), "final"))

    variance = rows.var(axis=0, ddof=1).sum()
    products = [rows[i] @ rows[j] for i in range(6) for j in range(6) if i != j]
    assert found["gradient_variance", "final"].value == pytest.approx(variance, rel=1e-5)
    assert found["gradient_variance", "final"].n == 6
    assert np.mean(products) > 0
    assert found["relative_gradient_variance", "final"].value == pytest.approx(
        variance / np.mean(products), rel=1e-4
    )
    assert found["gradient_variance_per_parameter", "final"].value == pytest.approx(
        variance / rows.shape[1], rel=1e-5
    )
    layers = {key[2]: e.value for key, e in found.items() if key[0] == "layer_gradient_variance"}
    assert list(layers) == ["features", "head"]
    assert layers["head"] == pytest.approx(
        sum(by_name[name].var(axis=0, ddof=1).sum() for name in ("head.weight", "head.bias")), rel=1e-5
    )
    assert sum(layers.values()) == pytest.approx(variance, rel=1e-5)


def test_intervals_are_those_of_leaving_out_each_batch():
    rows = np.random.default_rng(0).normal(0.7, size=(7, 30))

    def ratio(kept):
        count = len(kept)
        off = sum(kept[i] @ kept[j] for i in range(count) for j in range(count) if i != j)
        return kept.var(axis=0, ddof=1).sum() / (off / (count * (count - 1)))

    without = [np.delete(rows, k, axis=0) for k in range(7)]
    found = of_rows(rows)
    variances = [kept.var(axis=0, ddof=1).sum() for kept in without]
    assert_same(
        found["gradient_variance", "initial"],
        jackknife(rows.var(axis=0, ddof=1).sum(), variances, "squared gradient"),
    )
    assert_same(
        found["relative_gradient_variance", "initial"],
        jackknife(ratio(rows), [ratio(kept) for kept in without], "ratio"),
    )


def test_estimates_are_unbiased_and_their_intervals_cover():
    """Gradients g + noise with known |g|^2 and E|noise|^2, 300 times."""
    rng = np.random.default_rng(1)
    g = rng.normal(size=40)
    scales = np.geomspace(0.3, 2, 40)
    truth = (scales**2).sum()
    variances, covered, ratio_covered = [], 0, 0
    for _ in range(300):
        found = of_rows(g + scales * rng.normal(size=(16, 40)))
        variance, ratio = (
            found["gradient_variance", "initial"],
            found["relative_gradient_variance", "initial"],
        )
        variances.append(variance.value)
        covered += variance.low <= truth <= variance.high
        ratio_covered += ratio.low <= truth / (g @ g) <= ratio.high
    assert np.mean(variances) == pytest.approx(truth, rel=0.02)
    assert covered >= 270
    assert ratio_covered >= 270


def test_where_batches_do_not_tell_the_gradient_from_zero_a_bound_is_given():
    rows = np.random.default_rng(2).normal(size=(8, 50))
    rows -= 0.9 * rows.mean(axis=0)
    found = of_rows(rows)
    bound = found["relative_gradient_variance", "initial"]
    assert bound.bound == "lower"
    assert found["gradient_variance", "initial"].bound is None
    mean = rows.mean(axis=0)
    assert bound.value == pytest.approx(rows.var(axis=0, ddof=1).sum() / (mean @ mean))
    assert 0 < bound.low < bound.value < bound.high < np.inf


def test_batches_that_are_alike_do_not_vary():
    found = of_rows(np.tile(np.random.default_rng(0).normal(size=20), (4, 1)))
    for metric in ("gradient_variance", "relative_gradient_variance"):
        assert found[metric, "initial"].value == pytest.approx(0, abs=1e-12)


def test_a_linear_model_has_the_gradients_of_the_book():
    network, split = LinearVictim(), synthetic_split(60, 2)
    with torch.no_grad():
        network.w.zero_()
    batches = draw_batches(60, 4, 10, seed=0)
    pixels = split.pixels().double().flatten(1) - 0.5
    single = (0.5 - split.labels.double())[:, None] * torch.cat([pixels, torch.ones(60, 1)], dim=1)
    rows = torch.stack([single[positions].mean(dim=0) for positions in batches]).numpy()
    np.testing.assert_allclose(batch_gradients(network, split, batches).gram, rows @ rows.T, rtol=1e-5)


@pytest.mark.parametrize("name", ["darts", "resnet", "bit", "vgg"])
def test_layers_are_the_parts_of_a_network(name):
    network = build(spec_of(name))
    split = synthetic_split(40, 4)
    gradients = batch_gradients(network, split, draw_batches(40, 3, 16, seed=0))
    if name == "darts":
        assert list(gradients.grams) == ["stem", *(f"cells.{k}" for k in range(5)), "classifier"]
    else:
        children = dict(network.body.named_children())
        assert set(gradients.grams) <= set(children)
        assert list(gradients.grams)[-1] in ("fc", "head")
    assert len(gradients.grams) < 30
    assert gradients.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_a_module_named_cells_elsewhere_is_one_layer():
    assert layer_of("cells.3.weight", nn.Identity()) == "cells"
    assert layer_of("body.cells.3.nodes.0.weight", build(spec_of("darts"))) == "cells.3"


def test_the_auxiliary_head_has_no_part_in_it():
    split, batches = synthetic_split(40, 4), draw_batches(40, 3, 16, seed=0)
    with_head = build(spec_of("darts", auxiliary=True))
    gradients = batch_gradients(with_head, split, batches)
    assert "auxiliary" not in gradients.grams
    assert gradients.parameters == sum(p.numel() for p in build(spec_of("darts")).parameters())


def test_the_network_and_the_global_generator_stay_as_they_were():
    network = nn.Sequential(TinyConvNet(), nn.Dropout(0.5)).eval()
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    split, batches = synthetic_split(40, 4), draw_batches(40, 3, 16, seed=0)
    first = batch_gradients(network, split, batches).gram
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in network.modules())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    torch.manual_seed(7)
    np.testing.assert_array_equal(batch_gradients(network, split, batches).gram, first)
    assert not np.array_equal(batch_gradients(network, split, batches, seed=1).gram, first)


def test_batches_are_independent_and_each_without_replacement():
    batches = draw_batches(50, 8, 30, seed=0)
    assert all(len(set(row.tolist())) == 30 for row in batches)
    assert len({tuple(sorted(row.tolist())) for row in batches}) == 8
    assert torch.equal(batches, draw_batches(50, 8, 30, seed=0))
    assert not torch.equal(batches, draw_batches(50, 8, 30, seed=1))
    with pytest.raises(MeasurementError, match=r"got 30 and batches of 30.*lower batch_size"):
        draw_batches(30, 8, 30, seed=0)


def test_a_network_without_batch_norm_works():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 4))
    split, batches = synthetic_split(40, 4), draw_batches(40, 4, 16, seed=0)
    rows = np.concatenate(list(explicit(network, split, batches).values()), axis=1)
    np.testing.assert_allclose(batch_gradients(network, split, batches).gram, rows @ rows.T, rtol=1e-4)


def test_batch_norm_with_one_value_and_bad_weights_and_dead_networks_are_refused():
    split = synthetic_split(40, 4)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4))
    with pytest.raises(MeasurementError, match="more than one value per channel, got a batch of 1"):
        batch_gradients(network, split, torch.tensor([[0], [1], [2]]))
    bad = TinyConvNet()
    with torch.no_grad():
        bad.features[0].weight.fill_(float("inf"))
    with pytest.raises(NonFiniteError, match=r"layer 'features\.0'"):
        batch_gradients(bad, split, draw_batches(40, 3, 16, seed=0))
    with pytest.raises(MeasurementError, match="exactly zero"):
        of_rows(np.zeros((4, 5)))
    with pytest.raises(MeasurementError, match="at least 3 batches"):
        of_rows(np.ones((2, 5)))


def test_published_images_are_validation_images_where_there_are_enough():
    whole = synthetic_bundle(40)
    name, chosen = images_for_std(whole, 30, 0)
    assert (name, len(chosen)) == ("validation", 30)
    assert set(chosen.indices.tolist()) <= set(whole.validation.indices.tolist())
    assert chosen.indices.tolist() == images_for_std(whole, 30, 0)[1].indices.tolist()
    few = DataBundle(
        whole.train, whole.validation.take(torch.arange(10)), whole.test, whole.pool, whole.class_names
    )
    assert [(images_for_std(few, n, 0)[0], len(images_for_std(few, n, 0)[1])) for n in (10, 30, 99)] == [
        ("validation", 10), ("test", 30), ("test", 40)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


def victim_task(weights=None):
    """Few training images, so that it is trained in a moment; 40 are left to validate with."""
    architecture = resolve(ArchChoice(name="snas"), "mini", 10, (1, 8, 8))
    training = TrainingSpec(epochs=2, flip=False)
    data = DataSpec(name="digits", pool_fraction=0.65)
    return TrainTask(architecture=architecture, data=data, training=training, seed=0, weights=weights)


SMALL = GradientsSpec(images=40, batches=4, batch_size=32)


def test_the_work_measures_three_moments_and_reports_progress(bench, tmp_path):
    calls = []
    workspace = Workspace(tmp_path, bench, lambda done, text="": calls.append(done))
    found = by_key(measure_gradients(VictimAnalysisTask(victim=victim_task(), analysis=SMALL), workspace))
    assert found["gradient_std_sum", "initial", "validation"].n == 40
    for checkpoint in ("initial", "first_epoch", "final"):
        for metric in ("gradient_variance", "gradient_variance_per_parameter"):
            assert found[metric, checkpoint].value > 0
            assert found[metric, checkpoint].n == 4
        assert any(key[:2] == ("relative_gradient_variance", checkpoint) for key in found)
        layers = [key[2] for key in found if key[:2] == ("layer_gradient_variance", checkpoint)]
        assert layers == ["stem", *(f"cells.{k}" for k in range(5)), "classifier"]
    values = [found["gradient_variance", c].value for c in ("initial", "first_epoch", "final")]
    assert len(set(values)) == 3
    assert calls == sorted(calls)
    assert calls[-1] == pytest.approx(1)


def test_weights_from_elsewhere_have_no_first_epoch(bench, tmp_path):
    _, folder = bench(victim_task())
    path = folder / WEIGHTS
    given = WeightsFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    task = VictimAnalysisTask(victim=victim_task(given), analysis=SMALL)
    found = by_key(measure_gradients(task, Workspace(tmp_path, bench)))
    assert {key[1] for key in found} == {"initial", "final"}


def test_it_repeats_itself_to_the_last_digit(bench, tmp_path):
    task = VictimAnalysisTask(victim=victim_task(), analysis=GradientsSpec(images=4, batches=3, batch_size=8))
    first, second = (measure_gradients(task, Workspace(tmp_path, bench)) for _ in range(2))
    assert first == second
