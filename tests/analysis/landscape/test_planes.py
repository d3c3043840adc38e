import copy
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.analysis.landscape import work as landscape_work
from nasaudit.analysis.landscape.directions import (
    Direction,
    filter_directions,
    first_convolution,
    sign_directions,
)
from nasaudit.analysis.landscape.interpolation import measure_norms, sample_slice
from nasaudit.analysis.landscape.planes import (
    Surface,
    image_losses,
    input_losses,
    sample_surface,
    weight_losses,
)
from nasaudit.analysis.landscape.work import measure_landscape
from nasaudit.arch.catalogue import resolve
from nasaudit.errors import MeasurementError, NonFiniteError, SpecError
from nasaudit.spec.analyses import LandscapeSpec, Reach
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TrainTask, VictimAnalysisTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import Bench
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import LinearVictim, TinyConvNet, trained_conv_net

SPLIT = synthetic_split(24, seed=3)
PIXELS, LABELS = SPLIT.pixels(), SPLIT.labels
DOUBLE = PIXELS.double()


def plain_net(seed: int = 0) -> nn.Module:
    """Without batch normalisation, in float64."""
    with torch.random.fork_rng():
        torch.random.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2), nn.Flatten(), nn.Linear(16, 4)
        ).double()


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def direct_loss(network: nn.Module, weights: dict[str, torch.Tensor], pixels: torch.Tensor) -> float:
    """Another network of the same kind, with these weights loaded, evaluated image by image."""
    second = copy.deepcopy(network)
    second.load_state_dict(weights)
    second.eval()
    with torch.no_grad():
        logits = torch.cat([second(image[None]) for image in pixels])
    return float(-logits.log_softmax(dim=1)[range(len(LABELS)), LABELS].mean())


def furthest(surface: Surface, network: nn.Module, first: Direction, second: Direction) -> float:
    """The largest difference from a second network that is loaded with the shifted weights, over the grid."""
    worst = 0.0
    for j, b in enumerate(surface.axis):
        for i, a in enumerate(surface.axis):
            shifted = state(network)
            for name in first:
                shifted[name] += a * first[name] + b * second[name]
            worst = max(worst, abs(surface.heights[j, i] - direct_loss(network, shifted, DOUBLE)))
    return worst


@pytest.mark.parametrize("plane", ["first_layer", "filters"])
def test_contours_of_weights_equal_a_second_network_with_the_shifted_weights(plane):
    network = trained_conv_net().double()
    if plane == "filters":
        first, second = filter_directions(network, seed=5)
    else:
        first, second = sign_directions(network.features[0].weight, 5, "features.0.weight")
    surface = sample_surface(plane, weight_losses(network, first, second, DOUBLE, LABELS), 0.7, 4)
    assert furthest(surface, network, first, second) < 1e-9
    assert surface.centre.mean() == pytest.approx(direct_loss(network, state(network), DOUBLE), rel=1e-9)
    # The comparison can fail: with the axes interchanged, and with a direction forgotten.
    assert furthest(surface, network, second, first) > 0.01
    lame = {name: torch.zeros_like(part) for name, part in second.items()}
    assert furthest(surface, network, first, lame) > 0.01


def test_contours_of_the_input_equal_the_network_on_shifted_images():
    network = trained_conv_net().double()
    first, second = sign_directions(DOUBLE[0], seed=1)
    surface = sample_surface("input", input_losses(network, first, second, DOUBLE, LABELS), 0.2, 4)
    for j, b in enumerate(surface.axis):
        for i, a in enumerate(surface.axis):
            shifted = DOUBLE + a * first[""] + b * second[""]
            assert surface.heights[j, i] == pytest.approx(
                direct_loss(network, state(network), shifted), rel=1e-9
            )
    assert surface.heights[0, -1] != pytest.approx(
        surface.heights[-1, 0]
    )  # x and y are not interchanged by symmetry


def test_the_loss_of_a_linear_model_is_its_closed_form():
    # The margin of an image of class 1 is w.(x - 1/2), to which a shift s of its pixels adds w.s; its loss is
    # log(1 + e^-margin).
    victim = LinearVictim().double()
    first, second = sign_directions(DOUBLE[0], seed=0)
    ones = torch.ones(len(DOUBLE), dtype=torch.long)
    surface = sample_surface("input", input_losses(victim, first, second, DOUBLE, ones), 0.2, 5)
    slopes = [float((victim.w.detach() * each[""]).sum()) for each in (first, second)]
    margins = victim.margin(DOUBLE).detach().numpy()
    a, b = np.meshgrid(surface.axis, surface.axis)
    moved = margins + a[..., None] * slopes[0] + b[..., None] * slopes[1]
    np.testing.assert_allclose(surface.losses, np.log1p(np.exp(-moved)), rtol=1e-9)


