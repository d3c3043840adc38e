"""What a network costs: its parameters, and the operations of one forward pass."""

import copy

import torch
from torch import Tensor, nn


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values; a tensor that two layers share counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_flops(module: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Floating-point operations of the evaluation of one image, 2 for each multiply-add.

    Convolutions and linear layers are counted, from their definition and the shape of what they put out, so
    that it does not matter by which kernel they are computed. Biases, norms, activations and poolings, some
    percent of the whole, are left out, as in the papers. The module is not run and not changed: shapes are
    followed through a copy without data.

    Args:
        module: maps [N, C, H, W] to anything.
        input_shape: (C, H, W).
    """
    shapes = _without_data(module).eval()
    total = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        total += _layer_flops(layer, output)

    for layer in shapes.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        shapes(torch.empty(1, *input_shape, device="meta"))
    return total


def _layer_flops(layer: nn.Module, output: Tensor) -> int:
    """2 x outputs x (inputs that each output is a weighted sum of)."""
    if isinstance(layer, nn.Conv2d):
        height, width = layer.kernel_size
        return 2 * output.numel() * (layer.in_channels // layer.groups) * height * width
    if isinstance(layer, nn.Linear):
        return 2 * output.numel() * layer.in_features
    raise TypeError(f"expected a convolution or a linear layer, got {type(layer).__name__}")


def _without_data(module: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers have shapes and no values ("meta" tensors)."""
    twins: dict[int, object] = {}
    for parameter in module.parameters():
        twins[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    for buffer in module.buffers():
        twins[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, twins)
