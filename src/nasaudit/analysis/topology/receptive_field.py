"""The effective receptive field of a network: how wide a patch of the image one of its last units really sees.

Luo, Li, Urtasun & Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks",
NeurIPS 2016. The pixels that a unit can see form its receptive field; those in the middle have far more paths to the
unit than those at the rim, so the field that matters is smaller. It is read from the gradient of the central unit
y_00 of the last feature map by the pixels x_ij, at random weights (section 4.1):

    e_ij = mean over images of |d y_00 / d x_ij|,    size = sqrt(#{(i, j) : e_ij > (1 - .9545) max e})

y_00 is summed over the channels of the feature map, |.| over those of the image. .9545 is the mass of a normal
distribution within two standard deviations.

Which weights are drawn matters more than which images (measured: 8 to 17 pixels for one cell at `mini` scale), so the
mean goes over DRAWS networks, each with its share of the images, and they are the units of the interval.

Deviations: the threshold is relative to the largest pixel and not to the central one, which after strides need not be
the largest; images are uniform noise in [0,1], which the network's first layer normalises. An image smaller than the
field cuts it off: on 8x8 images nearly every network sees all of it.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from nasaudit.arch.cells import CellNetwork, State
from nasaudit.arch.network import Network, build
from nasaudit.errors import NonFiniteError
from nasaudit.measure.bootstrap import bootstrap
from nasaudit.measure.estimate import Estimate, FloatArray
from nasaudit.randomness import derive_seed
from nasaudit.spec.arch import ArchSpec

VISIBLE = 1 - 0.9545  # of the largest pixel
DRAWS = 8  # of the weights, at most


def receptive_field(spec: ArchSpec, images: int, seed: int = 0) -> Estimate | None:
    """Side, in pixels, of a square as large as the effective receptive field of an untrained network.

    Args:
        spec: what to build.
        images: of noise, in all.
        seed: decides weights and noise.

    Returns:
        n is the number of draws of the weights: DRAWS, or `images` where these are fewer. None for a network without
        a last feature map: a unit of a transformer sees the whole image.

    Raises:
        NonFiniteError: a gradient is NaN or infinite.
    """
    draws = min(DRAWS, images)
    shares = [images // draws + (draw < images % draws) for draw in range(draws)]
    fields = [_one_draw(spec, share, derive_seed("field", seed, k)) for k, share in enumerate(shares)]
    maps = np.stack([field for field in fields if field is not None] or [np.zeros(0)])
    if maps.size == 0:
        return None
    return bootstrap([maps], lambda sample: np.asarray(side(sample.mean(axis=0))), "pixels")


def _one_draw(spec: ArchSpec, images: int, seed: int) -> FloatArray | None:
    """The mean influence map of one network over its images, [H, W]; None without a last feature map."""
    network = build(spec, seed).eval().requires_grad_(False)
    noise = torch.rand(images, *spec.input_shape, generator=torch.Generator().manual_seed(seed))
    if last_feature_map(network, noise[:1]) is None:
        return None
    mean = (
        influence(lambda pixels: cast(Tensor, last_feature_map(network, pixels)), noise).double().mean(dim=0)
    )
    if not torch.isfinite(mean).all():
        raise NonFiniteError(
            f"expected finite gradients of {spec.name} at its initial weights, got NaN or infinity: its "
            "activations overflow; use fewer cells"
        )
    return cast(FloatArray, mean.numpy())


def influence(features: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """|gradient| of the central unit of a feature map by each pixel, summed over channels.

    Args:
        features: [N, C, H, W] -> [N, C', H', W'], each image by itself.
        pixels: [N, C, H, W].

    Returns:
        [N, H, W], at least 0.
    """
    pixels = pixels.detach().clone().requires_grad_()
    top = features(pixels)
    centre = top[:, :, top.shape[2] // 2, top.shape[3] // 2].sum()
    (gradient,) = torch.autograd.grad(centre, pixels)
    return gradient.abs().sum(dim=1)


def side(influence: FloatArray) -> float:
    """Sqrt of the number of pixels above VISIBLE of the largest; 0 where nothing is seen at all.

    >>> side(np.array([[1.0, 0.5, 0.04], [0.5, 0.3, 0.0]]))
    2.0
    """
    return float(np.sqrt(np.count_nonzero(influence > VISIBLE * influence.max())))


def last_feature_map(network: Network, pixels: Tensor) -> Tensor | None:
    """What a network averages over positions before its classifier: [N, C, H, W], in the mode it is in.

    None where there is none, since what comes last are tokens or vectors.
    """
    if not isinstance(network.body, CellNetwork):
        if hasattr(network.body, "forward_features"):
            # timm's classes keep the classifier apart from what comes before it.
            trunk = cast(Callable[[Tensor], Tensor], network.body.forward_features)
            top = trunk(network.normalise(pixels))
            return top if isinstance(top, Tensor) and top.ndim == 4 else None
        return _last_map_seen(network, pixels)
    seen: list[State] = []
    # A cell puts out a State, of which the classifier reads the raw form.
    hook = network.body.cells[-1].register_forward_hook(lambda *arguments: seen.append(arguments[2]))
    try:
        network(pixels)
    finally:
        hook.remove()
    return seen[-1].raw


def _last_map_seen(network: Network, pixels: Tensor) -> Tensor | None:
    """The last output of a layer with two sides, before any pooling to one pixel; None where tokens come after it."""
    seen: list[Tensor] = []
    pooling = nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool2d

    def note(layer: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim in (3, 4) and not isinstance(layer, pooling):
            seen.append(output)

    # Blocks are watched as well as their layers: they may add something up at their end.
    layers = [layer for layer in network.body.modules() if layer is not network.body]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return seen[-1] if seen and seen[-1].ndim == 4 else None