def test_the_rise_of_a_quadratic_bowl_is_its_closed_form():
    # Of f = c (a^2 + b^2) with reach r and 2k+1 points: the mean over the grid is 2 c r^2 (k+1) / (3 k).
    curvature = np.array([1.0, 2.0, 3.0])
    surface = sample_surface("bowl", lambda a, b: curvature * (a * a + b * b) + 7, 0.5, 11)
    rise = surface.loss_rise
    assert rise.value == pytest.approx(2 * 2 * 0.25 * 6 / 15, rel=1e-9)
    assert rise.n == 3
    assert rise.low < rise.value < rise.high
    # An even number of points leaves the centre out of the grid, but not out of the measure.
    even = sample_surface("bowl", lambda a, b: curvature * (a * a + b * b) + 7, 0.5, 2)
    assert even.loss_rise.value == pytest.approx(2 * 2 * 0.25, rel=1e-9)


def test_a_flat_surface_does_not_rise():
    flat = sample_surface("flat", lambda a, b: np.arange(5.0), 1, 3).loss_rise
    assert (flat.low, flat.value, flat.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("shape", "product"), [((16, 3, 3, 3), 0), ((3, 28, 28), 0), ((1, 3, 3), 1), ((5, 5), 1), ((3,), 1)]
)
@pytest.mark.parametrize("seed", range(3))
def test_sign_directions_are_as_orthogonal_as_can_be(shape, product, seed):
    first, second = (each["w"] for each in sign_directions(torch.zeros(shape), seed, "w"))
    assert first.shape == shape
    assert set(first.unique().tolist()) | set(second.unique().tolist()) <= {-1, 1}
    assert abs(float((first * second).sum())) == product


def test_sign_directions_hang_on_the_seed_alone_and_not_on_the_global_generator():
    like = torch.zeros(3, 8, 8)
    torch.random.manual_seed(1)
    before = torch.random.get_rng_state()
    one = sign_directions(like, 0)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.random.manual_seed(2)
    assert torch.equal(one[0][""], sign_directions(like, 0)[0][""])
    assert not torch.equal(one[0][""], sign_directions(like, 1)[0][""])
    # Half of the entries of each are positive, about: the pair is drawn, not a pattern.
    assert abs(float(one[0][""].mean())) < 0.3


def test_filters_of_a_direction_have_the_norms_of_the_network_and_biases_stay():
    network = TinyConvNet().double()
    network.features[3].weight.data[2] = 0
    for direction in filter_directions(network, seed=0):
        assert set(direction) == {"features.0.weight", "features.3.weight", "head.weight"}
        for name, part in direction.items():
            weights = network.get_parameter(name).detach()
            for k in range(len(weights)):
                assert float(part[k].norm()) == pytest.approx(float(weights[k].norm()), rel=1e-9)
        assert not part.equal(weights)
    first, second = filter_directions(network, seed=0)
    product = sum(float((first[name] * second[name]).sum()) for name in first)
    length = sum(float(part.square().sum()) for part in first.values())
    assert abs(product) < 0.3 * length  # Gaussian directions are nearly orthogonal


def test_the_first_convolution_is_the_first_that_runs_not_the_first_that_is_written():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.late = nn.Conv2d(2, 2, 3)
            self.early = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.late(self.early(x)).flatten(1)

    assert first_convolution(Backwards(), PIXELS) == "early.weight"
    with pytest.raises(MeasurementError, match="needs a network with a convolution"):
        first_convolution(LinearVictim(), PIXELS)


def test_the_network_stays_as_it_was():
    network = trained_conv_net().train()
    before = state(network)
    for directions in (
        filter_directions(network, 0),
        sign_directions(network.features[0].weight, 0, first_convolution(network, PIXELS)),
    ):
        sample_surface("plane", weight_losses(network, *directions, PIXELS, LABELS), 1, 2)
    other = TinyConvNet(seed=4)
    sample_slice(network, other, PIXELS, LABELS, PIXELS, 3)
    assert network.training
    assert not network.features[0].weight.grad
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_ends_of_a_slice_are_the_two_networks():
    one, other = plain_net(0), plain_net(1)
    line = sample_slice(one, other, DOUBLE, LABELS, DOUBLE, 5)
    assert line.alpha.tolist() == [-0.5, 0, 0.5, 1, 1.5]
    assert line.heights[1] == pytest.approx(direct_loss(one, state(one), DOUBLE), rel=1e-12)
    assert line.heights[3] == pytest.approx(direct_loss(other, state(other), DOUBLE), rel=1e-12)
    for k, alpha in enumerate(line.alpha):
        between = {
            name: (1 - alpha) * tensor + alpha * other.state_dict()[name]
            for name, tensor in state(one).items()
        }
        assert line.heights[k] == pytest.approx(direct_loss(one, between, DOUBLE), rel=1e-9)


