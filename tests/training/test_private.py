"""Clipped gradients with noise against a loop written out in float64, and the bound on what one image can do."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import Network, Normalise, build
from nasaudit.errors import SpecError
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.remedies.defences import PrivateSpec, TradesSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.training.loop import _backward, fit
from nasaudit.training.private import PrivateGradient

SHAPE = (1, 8, 8)
PLAIN = TrainingSpec(
    epochs=1, batch_size=16, crop=0, optimizer="sgd", momentum=0.0, learning_rate=0.1, weight_decay=0.0
)


def network(norm=True, seed=0):
    torch.manual_seed(seed)
    middle = [nn.BatchNorm2d(6)] if norm else []
    body = nn.Sequential(
        nn.Conv2d(1, 6, 3), *middle, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4)
    )
    spec = ArchSpec(name="small", group="custom", classes=4, input_shape=SHAPE)
    return Network(spec, Normalise(torch.tensor([0.5]), torch.tensor([0.25])), body)


def batch(n=16):
    split = synthetic_split(n, 4, SHAPE, seed=5)
    return split.pixels(), split.labels


def gradient(net, spec, pixels, labels, seed=0):
    """g as one vector, float32; the network is left as it is."""
    net = copy.deepcopy(net).train()
    private = PrivateGradient(net, spec, seed)
    private(pixels, labels, partial(_backward, net, PLAIN, nn.CrossEntropyLoss()))
    return torch.cat([parameter.grad.flatten() for parameter in net.parameters()])


def by_hand(net, spec, pixels, labels):
    """The clipped gradient of each microbatch in turn, float64 [M, parameters]."""
    exact = copy.deepcopy(net).double().train()
    found = []
    for x, y in zip(pixels.double().split(spec.microbatch), labels.split(spec.microbatch), strict=True):
        gradients = torch.autograd.grad(F.cross_entropy(exact(x), y), list(exact.parameters()))
        whole = torch.cat([one.flatten() for one in gradients])
        found.append(whole / max(1.0, float(whole.norm()) / spec.clip))
    return torch.stack(found)


@pytest.mark.parametrize("clip", [1e9, 0.5])
@pytest.mark.parametrize("microbatch", [4, 8])
def test_without_noise_it_is_the_mean_of_the_clipped_gradients(clip, microbatch):
    spec = PrivateSpec(clip=clip, noise_multiplier=0, microbatch=microbatch)
    net, (pixels, labels) = network(), batch()
    expected = by_hand(net, spec, pixels, labels)
    assert (expected.norm(dim=1) < 0.5 * (1 + 1e-9)).all() == (
        clip == 0.5
    )  # it clips one time, and not the other
    torch.testing.assert_close(
        gradient(net, spec, pixels, labels).double(), expected.mean(0), rtol=1e-4, atol=1e-6
    )


def test_images_of_their_own_and_no_clip_are_the_ordinary_gradient():
    net, (pixels, labels) = network(norm=False), batch()
    ordinary = torch.autograd.grad(F.cross_entropy(net(pixels), labels), list(net.parameters()))
    found = gradient(net, PrivateSpec(clip=1e9, noise_multiplier=0, microbatch=1), pixels, labels)
    torch.testing.assert_close(found, torch.cat([one.flatten() for one in ordinary]), rtol=1e-4, atol=1e-6)


def test_the_noise_is_gaussian_with_the_deviation_of_the_formula_and_drawn_by_the_seed():
    """Over M: sigma C / M of each coordinate. Three tensors of unlike sizes are all noisy."""
    quiet = PrivateSpec(clip=0.5, noise_multiplier=0, microbatch=8)
    loud = PrivateSpec(clip=0.5, noise_multiplier=3.0, microbatch=8)
    net, (pixels, labels) = network(), batch()
    without = gradient(net, quiet, pixels, labels)
    noise = torch.stack([gradient(net, loud, pixels, labels, seed) - without for seed in range(300)])
    expected = 3.0 * 0.5 / 2
    assert float(noise.std()) == pytest.approx(expected, rel=0.02)
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    deviations = noise.std(0)  # of each coordinate over the seeds; 300 draws are within a fifth of it
    assert deviations.min() > 0.8 * expected
    assert deviations.max() < 1.25 * expected
    kurtosis = float((noise / noise.std()).pow(4).mean())
    assert kurtosis == pytest.approx(3, abs=0.15)
    assert torch.equal(gradient(net, loud, pixels, labels, 7), gradient(net, loud, pixels, labels, 7))


def test_one_image_can_do_no_more_than_its_microbatch():
    """Its microbatch adds at most C / M: exchanging the image moves g by at most 2 C / M; unclipped by far more."""
    net, (pixels, labels) = network(), batch()
    other = pixels.clone()
    other[5], wrong = 1 - pixels[5], labels.clone()
    wrong[5] = (labels[5] + 1) % 4
    with torch.no_grad():
        net.body[-1].weight.mul_(50)  # steep: gradients are long
    clipped = PrivateSpec(clip=0.1, noise_multiplier=0, microbatch=4)
    free = clipped.model_copy(update={"clip": 1e9})
    found = gradient(net, clipped, pixels, labels)
    elsewhere = by_hand(net, clipped, pixels, labels)[[0, 2, 3]].sum(0) / 4
    assert float((found.double() - elsewhere).norm()) <= 0.1 / 4 * (1 + 1e-3)
    moved = float((gradient(net, clipped, other, wrong) - found).norm())
    moved_free = float((gradient(net, free, other, wrong) - gradient(net, free, pixels, labels)).norm())
    assert moved <= 2 * 0.1 / 4 * (1 + 1e-5)
    assert moved_free > 10 * moved


def test_the_loop_steps_along_it_and_the_ordinary_clip_is_idle():
    split, spec = synthetic_split(16, 4, SHAPE, seed=5), PrivateSpec(clip=20.0, noise_multiplier=0.1)
    steps = []
    for clip in (5.0, None):
        net = network()
        with torch.no_grad():
            net.body[-1].weight.mul_(50)
        before = [parameter.detach().clone() for parameter in net.parameters()]
        fit(net, split, PLAIN.model_copy(update={"defences": (spec,), "gradient_clip": clip}), 0)
        steps.append(
            torch.cat([(p.detach() - b).flatten() for p, b in zip(net.parameters(), before, strict=True)])
        )
    assert torch.equal(*steps)
    assert float(steps[0].norm()) / 0.1 > 5.0


def test_loss_and_accuracy_are_those_of_the_whole_batch():
    split, net = synthetic_split(13, 4, SHAPE, seed=5), network(norm=False)
    pixels, labels = split.pixels(), split.labels
    logits = net(pixels)
    spec = PLAIN.model_copy(
        update={"defences": (PrivateSpec(microbatch=4),)}
    )  # parts of 3, 3, 3 and 4 images
    history = fit(net, split, spec, 0)
    assert history.loss[0] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert history.accuracy[0] == pytest.approx(float((logits.argmax(1) == labels).float().mean()))


def test_the_seed_decides():
    split = synthetic_split(32, 4, SHAPE, seed=5)
    spec = PLAIN.model_copy(update={"defences": (PrivateSpec(noise_multiplier=1.0),)})
    losses = [fit(network(), split, spec, seed).loss for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_both_views_of_an_image_are_in_one_microbatch():
    """With TRADES a clean image and its example are clipped together: the pairs stay pairs."""
    net, seen = network(), []
    pixels, labels = batch(8)

    def backward(part, targets):
        clean, moved = part.chunk(2)
        seen.append(targets)
        torch.testing.assert_close(moved, clean + 1)
        net.body[-1].bias.grad = torch.ones(4)
        return torch.tensor(0.0), torch.tensor(0.0)

    PrivateGradient(net, PrivateSpec(microbatch=4), 0)(torch.cat([pixels, pixels + 1]), labels, backward)
    assert torch.equal(torch.cat(seen), labels)
    assert [len(part) for part in seen] == [4, 4]
    both = PLAIN.model_copy(update={"defences": (PrivateSpec(), TradesSpec(steps=1))})
    assert len(fit(net, synthetic_split(16, 4, SHAPE, seed=5), both, 0).loss) == 1


def test_single_images_are_refused_with_batch_normalisation_and_work_without():
    split = synthetic_split(8, 4, SHAPE, seed=5)
    spec = PLAIN.model_copy(update={"defences": (PrivateSpec(microbatch=1),)})
    with pytest.raises(SpecError, match=r"training\.defences\.dp_sgd\.microbatch: expected at least 2"):
        fit(network(), split, spec, 0)
    bit = build(resolve(choose("bit"), "mini", 4, SHAPE))
    assert len(fit(bit, split, spec, 0).loss) == 1
