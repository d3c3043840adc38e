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

from nasaudit.arch.depthwise import padded
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
    pairs = _pairs(folded, noise)
    for convolution_name, norm_name in pairs:
        convolution, norm = folded.get_submodule(convolution_name), folded.get_submodule(norm_name)
        rest = _rest(norm)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert rest is not None
        folded.set_submodule(convolution_name, fuse_conv_bn_eval(convolution, norm))
        folded.set_submodule(norm_name, rest)
    reduces = [(name, part) for name, part in folded.named_modules() if isinstance(part, FactorizedReduce)]
    for name, reduce in reduces:
        folded.set_submodule(name, FoldedReduce(reduce))
    if not pairs and not reduces:
        return None
    # Layers may compute in another way when gradients are on: attacks use both.
    for gradients in (False, True):
        try:
            with torch.set_grad_enabled(gradients):
                expected, got = network(noise).detach(), folded(noise).detach()
            if not (expected - got).abs().max() <= TOLERANCE * (1 + expected.abs().max()):
                return None
        except (AttributeError, TypeError, RuntimeError):  # code that looks into the layers which are gone
            return None
    return folded


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
        elif _rest(module) is not None:
            hooks.append(module.register_forward_pre_hook(lambda _m, x, name=name: before_norm(name, x[0])))
    try:
        with torch.no_grad():
            network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    once = [(convolution, norm) for convolution, norm in pairs if calls[convolution] == calls[norm] == 1]
    return [(convolution, norm) for convolution, norm in once if [c for c, _ in once].count(convolution) == 1]


def _rest(module: nn.Module) -> nn.Module | None:
    """What a frozen BN does besides normalising: nothing, or the activation of timm's BatchNormAct2d.

    None for any other module, which is not folded.
    """
    if not isinstance(module, nn.BatchNorm2d) or module.running_mean is None:
        return None
    if type(module) is nn.BatchNorm2d:
        return nn.Identity()
    activation = getattr(module, "act", None)
    return activation if isinstance(activation, nn.Module) else None


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
        y: Tensor = self.convolution(padded(x, 2))
        return y
