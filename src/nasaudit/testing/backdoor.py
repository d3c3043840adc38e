"""The conformance suites of backdoor attacks: what every one of them must keep, inherited by its test.

class TestMyBackdoor(DataBackdoorConformance):
    def attack(self, seed: int = 0) -> DataBackdoor:
        return MyBackdoor(MyBackdoorSpec(seed=seed))

BackdoorConformance              BackdoorAttack: owns its training
DataBackdoorConformance          DataBackdoor: changes the training data alone

Pytest runs the inherited tests.
"""

from abc import ABC, abstractmethod

import torch

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import Network, build
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, DataBackdoor, Ground
from nasaudit.data.split import Split
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.untouched import untouched

SHAPE = (1, 8, 8)
CLASSES = 4
VICTIM = resolve(choose("vgg"), "mini", CLASSES, SHAPE)


class BackdoorConformance(ABC):
    """Rules of `BackdoorAttack.plant`, on a small network and a training of one epoch."""

    @abstractmethod
    def attack(self, seed: int = 0) -> BackdoorAttack:
        """A new attack with this seed."""

    def train(self) -> Split:
        """The clean training images."""
        return synthetic_split(96, CLASSES, SHAPE, seed=13, first_index=50)

    def network(self) -> Network:
        """What the attack may change."""
        return build(VICTIM, 0)

    def plant(self, train: Split | None = None, seed: int = 0) -> Backdoored:
        """Run a new attack."""
        recipe = TrainingSpec(epochs=1, batch_size=32, crop=0)
        ground = Ground(self.train() if train is None else train, recipe, seed=5)
        return self.attack(seed).plant(self.network(), ground)

    def test_triggered_images_are_images(self) -> None:
        """float32 in [0,1], of the same shape; some pixel is another, and the clean ones stay."""
        pixels = self.train().pixels()
        before = pixels.clone()
        triggered = self.plant().stamp(pixels)
        assert triggered.dtype == torch.float32
        assert triggered.shape == pixels.shape
        assert triggered.isfinite().all()
        assert triggered.min() >= 0
        assert triggered.max() <= 1
        assert torch.equal(pixels, before)
        assert not torch.equal(triggered, pixels)

    def test_an_image_is_triggered_alike_in_any_company(self) -> None:
        """Its neighbours in the batch do not matter, nor does the second time."""
        pixels, stamp = self.train().pixels(), self.plant().stamp
        whole = stamp(pixels)
        parts = [stamp(pixels[start : start + 7]) for start in range(0, len(pixels), 7)]
        torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
        assert stamp(pixels[:0]).shape == (0, *SHAPE)

    def test_a_trigger_that_is_shown_is_the_one_that_is_stamped(self) -> None:
        """Where the trigger is the same on every image."""
        backdoored, pixels = self.plant(), self.train().pixels()
        if backdoored.trigger is not None:
            torch.testing.assert_close(backdoored.trigger(pixels), backdoored.stamp(pixels))

    def test_the_network_is_ready_to_predict(self) -> None:
        """In eval mode, with finite logits."""
        network = self.plant().network
        assert not any(module.training for module in network.modules())
        assert network(self.train().pixels()).isfinite().all()

    def test_seeds_decide_everything(self) -> None:
        """Twice the same seeds, twice the same network and trigger."""
        first = self.plant(seed=3)
        torch.rand(5)  # the global generator must not matter
        again = self.plant(seed=3)
        for name, tensor in first.network.state_dict().items():
            assert torch.equal(tensor, again.network.state_dict()[name]), name
        pixels = self.train().pixels()
        assert torch.equal(first.stamp(pixels), again.stamp(pixels))

    def test_the_training_images_and_global_generators_are_left_alone(self) -> None:
        """The network is the attack's own; nothing else is."""
        train = self.train()
        with untouched(train):
            self.plant(train)


class DataBackdoorConformance(BackdoorConformance):
    """Rules of `DataBackdoor.poison`."""

    @abstractmethod
    def attack(self, seed: int = 0) -> DataBackdoor:
        """A new attack with this seed."""

    def changed(self, seed: int = 0) -> torch.Tensor:
        """Bool [N]: the images with other pixels, or another label."""
        before, after = self.train(), self.attack(seed).poison(self.train())
        return (before.images != after.images).flatten(1).any(1) | (before.labels != after.labels)

    def test_it_poisons_no_more_than_its_share_of_the_images(self) -> None:
        """And at least one."""
        most = max(1, round(self.attack().spec.poison_fraction * len(self.train())))
        assert 1 <= int(self.changed().sum()) <= most

    def test_the_split_keeps_its_images_places_and_a_new_label_is_the_targets(self) -> None:
        """Same images in the same order; who is relabelled, is of the target class."""
        before, after = self.train(), self.attack().poison(self.train())
        assert torch.equal(before.indices, after.indices)
        assert (after.labels[before.labels != after.labels] == self.attack().spec.target_class).all()

    def test_the_seed_chooses_the_images(self) -> None:
        """The same seed the same ones, another seed other ones."""
        assert torch.equal(self.changed(seed=3), self.changed(seed=3))
        assert not torch.equal(self.changed(seed=3), self.changed(seed=4))

    def test_poisoning_leaves_the_split_alone(self) -> None:
        """A Split in, another Split out."""
        train = self.train()
        with untouched(train):
            self.attack().poison(train)
