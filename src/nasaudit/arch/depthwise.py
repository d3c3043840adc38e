"""Depthwise convolution whose dilated and strided forms are cast into kernels that are fast on a CPU.

A dilation of d reads one phase of the image for each output phase: splitting the image into d x d phases
turns it into a plain convolution (Shensa 1992, "a trous" algorithm). With stride d only phase (0, 0)
is left. The result is the same sum of the same products; only the order of memory changes. On AVX-512 the
library's backward pass of a dilated depthwise convolution takes 4 to 20 times as long as that of a plain one.
"""

from torch import Tensor, nn


def channels_last(x: Tensor) -> Tensor:
    """`x` [N, C, H, W] with its values next to each other in memory, the channels of a pixel first.

    It is `x.contiguous(memory_format=torch.channels_last)`, a copy only where one is needed; written so that
    `torch.func.vmap`, which knows no memory formats, transforms it too.
    """
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)


def padded(x: Tensor, sides: int) -> Tensor:
    """`x` [N, C, H, W] with zeros below and to the right, up to sides that `sides` divides.

    Where there is nothing to add it is `x` itself: PyTorch's `pad` would copy it, and its gradient too.
    """
    right, below = -x.shape[3] % sides, -x.shape[2] % sides
    return nn.functional.pad(x, (0, right, 0, below)) if right or below else x


class DepthwiseConv(nn.Conv2d):
    """`nn.Conv2d(C, C, k, stride, padding=dilation * (k // 2), dilation, groups=C)`, with a faster backward."""

    def __init__(self, channels: int, kernel: int, stride: int = 1, dilation: int = 1, bias: bool = False):
        super().__init__(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=dilation * (kernel // 2),
            dilation=dilation,
            groups=channels,
            bias=bias,
        )

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102 (nn.Conv2d's own name)
        if self.dilation[0] == 1 or input.device.type != "cpu":
            return super().forward(input)
        return dilated(input, self.weight, self.bias, self.stride[0], self.dilation[0])


def dilated(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, dilation: int) -> Tensor:
    """Depthwise convolution with padding `dilation * (k // 2)`, by phases.

    Args:
        x: [N, C, H, W].
        weight: [C, 1, k, k], k odd.
        bias: [C] or None.
        stride: 1, or `dilation`.
        dilation: at least 1.

    Returns:
        [N, C, ceil(H / stride), ceil(W / stride)].
    """
    channels, pad = x.shape[1], weight.shape[2] // 2
    if stride == dilation:
        phase = channels_last(x[:, :, ::stride, ::stride])
        return nn.functional.conv2d(phase, weight, bias, 1, pad, 1, channels)
    if stride != 1:
        return nn.functional.conv2d(x, weight, bias, stride, dilation * pad, dilation, channels)
    n, _, height, width = x.shape
    d = dilation
    x = padded(x, d)
    rows, columns = x.shape[2] // d, x.shape[3] // d
    # [N, C, rows, d, columns, d] -> [d, d, N] images of one phase each, channels last in memory.
    phases = x.permute(0, 2, 3, 1).reshape(n, rows, d, columns, d, channels).permute(2, 4, 0, 1, 3, 5)
    phases = phases.reshape(d * d * n, rows, columns, channels).permute(0, 3, 1, 2)
    y = nn.functional.conv2d(phases, weight, bias, 1, pad, 1, channels)
    y = y.permute(0, 2, 3, 1).reshape(d, d, n, rows, columns, channels).permute(2, 3, 0, 4, 1, 5)
    y = y.reshape(n, rows * d, columns * d, channels)[:, :height, :width]
    return y.permute(0, 3, 1, 2)
