"""Gradients of single images against a loop in float64, for every architecture and for layers that resist."""

import copy

import pytest
import torch
from torch import nn

from nasaudit.analysis.gradients.per_sample import PerSampleGradients, trained_parameters
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.network import build
from nasaudit.errors import NonFiniteError
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.victims import LinearVictim, TinyConvNet


def some_images(n=2, shape=(1, 8, 8), classes=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(n, *shape, generator=generator, dtype=dtype)
    return pixels, torch.randint(classes, (n,), generator=generator)


def mini(name, auxiliary=False, side=8):
    return build(resolve(ArchChoice(name=name, auxiliary=auxiliary), "mini", 4, (1, side, side)), seed=1)


def loop(network, pixels, labels):
    """One backward pass an image, of a copy in eval mode."""
    twin = copy.deepcopy(network).eval()
    rows = []
    for image, label in zip(pixels, labels, strict=True):
        twin.zero_grad()
        nn.functional.cross_entropy(twin(image[None]), label[None]).backward()
        rows.append(
            torch.cat(
                [
                    (torch.zeros_like(parameter) if parameter.grad is None else parameter.grad).flatten()
                    for parameter in trained_parameters(twin).values()
                ]
            )
        )
    return torch.stack(rows)


def shake(network):
    """Batch norm statistics and weights far from initial ones, as after a training."""
    generator = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            shape = module.running_mean.shape
            module.running_mean = 0.3 * torch.randn(shape, generator=generator)
            module.running_var = 0.5 + torch.rand(shape, generator=generator)
            with torch.no_grad():
                module.weight.add_(0.2 * torch.randn(shape, generator=generator))
                module.bias.add_(0.2 * torch.randn(shape, generator=generator))
    return network.double()


def assert_same(found, expected):
    """To 1e-6 of the length of each image's gradient."""
    error = (found - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.max() < 1e-6, error


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_every_architecture_is_mapped_and_agrees_with_a_loop(name):
    # In float64 torch's mapped convolutions want their weights in the plain order of memory; float32 takes either.
    network = shake(mini(name)).to(memory_format=torch.contiguous_format)
    pixels, labels = some_images()
    gradients = PerSampleGradients(network)
    found = gradients(pixels, labels)
    assert gradients.how == "vmap"
    assert_same(found, loop(network, pixels, labels))


@pytest.mark.parametrize("name", ["vgg", "bit", "sgas"])
def test_in_float32_networks_are_mapped_as_they_are_built(name):
    network = shake(mini(name))
    pixels, labels = some_images()
    expected = loop(network, pixels, labels)
    gradients = PerSampleGradients(network.float())
    found = gradients(pixels.float(), labels)
    assert gradients.how == "vmap"
    assert ((found - expected).norm(dim=1) / expected.norm(dim=1)).max() < 1e-3


def test_odd_sides_agree_too():
    network = shake(mini("sgas", side=13)).to(memory_format=torch.contiguous_format)
    pixels, labels = some_images(shape=(1, 13, 13))
    assert_same(PerSampleGradients(network)(pixels, labels), loop(network, pixels, labels))


def test_the_auxiliary_head_has_no_part_in_it():
    network = mini("darts", auxiliary=True).double()
    gradients = PerSampleGradients(network)
    assert not any("auxiliary" in name for name in gradients.names)
    plain = PerSampleGradients(mini("darts").double())
    assert gradients.parameters == plain.parameters == gradients(*some_images()).shape[1]


class Asking(nn.Module):
    """A layer whose way depends on a value, which cannot be mapped."""

    def forward(self, x):
        return 2 * x if x.sum() > 0 else x


class Writing(nn.Module):
    """A layer that writes into a tensor that is not mapped over."""

    def forward(self, x):
        total = torch.zeros(x.shape, dtype=x.dtype)
        total.add_(x)
        return total


class OldKind(torch.autograd.Function):
    """An autograd function without setup_context."""

    @staticmethod
    def forward(ctx, x):
        return 3 * x

    @staticmethod
    def backward(ctx, gradient):
        return 3 * gradient


class Old(nn.Module):
    def forward(self, x):
        return OldKind.apply(x)


def chain(layer):
    network = TinyConvNet()
    network.features.insert(3, layer)
    return network.double()


@pytest.mark.parametrize("layer", [Asking(), Writing(), Old()], ids=["asks", "writes", "old"])
def test_what_cannot_be_mapped_is_looped_and_said(layer):
    network = chain(layer)
    pixels, labels = some_images()
    gradients = PerSampleGradients(network)
    for _ in range(2):
        assert_same(gradients(pixels, labels), loop(network, pixels, labels))
        assert gradients.how == "loop"


def test_layers_in_place_and_without_batch_norm_are_mapped():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 4)
    ).double()
    pixels, labels = some_images()
    gradients = PerSampleGradients(network)
    assert_same(gradients(pixels, labels), loop(network, pixels, labels))
    assert gradients.how == "vmap"


def test_a_linear_model_has_the_gradients_of_the_book():
    """Logits (0, m), m = w.(x - 1/2) + b: the gradient is (p - y) (x - 1/2, 1), p the probability of class 1."""
    network = LinearVictim(bias=0.3).double()
    pixels, _ = some_images(5)
    labels = torch.tensor([0, 1, 1, 0, 1])
    found = PerSampleGradients(network)(pixels, labels)
    margin = ((pixels - 0.5) * network.w).sum(dim=(1, 2, 3)) + 0.3
    weight = torch.sigmoid(margin) - labels
    expected = torch.cat([weight[:, None] * (pixels - 0.5).flatten(1), weight[:, None]], dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("layer", [nn.Identity(), Asking()], ids=["vmap", "loop"])
def test_the_network_stays_as_it_was(layer):
    network = chain(layer).train()
    network.head.bias.requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    flags = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
    PerSampleGradients(network)(*some_images())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert flags == {name: parameter.requires_grad for name, parameter in network.named_parameters()}
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("layer", [nn.Identity(), Asking()], ids=["vmap", "loop"])
def test_gradients_that_are_not_finite_name_the_first_layer(layer):
    class Rooted(nn.Module):
        """The square root of zero: a finite loss with an infinite gradient, from here to the front."""

        def forward(self, x):
            return torch.sqrt(x * 0) + x

    network = chain(layer)
    network.features.insert(6, Rooted())
    with pytest.raises(NonFiniteError, match=r"layer 'features\.0' is NaN or infinite"):
        PerSampleGradients(network)(*some_images())


def test_large_networks_and_large_images_take_smaller_chunks():
    gradients = PerSampleGradients(TinyConvNet())
    assert gradients.chunk(torch.empty(1, 1, 8, 8)) == 64
    assert gradients.chunk(torch.empty(1, 3, 32, 32)) == 32
    assert gradients.chunk(torch.empty(1, 3, 400, 400)) == 1
    gradients.parameters = 2**30
    assert gradients.chunk(torch.empty(1, 1, 8, 8)) == 1