def test_the_statistics_of_batch_norm_are_those_of_the_training_images():
    network = trained_conv_net().double()
    measure_norms(network, DOUBLE)
    features = network.features[0](DOUBLE)
    norm = network.features[1]
    torch.testing.assert_close(norm.running_mean, features.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, features.var(dim=(0, 2, 3)))
    assert not any(module.training for module in network.modules())


def test_the_ends_of_a_slice_with_batch_norm_are_the_networks_with_new_statistics():
    one, other = trained_conv_net().double(), TinyConvNet(seed=9).double()
    line = sample_slice(one, other, DOUBLE, LABELS, DOUBLE, 4)
    assert {0.0, 1.0} <= set(line.alpha)  # 4 points between -.5 and 1.5 would miss them
    fresh = copy.deepcopy(other)
    measure_norms(fresh, DOUBLE)
    end = line.heights[list(line.alpha).index(1.0)]
    assert end == pytest.approx(direct_loss(fresh, state(fresh), DOUBLE), rel=1e-9)


def test_a_barrier_is_how_far_the_loss_rises_above_the_straight_line():
    """One parameter w; the loss of class 0 with logits (0, 4 - w^2): highest where w = 0, between -2 and 2."""

    class Bump(nn.Module):
        def __init__(self, w):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([w], dtype=torch.float64))

        def forward(self, x):
            margin = (4 - self.w**2).expand(len(x))
            return torch.stack([torch.zeros_like(margin), margin], dim=1)

    labels = torch.zeros(len(DOUBLE), dtype=torch.long)
    barrier = sample_slice(Bump(-2.0), Bump(2.0), DOUBLE, labels, DOUBLE, 9).barrier
    assert barrier.value == pytest.approx(math.log1p(math.e**4) - math.log(2), rel=1e-9)
    assert barrier.n == len(DOUBLE)
    uphill = sample_slice(Bump(-2.0), Bump(-0.5), DOUBLE, labels, DOUBLE, 9)
    line = 0.5 * (uphill.heights[2] + uphill.heights[6])
    assert uphill.heights[4] > line
    assert uphill.barrier.value > uphill.heights[4] - line - 1e-9
    # Of a loss that lies below the line (as a convex one does) nothing is left.
    downhill = sample_slice(Bump(-4.0), Bump(-6.0), DOUBLE, labels, DOUBLE, 9)
    assert downhill.barrier.value < 1e-4


def test_a_direction_without_length_is_refused():
    network = plain_net()
    for parameter in network.parameters():
        parameter.data.zero_()
    with pytest.raises(MeasurementError, match="the first one has the norm 0"):
        weight_losses(network, *filter_directions(network, 0), DOUBLE, LABELS)
    nothing = {"": torch.zeros(1, 8, 8)}
    with pytest.raises(MeasurementError, match="the second one has the norm 0"):
        input_losses(plain_net(), sign_directions(DOUBLE[0], 0)[0], nothing, DOUBLE, LABELS)
    with pytest.raises(MeasurementError, match="parallel"):
        input_losses(plain_net(), *sign_directions(DOUBLE[0][:, :1, :1], 0), DOUBLE, LABELS)
    with pytest.raises(MeasurementError, match="the same weights"):
        sample_slice(plain_net(), plain_net(), DOUBLE, LABELS, DOUBLE, 5)
    with pytest.raises(MeasurementError, match=r"one architecture, but they differ in 0\.bias"):
        sample_slice(plain_net(), LinearVictim().double(), DOUBLE, LABELS, DOUBLE, 5)


def test_a_grid_of_one_point_is_refused():
    losses = input_losses(plain_net(), *sign_directions(DOUBLE[0], 0), DOUBLE, LABELS)
    with pytest.raises(SpecError, match="points: expected at least 2 points"):
        sample_surface("input", losses, 0.2, 1)
    with pytest.raises(SpecError, match="reach"):
        sample_surface("input", losses, 0, 5)
    with pytest.raises(SpecError, match="slice_points"):
        sample_slice(plain_net(0), plain_net(1), DOUBLE, LABELS, DOUBLE, 1)
    with pytest.raises(SpecError, match="points"):
        LandscapeSpec.parse({"name": "landscape", "points": 1})


