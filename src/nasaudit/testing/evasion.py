"""The conformance suite of evasion attacks: what every one of them must keep, inherited by its test.

    class TestMyAttack(EvasionConformance):
        def attack(self) -> EvasionAttack[Classifier]:
            return MyAttack(MyAttackSpec())

Pytest runs the inherited tests. Override `epsilon` for another norm's scale.
"""

from abc import ABC, abstractmethod

import pytest
import torch
from torch import Tensor, nn

from nasaudit.attacks.base import EvasionAttack, Perturbed
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import DataError
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier

SHAPE = (1, 8, 8)
CLASSES = 4
ALL = slice(None)


class EvasionConformance(ABC):
    """Rules of `EvasionAttack.perturb` on a small trained network with batch normalisation."""

    epsilon = 0.1  # in the attack's norm: large enough to break some images, and small enough to leave some

    @abstractmethod
    def attack(self) -> EvasionAttack[Classifier]:
        """A new attack."""

    def perturb(
        self, victim: Classifier, rows: slice = ALL, seed: int = 0, epsilon: float | None = None
    ) -> Perturbed:
        """Run the attack on part of the images."""
        split = synthetic_split(48, CLASSES, SHAPE, seed=5)
        pixels, labels, indices = split.pixels()[rows], split.labels[rows], split.indices[rows]
        radius = self.epsilon if epsilon is None else epsilon
        return self.attack().perturb(victim, pixels, Objective(labels), radius, seed=seed, indices=indices)

    @pytest.fixture
    def network(self) -> nn.Module:
        """The user's own network: in training mode and with gradients, as one may hand it over."""
        network = trained_conv_net(SHAPE, CLASSES)
        network.train()
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, 0.25)
        return network

    @pytest.fixture
    def victim(self, network: nn.Module) -> Classifier:
        """A Classifier of that network."""
        return Classifier(network, CLASSES, input_shape=SHAPE)

    def test_it_breaks_some_images_and_not_all(self, victim: Classifier) -> None:
        """Otherwise the other tests would prove little."""
        broken = self.perturb(victim).broken
        assert 0 < int(broken.sum()) < len(broken)

    def test_what_it_calls_broken_is_broken(self, victim: Classifier) -> None:
        """The verdicts of the attack are those of a fresh forward pass."""
        result = self.perturb(victim)
        labels = synthetic_split(48, CLASSES, SHAPE, seed=5).labels
        assert torch.equal(victim(result.images).argmax(1) != labels, result.broken)

    def test_the_network_is_left_bit_identical(self, network: nn.Module, victim: Classifier) -> None:
        """Weights, gradients, BN statistics and training flags: the user's own and the Classifier's."""
        before_user, before_copy = _everything(network), _everything(victim.network)
        self.perturb(victim)
        _assert_same(before_user, _everything(network))
        _assert_same(before_copy, _everything(victim.network))

    def test_examples_stay_in_the_ball(self, victim: Classifier) -> None:
        """At most epsilon away, to the last bit of float32."""
        result, clean = self.perturb(victim), synthetic_split(48, CLASSES, SHAPE, seed=5).pixels()
        change = (result.images - clean).flatten(1)
        size = change.abs().amax(1) if self.attack().spec.norm == "linf" else change.norm(dim=1)
        assert (size <= self.epsilon).all()

    def test_examples_stay_in_the_range_of_pixels(self, victim: Classifier) -> None:
        """Within [0,1], to the last bit."""
        images = self.perturb(victim).images
        assert images.dtype == torch.float32
        assert images.min() >= 0
        assert images.max() <= 1

    def test_epsilon_zero_returns_the_images(self, victim: Classifier) -> None:
        """Bit by bit."""
        clean = synthetic_split(48, CLASSES, SHAPE, seed=5).pixels()
        assert torch.equal(self.perturb(victim, epsilon=0.0).images, clean)

    @pytest.mark.parametrize("size", [1, 7, 20])
    def test_verdicts_do_not_depend_on_the_batch(self, victim: Classifier, size: int) -> None:
        """Images are attacked alike in batches of any size: randomness hangs on their indices."""
        whole = self.perturb(victim)
        parts = [self.perturb(victim, slice(start, start + size)) for start in range(0, 48, size)]
        assert torch.equal(torch.cat([part.steps for part in parts]), whole.steps)

    def test_a_seed_decides_everything(self, victim: Classifier) -> None:
        """Twice the same seed, twice the same examples."""
        first = self.perturb(victim, seed=3)
        torch.rand(5)  # the global generator must not matter
        again = self.perturb(victim, seed=3)
        assert torch.equal(first.images, again.images)
        assert torch.equal(first.steps, again.steps)

    def test_the_global_generator_is_left_alone(self, victim: Classifier) -> None:
        """Randomness is an argument: no seed is set, and no number drawn, behind the back of others."""
        state = torch.random.get_rng_state()
        self.perturb(victim)
        assert torch.equal(torch.random.get_rng_state(), state)

    def test_the_images_handed_in_are_left_alone(self, victim: Classifier) -> None:
        """No in-place edit of the clean images."""
        split = synthetic_split(8, CLASSES, SHAPE)
        pixels = split.pixels()
        before = pixels.clone()
        self.attack().perturb(
            victim, pixels, Objective(split.labels), self.epsilon, seed=0, indices=split.indices
        )
        assert torch.equal(pixels, before)

    def test_an_empty_batch_is_fine(self, victim: Classifier) -> None:
        """No image: an empty result of the right shape."""
        result = self.perturb(victim, slice(0, 0))
        assert result.images.shape == (0, *SHAPE)
        assert len(result.steps) == 0

    @pytest.mark.parametrize("bad", [1.5, -0.1, float("nan")])
    def test_images_outside_of_the_range_are_refused(self, victim: Classifier, bad: float) -> None:
        """The first bad image is named."""
        split = synthetic_split(4, CLASSES, SHAPE)
        pixels = split.pixels()
        pixels[2, 0, 3, 3] = bad
        with pytest.raises(DataError, match="image 2"):
            self.attack().perturb(
                victim, pixels, Objective(split.labels), self.epsilon, seed=0, indices=split.indices
            )


def _everything(network: nn.Module) -> dict[str, object]:
    """Weights, gradients, buffers and training flags, by name."""
    state: dict[str, object] = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        state[f"{name} gradient"] = None if parameter.grad is None else parameter.grad.clone()
        state[f"{name} requires_grad"] = parameter.requires_grad
    for name, module in network.named_modules():
        state[f"{name} training"] = module.training
    return state


def _assert_same(before: dict[str, object], after: dict[str, object]) -> None:
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = torch.equal(value, after[name]) if isinstance(value, Tensor) else value == after[name]  # type: ignore[arg-type]
        assert same, f"the attack changed {name}"
