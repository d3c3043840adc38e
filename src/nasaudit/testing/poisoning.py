"""The conformance suites of poisoning attacks: what every one of them must keep, inherited by its test.

class TestMyPoison(DataPoisoningConformance):
    def attack(self, seed: int = 0) -> DataPoisoning:
        return MyPoison(MyPoisonSpec(seed=seed))

DataPoisoningConformance         DataPoisoning: made of the training data alone
ModelPoisoningConformance        ModelPoisoning: optimised on the attacker's own model

Pytest runs the inherited tests.
"""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from nasaudit.attacks.poisoning.base import Brew, DataPoisoning, ModelPoisoning, Poison, choose_aims
from nasaudit.data.split import Split
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.untouched import untouched
from nasaudit.testing.victims import trained_conv_net


class _Conformance(ABC):
    """Rules of all poisons of training data."""

    fractions = (0.1, 0.2, 0.4)  # ascending

    @abstractmethod
    def attack(self, seed: int = 0) -> Any:
        """A new attack with this seed."""

    @abstractmethod
    def poison(self, train: Split, fraction: float, seed: int = 0) -> Poison:
        """What a new attack makes of these images."""

    def train(self) -> Split:
        """The clean training images."""
        return synthetic_split(240, 4, (1, 8, 8), seed=11, first_index=50)

    def test_it_changes_no_more_than_its_share_and_each_image_once(self) -> None:
        """Images of the training split, and of these no more than were asked for."""
        train = self.train()
        for fraction in self.fractions:
            poison = self.poison(train, fraction)
            assert len(poison.indices) <= round(fraction * len(train))
            assert len(set(poison.indices.tolist())) == len(poison.indices)
            assert torch.isin(poison.indices, train.indices).all()

    def test_what_images_become_is_valid_and_not_what_they_were(self) -> None:
        """Labels are classes, pixels are 8-bit, and training sees a difference."""
        train = self.train()
        poison = self.poison(train, self.fractions[-1])
        assert poison.labels.dtype == torch.int64
        assert ((poison.labels >= 0) & (poison.labels < train.classes)).all()
        if poison.images is not None:
            assert poison.images.dtype == torch.uint8
            assert poison.images.shape == (len(poison.indices), *train.images.shape[1:])
        assert poison.on(train).digest != train.digest

    def test_a_smaller_fraction_is_part_of_a_larger_one(self) -> None:
        """Or else a curve over fractions would compare different poisons."""
        chosen = [set(self.poison(self.train(), f).indices.tolist()) for f in self.fractions]
        assert all(small < large for small, large in pairwise(chosen))

    def test_the_seed_decides_everything(self) -> None:
        """The same seed gives the same poison; another one gives another."""
        first = self.poison(self.train(), self.fractions[1], seed=3).on(self.train())
        torch.rand(5)  # the global generator must not matter
        assert self.poison(self.train(), self.fractions[1], seed=3).on(self.train()).digest == first.digest
        assert self.poison(self.train(), self.fractions[1], seed=4).on(self.train()).digest != first.digest

    def test_the_training_images_and_global_generators_are_left_alone(self) -> None:
        """A poison says what becomes of images; nobody edits them."""
        train = self.train()
        with untouched(train):
            self.poison(train, self.fractions[-1])


class DataPoisoningConformance(_Conformance):
    """Rules of `DataPoisoning.poison`."""

    @abstractmethod
    def attack(self, seed: int = 0) -> DataPoisoning:
        """A new attack with this seed."""

    def poison(self, train: Split, fraction: float, seed: int = 0) -> Poison:
        """See `_Conformance.poison`."""
        return self.attack(seed).poison(train, fraction)

    def test_a_fraction_of_nothing_leaves_the_clean_split(self) -> None:
        """So that the clean training is the first point of the curve."""
        train = self.train()
        assert self.poison(train, 0.0).on(train).digest == train.digest

    def test_an_image_becomes_the_same_at_every_fraction(self) -> None:
        """The same label, and the same pixels."""
        train = self.train()
        small, large = (self.poison(train, fraction) for fraction in self.fractions[:2])
        rows = train.find(small.indices)
        for_small, for_large = small.on(train).take(rows), large.on(train).take(rows)
        assert for_small.digest == for_large.digest


class ModelPoisoningConformance(_Conformance):
    """Rules of `ModelPoisoning.brew`, on a small trained surrogate."""

    targets = 2

    @abstractmethod
    def attack(self, seed: int = 0) -> ModelPoisoning:
        """A new attack with this seed."""

    def brew(self, train: Split, fraction: float, seed: int = 0, surrogate: nn.Module | None = None) -> Brew:
        """Run a new attack for some test images."""
        aims = choose_aims(synthetic_split(40, 4, (1, 8, 8), seed=12, first_index=1000), self.targets, seed)
        network = trained_conv_net() if surrogate is None else surrogate
        return self.attack(seed).brew(train, aims, network, TrainingSpec(crop=1), fraction, seed=seed)

    def poison(self, train: Split, fraction: float, seed: int = 0) -> Poison:
        """See `_Conformance.poison`."""
        return self.brew(train, fraction, seed).poison

    def test_changed_pixels_stay_within_the_specs_epsilon(self) -> None:
        """In 8 bits, as they are stored."""
        train = self.train()
        poison = self.poison(train, self.fractions[-1])
        assert poison.images is not None
        change = (poison.images.int() - train.images[train.find(poison.indices)].int()).abs()
        assert int(change.max()) <= self.attack().spec.epsilon * 255 + 1e-6  # type: ignore[attr-defined]

    def test_every_poison_serves_an_aim_and_the_losses_are_numbers(self) -> None:
        """One aim for each image, and a loss before and after for each aim."""
        brew = self.brew(self.train(), self.fractions[0])
        assert len(brew.aims) == len(brew.poison.indices)
        assert set(brew.aims.tolist()) <= set(range(self.targets))
        assert len(brew.before) == len(brew.after) == self.targets
        assert torch.cat([brew.before, brew.after, brew.matching]).isfinite().all()

    def test_the_surrogate_is_left_bit_identical(self) -> None:
        """It may be attacked again, with another fraction."""
        network = trained_conv_net().train()
        with untouched(network):
            self.brew(self.train(), self.fractions[0], surrogate=network)
