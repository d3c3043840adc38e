"""What a network costs: its parameters, the operations of one forward pass, and which ops they belong to."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nasaudit.arch.cells import Cell, CellNetwork
from nasaudit.arch.network import Network

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Cost:
    """Trainable values, and floating-point operations of one image."""

    parameters: int = 0
    flops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.parameters + other.parameters, self.flops + other.flops)


def count_parameters(module: nn.Module) -> int:
    """Number of trainable values; a tensor that two layers share counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_flops(module: nn.Module, input_shape: Shape) -> int:
    """Floating-point operations of the evaluation of one image, 2 for each multiply-add.

    Convolutions and linear layers are counted, from their definition and the shape of what they put out, so
    that it does not matter by which kernel they are computed. Biases, norms, activations and poolings, some
    percent of the whole, are left out, as in the papers; so are the products of an attention. The module is not
    changed: shapes are followed through a copy, without data where its code allows that.

    Args:
        module: maps [N, C, H, W] to anything.
        input_shape: (C, H, W).
    """
    return sum(_flops_by_layer(module, input_shape).values())


def cost_by_op(network: Network, input_shape: Shape) -> dict[str, Cost]:
    """Parameters and FLOPs of each part of a network, in the order in which the parts first appear.

    Of a cell network the parts are the ops that the edges of all its cells carry, under the names of the genotype and
    with 0 where an op has no weights, and `stem`, `preprocess` (what brings a cell's inputs to its width),
    `classifier`, and `auxiliary` where there is such a head. A hand-made network has no edges: its parts are the
    kinds of layers (`conv_3x3`, `conv_1x1`, `grouped_conv_3x3`, `linear`, `norm`, `other`).

    The sums over the parts are `count_parameters` and `count_flops`; what these leave out is left out here.
    """
    body = network.body
    if isinstance(body, CellNetwork):
        part = _cell_parts(body)
    else:  # only layers that have weights of their own
        layers = body.named_modules()
        part = {name: _kind(layer) for name, layer in layers if any(True for _ in layer.parameters(False))}
    flops = _flops_by_layer(network, input_shape)
    costs: dict[str, Cost] = {}
    counted: set[int] = set()
    for name, layer in network.named_modules():
        op = part.get(name.removeprefix("body").removeprefix(".")) if name.startswith("body") else None
        if op is None:
            continue
        own = [own for own in layer.parameters(recurse=False) if id(own) not in counted]
        counted.update(map(id, own))
        costs[op] = costs.get(op, Cost()) + Cost(sum(map(torch.numel, own)), flops.get(name, 0))
    return costs


def _cell_parts(body: CellNetwork) -> dict[str, str]:
    """The part that each module of a cell network belongs to, by its name."""
    begins = {"stem": "stem", "classifier": "classifier"}  # the module in which each part begins
    if body.auxiliary is not None:
        begins["auxiliary"] = "auxiliary"
    for position, cell in enumerate(body.cells):
        assert isinstance(cell, Cell)
        begins[f"cells.{position}.preprocess0"] = begins[f"cells.{position}.preprocess1"] = "preprocess"
        for number, node in enumerate(cell.genotype.nodes):
            for slot, edge in enumerate(node):
                if edge.op != "none":
                    begins[f"cells.{position}.nodes.{number}.{slot}"] = edge.op
    return {
        name: op
        for prefix, op in begins.items()
        for name, _ in body.get_submodule(prefix).named_modules(prefix=prefix)
    }


def _kind(layer: nn.Module) -> str:
    if isinstance(layer, nn.Conv2d):
        height, width = layer.kernel_size
        return f"{'' if layer.groups == 1 else 'grouped_'}conv_{height}x{width}"
    if isinstance(layer, nn.Linear):
        return "linear"
    norms = nn.modules.batchnorm._BatchNorm | nn.GroupNorm | nn.LayerNorm
    return "norm" if isinstance(layer, norms) else "other"


def _flops_by_layer(module: nn.Module, input_shape: Shape) -> dict[str, int]:
    """FLOPs of each layer that has any, by the (first) name of the layer."""
    try:
        return _watched(_without_data(module).eval(), torch.empty(1, *input_shape, device="meta"))
    except Exception:
        # Code that asks for a value, or makes tensors of its own, does not work without data.
        device = next((parameter.device for parameter in module.parameters()), None)
        return _watched(copy.deepcopy(module).eval(), torch.zeros(1, *input_shape, device=device))


def _watched(shapes: nn.Module, image: Tensor) -> dict[str, int]:
    flops: dict[str, int] = {}

    def count(name: str, inputs: int, output: Tensor) -> None:
        flops[name] = flops.get(name, 0) + 2 * output.numel() * inputs

    for name, layer in shapes.named_modules():
        if isinstance(layer, nn.Conv2d):  # each output is a weighted sum of so many inputs
            inputs = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
        elif isinstance(layer, nn.Linear):
            inputs = layer.in_features
        else:
            continue
        layer.register_forward_hook(lambda _m, _x, y, name=name, inputs=inputs: count(name, inputs, y))
    with torch.no_grad():
        shapes(image)
    return flops


def _without_data(module: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers have shapes and no values ("meta" tensors)."""
    twins: dict[int, object] = {}
    for parameter in module.parameters():
        twins[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
    for buffer in module.buffers():
        twins[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, twins)
