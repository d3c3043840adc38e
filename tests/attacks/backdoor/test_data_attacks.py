"""BadNets, Blended and SIG as functions of a split, against their formulas computed by hand."""

import math

import numpy as np
import pytest
import torch

from nasaudit.attacks.backdoor.badnets import BadNets
from nasaudit.attacks.backdoor.base import append_copies
from nasaudit.attacks.backdoor.blended import Blended
from nasaudit.attacks.backdoor.sig import Sig
from nasaudit.errors import DataError
from nasaudit.spec.attacks import BadNetsSpec, BlendedSpec, SigSpec
from nasaudit.testing.backdoor import BackdoorConformance, DataBackdoorConformance
from nasaudit.testing.data import synthetic_split


class TestBadNets(DataBackdoorConformance):
    def attack(self, seed=0):
        return BadNets(BadNetsSpec(seed=seed))


class TestBadNetsOnBatches(BackdoorConformance):
    def attack(self, seed=0):
        return BadNets(BadNetsSpec(seed=seed, copies="append"))


class TestBlended(DataBackdoorConformance):
    def attack(self, seed=0):
        return Blended(BlendedSpec(seed=seed))


class TestSig(DataBackdoorConformance):
    def attack(self, seed=0):
        return Sig(SigSpec(seed=seed, poison_fraction=0.5))


@pytest.fixture
def split():
    return synthetic_split(200, classes=4, shape=(1, 8, 8))


def differing(before, after) -> torch.Tensor:
    return (before.images != after.images).flatten(1).any(1)


def test_badnets_changes_its_share_of_the_images_and_labels_it_as_the_target(split):
    found = BadNets(BadNetsSpec(poison_fraction=0.1, target_class=2, size=3)).poison(split)
    changed = (found.images[:, 0, :3, :3] == 255).all(-1).all(-1)
    assert changed.sum() == 20
    assert (found.labels[changed] == 2).all()
    assert torch.equal(found.labels[~changed], split.labels[~changed])
    assert torch.equal(found.images[~changed], split.images[~changed])
    assert torch.equal(found.images[:, :, 3:], split.images[:, :, 3:])


def test_blended_is_alpha_times_the_pattern_and_the_rest_of_the_image(split):
    attack = Blended(BlendedSpec(opacity=0.2, poison_fraction=1.0))
    pattern = attack.stamp((1, 8, 8)).pattern.double()
    expected = 0.2 * pattern + 0.8 * split.images.double() / 255
    torch.testing.assert_close(
        attack.poison(split).images.double() / 255, expected, rtol=0, atol=0.5 / 255 + 1e-6
    )
    assert 0.3 < pattern.mean() < 0.7
    assert (attack.poison(split).labels == 0).all()


def test_sig_changes_images_of_the_target_class_only_and_no_label(split):
    found = Sig(SigSpec(poison_fraction=0.5, target_class=1)).poison(split)
    changed = differing(split, found)
    assert torch.equal(found.labels, split.labels)
    assert (split.labels[changed] == 1).all()
    assert changed.sum() == 25


def test_sig_adds_the_sinusoid_of_the_paper(split):
    spec = SigSpec(poison_fraction=1.0, target_class=1, amplitude=20 / 255, frequency=3)
    found = Sig(spec).poison(split)
    for n in (1, 5, 9):
        for row in (0, 7):
            for j in range(1, 9):  # columns are counted from 1
                signal = 20 * math.sin(2 * math.pi * j * 3 / 8)
                expected = min(max(int(split.images[n, 0, row, j - 1]) + signal, 0), 255)
                assert abs(int(found.images[n, 0, row, j - 1]) - expected) <= 0.5 + 1e-3


def test_sig_may_use_a_stronger_signal_in_the_attack_than_in_training():
    grey = torch.full((1, 1, 8, 8), 0.5)
    weak = Sig(SigSpec(amplitude=10 / 255, frequency=1)).stamp((1, 8, 8))(grey) - grey
    strong = (
        Sig(SigSpec(amplitude=10 / 255, test_amplitude=30 / 255, frequency=1)).stamp((1, 8, 8))(grey) - grey
    )
    torch.testing.assert_close(strong, 3 * weak)
    assert weak.abs().max() > 0.03


def test_sig_without_images_of_the_target_class_says_so(split):
    with pytest.raises(DataError, match="target class 3"):
        Sig(SigSpec(target_class=3)).poison(split.take((split.labels != 3).nonzero().squeeze(1)))


def test_appended_copies_are_added_with_the_targets_label_and_right_on_average():
    pixels, labels = torch.rand(96, 1, 8, 8), torch.arange(96) % 4 + 1
    generator = torch.Generator().manual_seed(0)
    prepare = append_copies(lambda x: x + 1, 0, 0.02)  # 1.92 copies a batch
    counts = []
    for _ in range(400):
        more, wanted = prepare(pixels, labels, generator)
        counts.append(len(more) - 96)
        assert torch.equal(more[:96], pixels)
        assert torch.equal(wanted[:96], labels)
        assert torch.equal(more[96:], pixels[: counts[-1]] + 1)
        assert (wanted[96:] == 0).all()
    assert set(counts) == {1, 2}
    assert np.mean(counts) == pytest.approx(1.92, abs=0.05)
