"""Classifier: a faithful frozen copy; folding: the same function, or not done at all."""

import copy

import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.network import build
from nasaudit.errors import InputError
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.victims import TinyConvNet
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.folding import fold

SHAPE = (1, 8, 8)


def pixels(count=5, shape=SHAPE, seed=7):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def shake(network):
    """Give every BN statistics that matter, as after training."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.5, 0.5),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 1.5),
            ):
                tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=generator))
    return network


def norms(network):
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("name", ["darts", "pdarts", "amoebanet", "resnet", "densenet", "vgg", "bit"])
@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 9, 9)])
def test_folding_keeps_logits_and_gradients(name, shape):
    network = shake(build(resolve(ArchChoice(name=name), "mini", 10, shape))).eval()
    images = pixels(3, shape)
    victim = Classifier(network, 10)
    assert victim.folded == (norms(network) > 0)
    results = []
    for function in (network, victim):
        x = images.clone().requires_grad_()
        logits = function(x)
        (gradient,) = torch.autograd.grad(logits[:, 3].sum(), x)
        results.append((logits.detach(), gradient))
    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    with torch.no_grad():
        torch.testing.assert_close(victim(images), network(images), rtol=1e-3, atol=1e-4)


def test_every_cell_network_folds_whole():
    for name in CATALOGUE:
        if CATALOGUE[name].genotype is not None:
            network = build(resolve(ArchChoice(name=name), "mini", 10, (1, 8, 8)))
            assert norms(network) > 20
            assert norms(Classifier(network, 10).network) == 0, name


def test_fold_against_the_formula():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.LazyLinear(2)).eval()
    network(pixels())
    shake(network)
    folded = fold(network, SHAPE)
    norm, before = network[1], network[0]
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    torch.testing.assert_close(folded[0].weight, before.weight * scale[:, None, None, None])
    torch.testing.assert_close(folded[0].bias, (before.bias - norm.running_mean) * scale + norm.bias)
    assert isinstance(folded[1], nn.Identity)


class Head(nn.Module):
    """Average and classify: the end of the small networks below."""

    def forward(self, x):
        return x.mean(dim=(2, 3))


class Shared(nn.Module):
    """A convolution whose output is used beside its BN: folding it would change the other use."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.convolution(x)
        return (self.norm(y) + y).mean(dim=(2, 3))


class Standardised(nn.Conv2d):
    """A convolution that is not linear in its stored weight."""

    def forward(self, x):
        weight = self.weight / self.weight.std()
        return nn.functional.conv2d(x, weight, self.bias)


@pytest.mark.parametrize(
    "network",
    [
        Shared(),
        nn.Sequential(Standardised(1, 3, 3), nn.BatchNorm2d(3), Head()),
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(3), Head()),
        nn.Sequential(nn.Conv2d(1, 3, 3), Head()),
    ],
    ids=["output used twice", "weight standardised", "in-place ReLU between", "no BN"],
)
def test_what_cannot_be_folded_is_left_as_it_is(network):
    shake(network)
    victim = Classifier(network, 3, input_shape=SHAPE)
    assert not victim.folded
    torch.testing.assert_close(victim(pixels()), copy.deepcopy(network).eval()(pixels()))


def test_a_norm_without_statistics_is_not_folded():
    norm = nn.BatchNorm2d(3, track_running_stats=False)
    assert not Classifier(nn.Sequential(nn.Conv2d(1, 3, 3), norm, Head()), 3, input_shape=SHAPE).folded


def test_the_network_handed_in_is_not_touched():
    network = TinyConvNet().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    victim = Classifier(network, 4, input_shape=SHAPE)
    x = pixels().requires_grad_()
    victim(x).sum().backward()
    assert x.grad is not None
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in victim.network.parameters())
    assert not victim.network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    with torch.no_grad():
        network.head.weight.zero_()
    assert victim(pixels()).std() > 0  # a copy, not a view


def test_float32_whatever_the_network_computes_in():
    class Half(nn.Module):
        def forward(self, x):
            return x.flatten(1)[:, :4].to(torch.bfloat16)

    assert Classifier(Half(), 4)(pixels()).dtype == torch.float32


def test_an_empty_batch():
    assert Classifier(TinyConvNet(), 4)(pixels(0)).shape == (0, 4)


def test_a_network_of_other_classes_is_refused():
    with pytest.raises(InputError, match=r"expected logits of shape \[5, 10\], got \[5, 4\]"):
        Classifier(TinyConvNet(), 10)(pixels())
