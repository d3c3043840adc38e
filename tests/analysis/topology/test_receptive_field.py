"""Against closed forms: convolutions with uniform kernels, whose influence is a convolution of boxes."""

import doctest

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.analysis.topology import receptive_field as module
from nasaudit.analysis.topology.receptive_field import (
    DRAWS,
    VISIBLE,
    influence,
    last_feature_map,
    receptive_field,
    side,
)
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.network import build
from nasaudit.errors import NonFiniteError
from nasaudit.spec.study import ArchChoice


def uniform(*kernels: int, channels: int = 1, stride: int = 1) -> nn.Module:
    """A stack of linear convolutions whose weights are all one."""
    layers = [
        nn.Conv2d(channels, channels, kernel, stride, padding=kernel // 2, bias=False) for kernel in kernels
    ]
    for layer in layers:
        nn.init.ones_(layer.weight)
    return nn.Sequential(*layers)


def field(network: nn.Module, channels: int = 1, images: int = 2, pixels: int = 31) -> np.ndarray:
    noise = torch.rand(images, channels, pixels, pixels, generator=torch.Generator().manual_seed(0))
    return influence(network, noise).mean(dim=0).double().numpy()


def test_the_example_in_the_docstring_holds() -> None:
    assert doctest.testmod(module, extraglobs={"np": np}).failed == 0


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_one_convolution_sees_exactly_its_kernel(kernel: int) -> None:
    assert side(field(uniform(kernel))) == kernel
    assert side(field(uniform(kernel, channels=3), channels=3)) == kernel


def test_a_stack_sees_the_convolution_of_its_boxes() -> None:
    """The influence of a stack is the outer square of the boxes' convolution; ten 3x3 see 13 of their 21 pixels."""
    for kernels in ((3, 3), (3, 5, 7), (3,) * 10):
        line = np.ones(1)
        for kernel in kernels:
            line = np.convolve(line, np.ones(kernel))
        expected = np.outer(line, line)
        rim = (31 - len(line)) // 2
        found = field(uniform(*kernels))
        np.testing.assert_allclose(found[rim : 31 - rim, rim : 31 - rim], expected, rtol=1e-5)
        assert side(found) == np.sqrt((expected > VISIBLE * expected.max()).sum())
    assert 10 < side(found) < 21


def test_dilation_and_stride_by_hand() -> None:
    dilated = nn.Conv2d(1, 1, 3, padding=2, dilation=2, bias=False)
    nn.init.ones_(dilated.weight)
    assert side(field(dilated)) == 3  # nine pixels, apart
    # Two strided 3x3: each output reads 3 of the first layer's, whose windows of 3 overlap in one pixel: 7 wide.
    assert side(field(uniform(3, 3, stride=2))) == 7


def test_an_image_smaller_than_the_field_cuts_it_off() -> None:
    assert side(field(uniform(15), pixels=8)) == 8


def test_a_network_that_sees_nothing_has_no_field() -> None:
    assert side(np.zeros((8, 8))) == 0


def test_influences_of_opposite_sign_add_up() -> None:
    """Over channels and over images the absolute values are summed, so that nothing cancels."""
    network = nn.Conv2d(2, 1, 1, bias=False)
    network.weight.data = torch.tensor([1.0, -1.0]).reshape(1, 2, 1, 1)
    found = field(network, channels=2, images=3, pixels=5)
    assert found[2, 2] == 2
    assert found.sum() == 2


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28)])
@pytest.mark.parametrize("name", CATALOGUE)
def test_every_architecture_of_the_catalogue_has_a_last_feature_map(
    name: str, shape: tuple[int, int, int]
) -> None:
    """Pooled and classified it gives the logits: so it is the map that the classifier reads."""
    network = build(resolve(ArchChoice(name=name), "mini", 10, shape)).eval()
    pixels = torch.rand(2, *shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        top = last_feature_map(network, pixels)
        head = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
        pooled = top.mean(dim=(2, 3))
        weight = head.weight.flatten(1)
        torch.testing.assert_close(pooled @ weight.T + head.bias, network(pixels), rtol=1e-4, atol=1e-5)


def test_the_interval_is_over_draws_of_the_weights_and_repeatable() -> None:
    spec = resolve(ArchChoice(name="darts"), "mini", 10, (1, 8, 8))
    state = torch.random.get_rng_state()
    found = receptive_field(spec, images=10)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert found == receptive_field(spec, images=10)
    assert found != receptive_field(spec, images=10, seed=1)
    assert 1 < found.low <= found.value <= found.high <= 8
    assert (found.n, found.unit) == (DRAWS, "pixels")
    assert receptive_field(spec, images=3).n == 3


def test_gradients_that_overflow_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = resolve(ArchChoice(name="vgg"), "mini", 10, (1, 8, 8))
    monkeypatch.setattr(module, "influence", lambda features, pixels: torch.full((2, 8, 8), torch.nan))
    with pytest.raises(NonFiniteError, match="expected finite gradients of vgg"):
        receptive_field(spec, images=2)
