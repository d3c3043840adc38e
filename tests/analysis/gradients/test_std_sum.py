"""gradient_std_sum against the published procedure run to the letter, and its interval against recomputation."""

import copy
import time

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.analysis.gradients.std_sum import GROUPS, gradient_std_sum
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.errors import MeasurementError, NonFiniteError
from nasaudit.spec.study import ArchChoice
from nasaudit.stats.jackknife import jackknife
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import LinearVictim, TinyConvNet


def letter(network, pixels, labels, clip=5.0):
    """ain-soph/autovul, projects/grad_var.py:35 to 60, in float64, image by image: gradients [N, P], and the sum.

    The variance is the second moment minus the square of the first.
    """
    network = copy.deepcopy(network).double().eval()
    kept = []
    for image, label in zip(pixels.double(), labels, strict=True):
        network.zero_grad()
        nn.functional.cross_entropy(network(image[None]), label[None]).backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        norm = gradient.norm(p=2)
        kept.append(gradient if norm <= clip else gradient / norm * clip)
    rows = torch.stack(kept)
    variance = rows.square().mean(dim=0) - rows.mean(dim=0).square()
    return rows, variance.clamp_min(0).sqrt().sum().item()


@pytest.mark.parametrize("name", ["darts", "bit"])
def test_published_setting_it_is_the_authors_procedure_to_the_letter(name):
    network = build(resolve(ArchChoice(name=name), "mini", 4, (1, 8, 8)))
    split = synthetic_split(40, 4)
    found = gradient_std_sum(network, split.pixels(), split.labels)
    _, expected = letter(network, split.pixels(), split.labels)
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert (found.n, found.unit) == (40, "gradient")


@pytest.mark.parametrize("clip", [0.02, 0.5])
def test_long_gradients_are_cut(clip):
    network, split = TinyConvNet(), synthetic_split(40, 4)
    rows, expected = letter(network, split.pixels(), split.labels, clip)
    assert (rows.norm(dim=1) > clip * 0.99).any()
    found = gradient_std_sum(network, split.pixels(), split.labels, clip=clip)
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert found.value < gradient_std_sum(network, split.pixels(), split.labels).value


def test_a_linear_model_has_its_closed_form():
    """Without weights the probability is 1/2: the gradient of image x is (1/2 - y)(x - 1/2, 1)."""
    network = LinearVictim()
    with torch.no_grad():
        network.w.zero_()
    split = synthetic_split(30, 2)
    pixels = split.pixels()
    rows = (0.5 - split.labels.double())[:, None] * torch.cat(
        [pixels.double().flatten(1) - 0.5, torch.ones(30, 1)], dim=1
    )
    found = gradient_std_sum(network, pixels, split.labels, clip=100)
    assert found.value == pytest.approx(float(rows.std(dim=0, correction=0).sum()), rel=1e-6)


def test_images_that_are_alike_have_no_spread():
    pixels = torch.rand(1, 1, 8, 8).repeat(20, 1, 1, 1)
    found = gradient_std_sum(TinyConvNet(), pixels, torch.zeros(20, dtype=torch.int64))
    assert found.value < 1e-4


def test_the_spread_of_large_gradients_loses_no_digits():
    """Means 10,000 times as large as the deviations: sums of squares in float32 would give noise."""

    class Offset(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(3))

        def forward(self, pixels):
            margin = ((1e4 + pixels.flatten(1)[:, :3]) * self.w).sum(dim=1)
            return torch.stack([torch.zeros_like(margin), margin], dim=1)

    pixels = torch.rand(200, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    found = gradient_std_sum(Offset(), pixels, torch.zeros(200, dtype=torch.int64), clip=1e9)
    exact = (0.5 * (1e4 + pixels.flatten(1)[:, :3])).double().std(dim=0, correction=0).sum()
    assert found.value == pytest.approx(float(exact), rel=1e-3)


@pytest.mark.parametrize("images", [5, 43])
def test_the_interval_is_that_of_leaving_out_groups(images):
    network, split = TinyConvNet().double(), synthetic_split(images, 4)
    rows = letter(network, split.pixels().double(), split.labels)[0].numpy()
    parts = np.array_split(np.arange(images), min(GROUPS, images))
    deleted = [np.delete(rows, part, axis=0).std(axis=0).sum() for part in parts]
    expected = jackknife(rows.std(axis=0).sum(), deleted, "gradient", [len(part) for part in parts])
    found = gradient_std_sum(network, split.pixels().double(), split.labels)
    assert [found.value, found.low, found.high] == pytest.approx(
        [expected.value, expected.low, expected.high], rel=1e-6
    )


def test_the_interval_covers_the_value_of_many_images():
    """At least 44 of 50 samples of 32 images; 47.5 are expected."""
    network, split = TinyConvNet(), synthetic_split(1600, 4)
    pixels, labels = split.pixels(), split.labels
    order = torch.randperm(1600, generator=torch.Generator().manual_seed(0))
    truth = gradient_std_sum(network, pixels[order], labels[order]).value
    covered = 0
    for part in order.split(32):
        found = gradient_std_sum(network, pixels[part], labels[part])
        covered += found.low <= truth <= found.high
    assert covered >= 44


def test_progress_counts_images_and_says_how():
    calls = []
    split = synthetic_split(90, 4)
    gradient_std_sum(
        TinyConvNet(), split.pixels(), split.labels, progress=lambda done, text="": calls.append((done, text))
    )
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (1.0, "gradients of single images (vmap)")


def test_too_few_images_and_bad_weights_are_refused():
    split = synthetic_split(20, 4)
    with pytest.raises(MeasurementError, match="at least 3 images, got 2"):
        gradient_std_sum(TinyConvNet(), split.pixels()[:2], split.labels[:2])
    network = TinyConvNet()
    with torch.no_grad():
        network.head.weight[0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"lower training\.learning_rate"):
        gradient_std_sum(network, split.pixels(), split.labels)


@pytest.mark.slow
def test_256_images_take_at_most_two_fifths_of_the_letters_time():
    """As in benchmarks/gradients.py: mini DARTS, 1x28x28, one process; the shorter of two runs each."""
    network = build(resolve(ArchChoice(name="darts"), "mini", 10, (1, 28, 28)))
    split = synthetic_split(256, 10, (1, 28, 28))
    pixels, labels = split.pixels(), split.labels
    seconds = {letter: [], gradient_std_sum: []}
    for _ in range(2):
        for procedure, times in seconds.items():
            start = time.process_time()
            procedure(network, pixels, labels)
            times.append(time.process_time() - start)
    assert min(seconds[gradient_std_sum]) <= 0.4 * min(seconds[letter])