def test_a_loss_that_is_not_finite_is_named_with_its_place():
    network = plain_net()
    network[0].weight.data[0, 0, 0, 0] = float("inf")
    losses = input_losses(network, *sign_directions(DOUBLE[0], 0), DOUBLE, LABELS)
    with pytest.raises(
        NonFiniteError, match=r"input: the loss at \(0, 0\) is not finite for 24 of 24 images"
    ):
        sample_surface("input", losses, 0.2, 3)
    with pytest.raises(NonFiniteError, match=r"edge: the loss at \(1, -1\)"):
        sample_surface("edge", lambda a, b: np.array([np.nan if a > 0.9 else 1.0]), 1, 3)
    with pytest.raises(NonFiniteError, match=r"slice: the loss at alpha = -0\.5"):
        sample_slice(plain_net(1), network, DOUBLE, LABELS, DOUBLE, 3)


@pytest.fixture
def trainings():
    spec = resolve(ArchChoice(name="resnet"), "mini", 10, (1, 8, 8))
    training = TrainingSpec(epochs=1)
    return tuple(
        TrainTask(architecture=spec, data=DataSpec(name="digits"), training=training, seed=seed)
        for seed in (0, 1)
    )


def test_a_task_leaves_what_the_report_draws(tmp_path, trainings):
    analysis = LandscapeSpec(images=12, points=3, slice_points=5, norm_images=64, reach=Reach(input=0.3))
    done = []
    bench = Bench(tmp_path / "bench")
    bench.folder.mkdir()
    folder = tmp_path / "out"
    folder.mkdir()
    task = VictimAnalysisTask(victim=trainings[0], other=trainings[1], analysis=analysis)
    found = measure_landscape(task, Workspace(folder, bench, lambda share, text="": done.append(share)))
    assert [(each.metric, dict(each.setting).get("plane")) for each in found] == [
        ("loss_rise", "first_layer"), ("loss_rise", "input"), ("loss_rise", "filters"), ("barrier", None),
    ]  # fmt: skip
    assert all(each.estimate.n == 12 and each.estimate.unit == "nats" for each in found)
    assert all(each.estimate.low <= each.estimate.value <= each.estimate.high for each in found)
    planes = json.loads((folder / "landscapes.json").read_text())
    assert [plane["name"] for plane in planes] == ["first_layer", "input", "filters"]
    for plane, measured in zip(planes, found, strict=False):
        reach = getattr(analysis.reach, plane["name"])
        assert plane["x"] == plane["y"] == [-reach, 0, reach]
        rise = np.mean(plane["z"]) - plane["z"][1][1]
        assert rise == pytest.approx(measured.estimate.value, rel=1e-3, abs=1e-3)
        numbers = [f"{number:.5g}" for row in plane["z"] for number in row]
        assert [float(text) for text in numbers] == [number for row in plane["z"] for number in row]
    # All planes go through the same point.
    assert len({plane["z"][1][1] for plane in planes}) == 1
    (line,) = json.loads((folder / "curves.json").read_text())
    assert line["name"] == "slice"
    assert line["x"] == [-0.5, 0, 0.5, 1, 1.5]
    assert done == sorted(done)
    assert done[-1] == 1

    alone = tmp_path / "alone"
    alone.mkdir()
    task = VictimAnalysisTask(
        victim=trainings[0], analysis=analysis.model_copy(update={"kinds": ("input", "slice")})
    )
    again = measure_landscape(task, Workspace(alone, bench))
    assert again == [found[1]]
    assert not (alone / "curves.json").exists()
    assert json.loads((alone / "landscapes.json").read_text()) == [planes[1]]


def test_all_architectures_see_the_same_images():
    split = synthetic_split(50)
    first = landscape_work.chosen(split, 10, "landscape", 0, 0)
    assert torch.equal(first.indices, landscape_work.chosen(split, 20, "landscape", 0, 0).indices[:10])
    assert not torch.equal(first.indices, landscape_work.chosen(split, 10, "landscape", 0, 1).indices)
    assert len(landscape_work.chosen(split, 99, "landscape", 0, 0)) == 50


def test_losses_do_not_hang_on_the_batch(monkeypatch):
    network = trained_conv_net().double()
    whole = image_losses(network, DOUBLE, LABELS)
    monkeypatch.setattr("nasaudit.analysis.landscape.planes.BATCH", 7)
    np.testing.assert_allclose(image_losses(network, DOUBLE, LABELS), whole, rtol=1e-9)
