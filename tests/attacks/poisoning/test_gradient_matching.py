"""Witches' Brew against closed forms and finite differences on softmax regression in float64."""

import pytest
import torch
from torch import Tensor, nn

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.poisoning.base import Aims, Brew, choose_aims
from nasaudit.attacks.poisoning.gradient_matching import GradientMatching, Surrogate, mismatch, stored
from nasaudit.data.split import Split
from nasaudit.errors import DataError, NonFiniteError, SpecError
from nasaudit.spec.attacks import DataFacts, GradientMatchingSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.poisoning import ModelPoisoningConformance
from nasaudit.testing.victims import trained_conv_net

SHAPE, CLASSES = (1, 4, 4), 3
RECIPE = TrainingSpec(crop=1)


class Softmax(nn.Module):
    """Softmax regression, whose gradients are written down below by hand."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(CLASSES, 16, generator=generator, dtype=torch.float64))
        self.bias = nn.Parameter(torch.randn(CLASSES, generator=generator, dtype=torch.float64))

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.flatten(1) @ self.weight.T + self.bias


def by_hand(model: Softmax, pixels: Tensor, classes: Tensor) -> Tensor:
    """The gradient of the mean cross entropy: (softmax - one-hot) x', with x' = (x, 1), in one vector."""
    with torch.no_grad():
        error = model(pixels).softmax(1) - torch.eye(CLASSES, dtype=torch.float64)[classes]
        return torch.cat([(error.T @ pixels.flatten(1) / len(pixels)).flatten(), error.mean(0)])


def loss_by_hand(model: Softmax, pixels: Tensor, classes: Tensor, target: Tensor, wanted: Tensor) -> Tensor:
    one, other = by_hand(model, pixels, classes), by_hand(model, target, wanted)
    return 1 - one @ other / (one.norm() * other.norm())


def problem() -> tuple[Softmax, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(5, *SHAPE, generator=generator, dtype=torch.float64)
    target = torch.rand(1, *SHAPE, generator=generator, dtype=torch.float64)
    return Softmax(), pixels, torch.full((5,), 2), target, torch.tensor([2])


def test_the_loss_is_one_minus_the_cosine_of_gradients_written_down_by_hand() -> None:
    network, pixels, classes, target, wanted = problem()
    model = Surrogate(network)
    found = mismatch(model.gradient(pixels, classes), model.gradient(target, wanted))
    assert found == pytest.approx(float(loss_by_hand(network, pixels, classes, target, wanted)), abs=1e-12)
    assert mismatch(model.gradient(target, wanted), model.gradient(target, wanted)) == pytest.approx(
        0, abs=1e-12
    )


def test_its_gradient_with_respect_to_the_poison_agrees_with_finite_differences() -> None:
    network, pixels, classes, target, wanted = problem()
    model = Surrogate(network)
    pixels.requires_grad_(True)
    loss = mismatch(model.gradient(pixels, classes, create_graph=True), model.gradient(target, wanted))
    (found,) = torch.autograd.grad(loss, pixels)
    brute, step = torch.zeros(pixels.numel(), dtype=torch.float64), 1e-6
    for k in range(pixels.numel()):
        ends = []
        for sign in (1, -1):
            moved = pixels.detach().clone().flatten()
            moved[k] += sign * step
            ends.append(loss_by_hand(network, moved.view_as(pixels), classes, target, wanted))
        brute[k] = (ends[0] - ends[1]) / (2 * step)
    torch.testing.assert_close(found.flatten(), brute, rtol=1e-5, atol=1e-8)
    assert brute.abs().max() > 1e-3


def brew(
    spec: GradientMatchingSpec,
    network: nn.Module,
    fraction: float = 0.1,
    seed: int = 0,
    train: Split | None = None,
    recipe: TrainingSpec = RECIPE,
) -> tuple[Split, Aims, Brew]:
    train = synthetic_split(240, 4, (1, 8, 8), seed=11) if train is None else train
    aims = choose_aims(synthetic_split(40, 4, (1, 8, 8), seed=12, first_index=1000), spec.targets, spec.seed)
    return train, aims, GradientMatching(spec).brew(train, aims, network, recipe, fraction, seed=seed)


SPEC = GradientMatchingSpec(targets=3, steps=12, epsilon=16 / 255)


class TestGradientMatching(ModelPoisoningConformance):
    def attack(self, seed: int = 0) -> GradientMatching:
        return GradientMatching(SPEC.model_copy(update={"steps": 3, "seed": seed}))


def test_another_seed_of_the_run_changes_the_pixels_and_not_the_choice() -> None:
    first, other = (brew(SPEC, trained_conv_net(), seed=seed)[2].poison for seed in (0, 1))
    assert first.images is not None
    assert other.images is not None
    assert torch.equal(first.indices, other.indices)
    assert not torch.equal(first.images, other.images)


def test_poisons_are_8_bit_images_in_the_ball_with_their_own_labels() -> None:
    train, aims, result = brew(SPEC, trained_conv_net())
    poison = result.poison
    assert poison.images is not None
    positions = train.find(poison.indices)
    assert poison.images.dtype == torch.uint8
    assert len(poison.indices.unique()) == len(poison.indices) == 24
    assert torch.equal(poison.labels, train.labels[positions])
    assert torch.equal(poison.labels, aims.classes[result.aims])
    assert torch.bincount(result.aims).tolist() == [8, 8, 8]
    change = (poison.images.int() - train.images[positions].int()).abs()
    assert 0 < change.max() <= 16
    assert change.float().mean() > 4  # it uses the ball
    assert torch.equal(poison.on(train).labels, train.labels)


@pytest.mark.parametrize("levels", [1, 7.5, 16])
def test_rounding_never_leaves_the_ball(levels) -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    for change in (levels, -levels, 0.49, 0.51, 300.0):
        found = stored(images, torch.full((1, 1, 16, 16), change / 255), levels / 255)
        distance = found.int() - images.int()
        assert distance.abs().max() <= levels
        assert found.dtype == torch.uint8
        if change == levels == 16:
            assert torch.equal(found.flatten()[:240].int(), images.flatten()[:240].int() + 16)


def test_the_loss_falls_and_noise_of_that_size_does_not_do_it() -> None:
    network = trained_conv_net()
    spec = SPEC.model_copy(update={"steps": 40, "augment": False, "epsilon": 32 / 255})
    train, aims, result = brew(spec, network)
    assert (result.after < result.before - 0.1).all()
    assert result.matching[-1] < result.matching[0]
    model = Surrogate(network)
    positions = train.find(result.poison.indices)
    signs = torch.rand(len(positions), 1, 8, 8, generator=torch.Generator().manual_seed(0)).sub(0.5).sign()
    for number in range(3):
        mine = positions[result.aims == number]
        target = aims.images.pixels(slice(number, number + 1))
        wanted = model.gradient(target, aims.classes[number : number + 1])
        noise = stored(train.images[mine], signs[result.aims == number] * 32 / 255, 32 / 255)
        noisy = mismatch(model.gradient(noise / 255, train.labels[mine]), wanted)
        # What the brew says of itself is what a fresh look at its images says.
        assert result.poison.images is not None
        again = result.poison.images[result.aims == number] / 255
        assert float(mismatch(model.gradient(again, train.labels[mine]), wanted)) == pytest.approx(
            float(result.after[number]), abs=1e-4
        )
        assert result.after[number] < noisy - 0.1


def test_more_restarts_never_match_worse() -> None:
    one = brew(SPEC, trained_conv_net())[2]
    three = brew(SPEC.model_copy(update={"restarts": 3}), trained_conv_net())[2]
    assert (three.after <= one.after + 1e-6).all()
    assert (three.after < one.after - 1e-6).any()


def test_smaller_budgets_are_part_of_larger_ones_and_targets_share_no_image() -> None:
    train = synthetic_split(240, 4, (1, 8, 8), seed=11)
    attack = GradientMatching(GradientMatchingSpec(targets=6))
    aims = choose_aims(synthetic_split(40, 4, (1, 8, 8)), 6, 0)
    small, large = (attack.choose(train, aims, fraction) for fraction in (0.1, 0.3))
    for few, many, wanted in zip(small, large, aims.classes.tolist(), strict=True):
        assert (len(few), len(many)) == (4, 12)
        assert set(few.tolist()) < set(many.tolist())
        assert (train.labels[many] == wanted).all()
    assert len(torch.cat(large).unique()) == 72


def test_targets_are_test_images_that_are_to_leave_their_class() -> None:
    test = synthetic_split(40, 4, (1, 8, 8), first_index=500)
    aims = choose_aims(test, 4, seed=3)
    assert (aims.images.labels != aims.classes).all()
    assert sorted(aims.classes.tolist()) == [0, 1, 2, 3]
    assert len(aims.images.indices.unique()) == 4
    test.find(aims.images.indices)
    assert torch.equal(choose_aims(test, 2, seed=3).images.indices, aims.images.indices[:2])
    assert not torch.equal(choose_aims(test, 4, seed=4).images.indices, aims.images.indices)
    with pytest.raises(DataError, match="ask for fewer targets"):
        choose_aims(synthetic_split(2, 2), 4, seed=0)


def test_a_class_with_too_few_images_is_an_error() -> None:
    train = synthetic_split(240, 4, (1, 8, 8))
    few = train.take((train.labels != 1).nonzero().squeeze(1))
    with pytest.raises(DataError, match=r"expected 12 training images of class 1 for each target, got 0"):
        brew(GradientMatchingSpec(targets=4), trained_conv_net(), fraction=0.27, train=few)


def test_a_gradient_without_a_direction_is_an_error() -> None:
    class Certain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, pixels: Tensor) -> Tensor:
            return torch.zeros(len(pixels), 4) * self.weight

    with pytest.raises(NonFiniteError, match="no direction to match"):
        brew(SPEC, Certain())


def facts(train: int = 3000, test: int = 1000, classes: int = 10) -> DataFacts:
    return DataFacts(classes, (1, 8, 8), lambda: {"train": train, "validation": 0, "test": test, "pool": 0})


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"fractions": (0.0005,)}, "one image for each target"),
        ({"fractions": (0.5,), "targets": 1}, r"fractions: expected at most 0\.1: the poisons of a target"),
        ({"targets": 2000}, "targets: expected at most 1000"),
    ],
)
def test_wishes_that_the_data_cannot_give_are_refused_at_planning(wishes, message) -> None:
    GradientMatchingSpec().check(facts())
    with pytest.raises(SpecError, match=message):
        GradientMatchingSpec(**wishes).check(facts())


def test_an_epsilon_below_one_grey_level_is_refused() -> None:
    with pytest.raises(SpecError, match="8-bit"):
        GradientMatchingSpec.parse({"epsilon": 0.001})


def test_the_spec_finds_its_implementation() -> None:
    assert isinstance(load_attack(GradientMatchingSpec()), GradientMatching)
