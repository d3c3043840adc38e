"""The figures of the analysis `smoothness`: against explicit Hessians, and as work on real victims."""

import copy

import numpy as np
import pytest
import timm
import torch
from tests.analysis.smoothness.test_curvature import CLASSES, SHAPE, CutOff, Once, layer
from torch import nn

from nasaudit.analysis.frozen import frozen
from nasaudit.analysis.smoothness import work as smoothness_work
from nasaudit.analysis.smoothness.curvature import pixel_loss
from nasaudit.analysis.smoothness.estimates import input_smoothness, largest_change, parameter_smoothness
from nasaudit.analysis.smoothness.lipschitz import gradient_lipschitz
from nasaudit.analysis.smoothness.parameter_loss import ParameterLoss
from nasaudit.analysis.smoothness.work import measure_smoothness
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.data.load import chosen
from nasaudit.errors import DataError, MeasurementError, NonFiniteError
from nasaudit.spec.analyses import SmoothnessSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask, VictimAnalysisTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import Bench
from nasaudit.testing.data import synthetic_bundle

NAMES = ("hessian_top", "hessian_trace", "gradient_lipschitz")
FEW = SmoothnessSpec(images=8, input_images=6, iterations=3, input_iterations=3, directions=2, probes=1)


def linear(seed=0):
    """Softmax regression with 3 classes, whose Hessians have closed forms: mean (diag p - p p') x xx'."""
    generator = torch.Generator().manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES, bias=False)).double()
    with torch.no_grad():
        network[1].weight.copy_(torch.randn(CLASSES, 16, generator=generator) * 0.5)
    return frozen(network)


