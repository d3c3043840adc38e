"""Memory layout as an ordinary differentiable function."""

from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """`x` [N, C, H, W] with its values next to each other in memory, the channels of a pixel first.

    It is `x.contiguous(memory_format=torch.channels_last)`, a copy only where one is needed; written so that
    `torch.func.vmap`, which knows no memory formats, transforms it too.
    """
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
