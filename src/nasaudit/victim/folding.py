"""Batch normalisation folded into the convolutions before it: the same function, fewer passes over memory.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
CVPR 2018, section 3.2. A frozen BN is an affine map of each channel, and so is the end of a convolution.

Which convolution feeds which BN is seen by running the network once on random pixels, so that any network can
be folded however it is written; the result is then compared with the original, and dropped when it differs.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nasaudit.arch.ops import FactorizedReduce

# Largest difference of a logit, relative to the largest logit, that rounding may explain.
TOLERANCE = 1e-4


def fold(network: nn.Module, input_shape: tuple[int, int, int]) -> nn.Module | None:
    """A folded copy of a network, or None when there is nothing to fold or the copy would not agree.

    Args:
        network: in eval mode, on any device; it is left as it is.
        input_shape: (channels, height, width) of its images.
    """
    device = next((tensor.device for tensor in network.parameters()), torch.device("cpu"))
    noise = torch.rand(4, *input_shape, generator=torch.Generator().manual_seed(0)).to(device)
    folded = copy.deepcopy(network)
    if not _fold_in_place(folded, noise):
        return None
    # Layers may compute in another way when gradients are on: attacks use both.
    try:
        same = all(_agree(network, folded, noise, gradients) for gradients in (False, True))
    except (AttributeError, TypeError, RuntimeError):  # code that looks into the layers which are gone
        return None
    return folded if same else None


def _agree(network: nn.Module, folded: nn.Module, pixels: Tensor, gradients: bool) -> bool:
    with torch.set_grad_enabled(gradients):
        expected, got = network(pixels).detach(), folded(pixels).detach()
    return bool((expected - got).abs().max() <= TOLERANCE * (1 + expected.abs().max()))


def _fold_in_place(network: nn.Module, pixels: Tensor) -> int:
    """Fold what can be folded; returns how many BNs are gone."""
    pairs = _pairs(network, pixels)
    for convolution, norm in pairs:
        merged, rest = _merge(network.get_submodule(convolution), network.get_submodule(norm))
        network.set_submodule(convolution, merged)
        network.set_submodule(norm, rest)
    reduces = [
        (name, module) for name, module in network.named_modules() if isinstance(module, FactorizedReduce)
    ]
    for name, reduce in reduces:
        network.set_submodule(name, FoldedReduce(reduce))
    return len(pairs) + len(reduces)


def _pairs(network: nn.Module, pixels: Tensor) -> list[tuple[str, str]]:
    """Names of (convolution, BN) where the BN's input is the very tensor that the convolution returned."""
    made_by: dict[int, tuple[str, Tensor, int]] = {}  # by id; the tensor is kept so that no id is used twice
    calls: dict[str, int] = {}
    pairs: list[tuple[str, str]] = []
    hooks = []

    def after_convolution(name: str, output: Tensor) -> None:
        calls[name] = calls.get(name, 0) + 1
        # The version counts in-place edits: a ReLU in between may return the same tensor.
        made_by[id(output)] = (name, output, output._version)

    def before_norm(name: str, x: Tensor) -> None:
        calls[name] = calls.get(name, 0) + 1
        maker, tensor, version = made_by.get(id(x), ("", x, -1))
        if maker and tensor._version == version:
            pairs.append((maker, name))

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(
                module.register_forward_hook(lambda _m, _x, y, name=name: after_convolution(name, y))
            )
        elif _is_frozen_norm(module):
            hooks.append(module.register_forward_pre_hook(lambda _m, x, name=name: before_norm(name, x[0])))
    try:
        with torch.no_grad():
            network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    once = [(convolution, norm) for convolution, norm in pairs if calls[convolution] == calls[norm] == 1]
    return [(convolution, norm) for convolution, norm in once if [c for c, _ in once].count(convolution) == 1]


def _is_frozen_norm(module: nn.Module) -> bool:
    return (
        isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and _rest(module) is not None
    )


def _rest(norm: nn.Module) -> nn.Module | None:
    """What a BN does besides normalising: nothing, or the activation of timm's BatchNormAct2d."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else None


def _merge(convolution: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    rest = _rest(norm)
    assert isinstance(convolution, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert rest is not None
    return fuse_conv_bn_eval(convolution, norm), rest


class FoldedReduce(nn.Module):
    """A factorized reduce whose two 1x1 convolutions and BN are one 2x2 stride-2 convolution with a bias.

    The first half of the channels reads the top left pixel of each 2x2 square, the second the bottom right.
    """

    def __init__(self, reduce: FactorizedReduce):
        super().__init__()
        even, odd = reduce.even, reduce.odd
        channels = even.out_channels + odd.out_channels
        merged = nn.Conv2d(even.in_channels, channels, 2, stride=2, bias=False).to(even.weight)
        with torch.no_grad():
            merged.weight.zero_()
            merged.weight[: even.out_channels, :, 0, 0] = even.weight[:, :, 0, 0]
            merged.weight[even.out_channels :, :, 1, 1] = odd.weight[:, :, 0, 0]
        self.convolution = fuse_conv_bn_eval(merged.eval(), reduce.norm)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        padded = nn.functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        y: Tensor = self.convolution(padded)
        return y
