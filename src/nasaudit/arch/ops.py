"""The ops that edges carry: ReLU-conv-BN as in Liu et al., "DARTS", ICLR 2019, appendix A.

Each op maps [N, C, H, W] to [N, C', H/stride, W/stride]; sides that are odd are rounded up. The ReLU that the
convolutional ops begin with is not in them: several edges read one node, and its rectified form is computed
once for all of them (`cells.State`). `reads_rectified` says which ops want it.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from nasaudit.arch.depthwise import DepthwiseConv, padded


def conv_bn(channels_in: int, channels_out: int) -> nn.Sequential:
    """A 1x1 convolution and BN: how a cell brings its (rectified) inputs to its own width."""
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))


class FactorizedReduce(nn.Module):
    """Halve the resolution of a rectified input with two 1x1 stride-2 convolutions.

    The second one reads one pixel off, so that no pixel is lost. With gradients on, both run as one 2x2 stride-2
    convolution whose kernel holds their weights at its corners and zeros elsewhere: the same sums, and a backward
    pass 4 times as fast on a CPU, since no strided view of the image needs a gradient of its own.
    """

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        first = channels_out // 2
        self.even = nn.Conv2d(channels_in, first, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - first, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        # An odd side has no pixel after its last: zeros stand in, so that both halves have one shape.
        x = padded(x, 2)
        if torch.is_grad_enabled():
            corners = [
                nn.functional.pad(self.even.weight, (0, 1, 0, 1)),
                nn.functional.pad(self.odd.weight, (1, 0, 1, 0)),
            ]
            y = nn.functional.conv2d(x, torch.cat(corners), stride=2)
        else:
            y = torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1)
        normalised: Tensor = self.norm(y)
        return normalised


def _round(channels_in: int, channels_out: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    """Depthwise convolution, pointwise convolution, BN."""
    return [
        DepthwiseConv(channels_in, kernel, stride=stride, dilation=dilation),
        nn.Conv2d(channels_in, channels_out, 1, bias=False),
        nn.BatchNorm2d(channels_out),
    ]


def separable_conv(channels: int, kernel: int, stride: int) -> nn.Sequential:
    """Two rounds of depthwise-separable convolution; only the first one strides."""
    return nn.Sequential(
        *_round(channels, channels, kernel, stride, dilation=1),
        nn.ReLU(),
        *_round(channels, channels, kernel, 1, dilation=1),
    )


def dilated_conv(channels: int, kernel: int, stride: int) -> nn.Sequential:
    """One round of depthwise-separable convolution with dilation 2."""
    return nn.Sequential(*_round(channels, channels, kernel, stride, dilation=2))


def conv_7x1_1x7(channels: int, stride: int) -> nn.Sequential:
    """A 1x7 and a 7x1 convolution in a row (AmoebaNet, NASNet)."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, (1, 7), stride=(1, stride), padding=(0, 3), bias=False),
        nn.Conv2d(channels, channels, (7, 1), stride=(stride, 1), padding=(3, 0), bias=False),
        nn.BatchNorm2d(channels),
    )


class Pool(nn.Module):
    """3x3 pooling; the average leaves the padding out of its count."""

    def __init__(self, kind: Literal["max", "avg"], stride: int):
        super().__init__()
        self.kind, self.stride = kind, stride

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if self.kind == "max":
            return nn.functional.max_pool2d(x, 3, self.stride, 1)
        return nn.functional.avg_pool2d(x, 3, self.stride, 1, count_include_pad=False)


class Zero(nn.Module):
    """The op `none`: zeros at the right resolution."""

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


# (channels, stride) -> the op of a genotype's edge.
BUILDERS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda channels, stride: Zero(stride),
    "skip_connect": lambda channels, stride: (
        nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    ),
    "max_pool_3x3": lambda channels, stride: Pool("max", stride),
    "avg_pool_3x3": lambda channels, stride: Pool("avg", stride),
    "sep_conv_3x3": lambda channels, stride: separable_conv(channels, 3, stride),
    "sep_conv_5x5": lambda channels, stride: separable_conv(channels, 5, stride),
    "sep_conv_7x7": lambda channels, stride: separable_conv(channels, 7, stride),
    "dil_conv_3x3": lambda channels, stride: dilated_conv(channels, 3, stride),
    "dil_conv_5x5": lambda channels, stride: dilated_conv(channels, 5, stride),
    "conv_7x1_1x7": conv_7x1_1x7,
}


def reads_rectified(op: nn.Module) -> bool:
    """Whether an op begins with a ReLU, which whoever calls it has to apply."""
    return not isinstance(op, nn.Identity | Pool | Zero)