def images(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.rand(n, *SHAPE, generator=generator, dtype=torch.float64)
    return pixels, torch.randint(0, CLASSES, (n,), generator=generator)


def softmax_curvature(network, pixels):
    p = network(pixels).detach().softmax(1)
    return torch.diag_embed(p) - p[:, :, None] * p[:, None, :]


def closed_form(network, pixels):
    """The Hessian by the weights."""
    x, inner = pixels.flatten(1), softmax_curvature(network, pixels)
    return torch.einsum("nab,ni,nj->aibj", inner, x, x).reshape(48, 48) / len(x)


def by_name(measurements):
    return {measurement.metric: measurement.estimate for measurement in measurements}


def test_figures_by_the_parameters_equal_the_closed_form():
    network, (pixels, labels) = linear(), images(40)
    hessian = closed_form(network, pixels)
    spec = SmoothnessSpec(iterations=40, probes=200, radius=1e-5)
    found = by_name(parameter_smoothness(network, pixels, labels, spec))
    values = torch.linalg.eigvalsh(hessian)
    assert found["hessian_top"].value == pytest.approx(values[-1].item(), rel=1e-3)
    assert found["hessian_trace"].low < hessian.trace() < found["hessian_trace"].high
    assert found["hessian_trace"].value == pytest.approx(hessian.trace().item(), rel=0.05)
    # On a smooth convex loss the constant at a small radius is the largest eigenvalue, along its eigenvector.
    assert found["gradient_lipschitz"].value == pytest.approx(values[-1].item(), rel=1e-3)
    assert all(each.low <= each.value <= each.high for each in found.values())
    assert {each.n for each in found.values()} == {40}


def test_figures_by_the_pixels_equal_the_closed_form():
    network, (pixels, labels) = linear(), images(12)
    weight = network[1].weight.detach()
    hessians = torch.einsum("ai,nab,bj->nij", weight, softmax_curvature(network, pixels), weight)
    spec = SmoothnessSpec(input_iterations=16, probes=2000, input_radius=1e-5)
    found = by_name(input_smoothness(network, pixels, labels, spec))
    top = torch.linalg.eigvalsh(hessians)[:, -1].mean().item()
    trace = hessians.diagonal(dim1=1, dim2=2).sum(1).mean().item()
    assert found["hessian_top"].value == pytest.approx(top, rel=1e-4)
    assert found["gradient_lipschitz"].value == pytest.approx(top, rel=1e-3)
    assert found["hessian_trace"].value == pytest.approx(trace, rel=0.05)
    assert all(each.low < each.value < each.high and each.n == 12 for each in found.values())


def test_the_intervals_hold_what_other_images_would_give():
    """The truth is the Hessian of 4,000 images, of which a study sees 48."""
    network, (pixels, labels) = linear(), images(4000)
    hessian = closed_form(network, pixels)
    truth = {
        "hessian_top": torch.linalg.eigvalsh(hessian)[-1].item(),
        "hessian_trace": hessian.trace().item(),
    }
    inside = dict.fromkeys(truth, 0)
    for draw in range(40):
        chosen = torch.randperm(4000, generator=torch.Generator().manual_seed(draw))[:48]
        spec = SmoothnessSpec(seed=draw, directions=1)
        found = by_name(parameter_smoothness(network, pixels[chosen], labels[chosen], spec))
        for name, value in truth.items():
            inside[name] += found[name].low <= value <= found[name].high
    assert all(times >= 34 for times in inside.values()), inside


def test_the_largest_change_and_its_jackknife_equal_a_loop():
    changes = torch.randn(4, 3, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sizes = np.array([3, 3, 2, 2])
    found = largest_change(changes, sizes / sizes.sum(), 10)

    def value(kept):
        weights = torch.tensor(sizes[kept] / sizes[kept].sum())
        return max((weights @ changes[kept, k]).norm().item() for k in range(3))

    whole = value([0, 1, 2, 3])
    without = np.array([value([k for k in range(4) if k != left]) for left in range(4)])
    error = np.sqrt(3 / 4 * ((without - without.mean()) ** 2).sum())
    assert found.value == pytest.approx(whole)
    assert found.high == pytest.approx(whole + 3.18244630528 * error)


def test_the_lipschitz_constant_of_all_images_is_what_the_blocks_add_up_to():
    network, (pixels, labels) = linear(), images(21)  # blocks of 3 and of 2
    spec = SmoothnessSpec(directions=1, radius=0.3)
    found = by_name(parameter_smoothness(network, pixels, labels, spec))["gradient_lipschitz"]
    whole = ParameterLoss(network, pixels, labels)
    gradient = whole.gradient(whole.point)
    radius = 0.3 * whole.point.norm().item()
    assert found.value == pytest.approx(
        gradient_lipschitz(whole, [gradient / gradient.norm()], radius).item()
    )


def test_one_image_is_refused_because_it_has_no_interval():
    with pytest.raises(DataError, match="at least 2 images"):
        parameter_smoothness(linear(), *images(1), FEW)


# The work.


def task_of(name, spec=FEW, **architecture):
    chosen = resolve(ArchChoice(name=name, **architecture), "mini", 10, (1, 8, 8))
    training = TrainingSpec(epochs=1, crop=0, optimizer="sgd", learning_rate=0.05)
    return VictimAnalysisTask(
        victim=TrainTask(architecture=chosen, data=DataSpec(name="digits"), training=training, seed=0),
        analysis=spec,
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


def test_a_trained_victim_gets_six_rows_twice_the_same(bench, tmp_path):
    told = []
    task = task_of("vgg")
    workspace = Workspace(tmp_path, bench, progress=lambda done, text="": told.append(done))
    before = torch.random.get_rng_state()
    found = measure_smoothness(task, workspace)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [(m.metric, m.setting) for m in found] == [
        (name, (("space", space),)) for space in ("parameters", "input") for name in NAMES
    ]
    assert {m.estimate.n for m in found} == {8, 6}
    assert all(np.isfinite([m.estimate.low, m.estimate.value, m.estimate.high]).all() for m in found)
    assert all(m.estimate.low <= m.estimate.value <= m.estimate.high for m in found)
    assert told == sorted(told)
    assert told[-1] == 1
    assert measure_smoothness(task, Workspace(tmp_path, bench)) == found


def installed(monkeypatch, tmp_path, network, bundle=None):
    """A workspace in which the victim is this network."""
    bundle = bundle or synthetic_bundle(24, CLASSES, (1, 8, 8))
    monkeypatch.setattr(smoothness_work, "load_victim", lambda task, workspace: (network, bundle))
    return Workspace(tmp_path, lambda task: pytest.fail(f"asked for {task}"))


def timm_network(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model(name, in_chans=1, num_classes=CLASSES)


def of_the_catalogue(name, **choice):
    return build(resolve(ArchChoice(name=name, **choice), "mini", CLASSES, (1, 8, 8)), 0)


VICTIMS = {
    "batch norm, an auxiliary head": lambda: of_the_catalogue("darts", auxiliary=True),
    "group norm, standardised weights": lambda: of_the_catalogue("bit"),
    "max pooling": lambda: of_the_catalogue("vgg"),
    "in place, of timm": lambda: timm_network("mobilenetv2_035"),
}
SMALL = SmoothnessSpec(images=2, input_images=2, iterations=2, input_iterations=2, directions=2, probes=1)


@pytest.mark.parametrize("name", VICTIMS)
def test_any_network_is_measured_and_stays_untouched(name, monkeypatch, tmp_path):
    network = VICTIMS[name]().train().requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    found = measure_smoothness(task_of("vgg", SMALL), installed(monkeypatch, tmp_path, network))
    assert len(found) == 6
    assert all("how" not in dict(m.setting) for m in found)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network.training
    assert not any(p.requires_grad or p.grad is not None for p in network.parameters())


def with_layer(module):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        head = nn.Sequential(nn.Flatten(), nn.Linear(72, CLASSES))
        return nn.Sequential(nn.Conv2d(1, 2, 3), module, head)


class Square(nn.Module):
    def forward(self, x):
        return x * x


@pytest.mark.parametrize("function", [Once, CutOff])
def test_a_layer_without_a_second_derivative_gets_differences_and_the_rows_say_so(
    function, monkeypatch, tmp_path
):
    spec = FEW.model_copy(update={"iterations": 12, "input_iterations": 12})
    told = []

    def measured(module):
        workspace = installed(monkeypatch, tmp_path, with_layer(module))
        object.__setattr__(workspace, "progress", lambda done, text="": told.append(text))
        return measure_smoothness(task_of("vgg", spec), workspace)

    expected = {(m.metric, dict(m.setting)["space"]): m.estimate.value for m in measured(Square())}
    assert not any("Square" in text for text in told)
    found = measured(layer(function))
    assert any("1 (Square)" in text for text in told)
    for m in found:
        how = dict(m.setting).get("how")
        assert how == (None if m.metric == "gradient_lipschitz" else "finite_difference")
        # The square is smooth: both ways measure the same, in float32. Silent zeros would be far off.
        assert m.estimate.value == pytest.approx(expected[m.metric, dict(m.setting)["space"]], rel=0.05)


def test_a_network_of_timm_with_hard_sigmoids_is_measured_by_differences(monkeypatch, tmp_path):
    """PyTorch has no second derivative of them, and does not always say so."""
    told = []
    workspace = installed(monkeypatch, tmp_path, timm_network("mobilenetv3_small_050"))
    object.__setattr__(workspace, "progress", lambda done, text="": told.append(text))
    found = measure_smoothness(task_of("vgg", SMALL), workspace)
    assert any("(Hardsigmoid)" in text for text in told)
    assert [dict(m.setting).get("how") for m in found] == 2 * [*2 * ["finite_difference"], None]


def test_a_victim_with_a_weight_that_is_not_finite_is_refused(monkeypatch, tmp_path):
    network = VICTIMS["max pooling"]()
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] = torch.inf
    with pytest.raises(NonFiniteError, match=r"gradient .* is NaN or infinite"):
        measure_smoothness(task_of("vgg"), installed(monkeypatch, tmp_path, network))


def test_batch_statistics_and_missing_parameters_are_refused(monkeypatch, tmp_path):
    together = with_layer(nn.BatchNorm2d(2, track_running_stats=False))
    with pytest.raises(MeasurementError, match="track_running_stats"):
        measure_smoothness(task_of("vgg"), installed(monkeypatch, tmp_path, together))
    with pytest.raises(MeasurementError, match="with parameters"):
        measure_smoothness(task_of("vgg"), installed(monkeypatch, tmp_path, nn.Flatten()))


def test_every_architecture_gets_the_same_images_and_few_are_among_many():
    split = synthetic_bundle(40).train
    few, many = (chosen(split, n, "x").tensors("cpu")[0] for n in (5, 20))
    assert torch.equal(few, many[:5])
    assert not torch.equal(few, split.pixels()[:5])


def test_pixel_curvature_does_not_depend_on_the_company_of_an_image():
    network, (pixels, labels) = linear(), images(6)
    v = torch.ones(6, 16, dtype=torch.float64)
    together = pixel_loss(network, pixels, labels).product(v)
    alone = [pixel_loss(network, pixels[k : k + 1], labels[k : k + 1]).product(v[:1]) for k in range(6)]
    torch.testing.assert_close(together, torch.cat(alone))
