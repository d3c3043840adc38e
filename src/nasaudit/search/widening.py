"""Widen the searched part of a supernet's channels, and keep what its weights learned.

Chen et al., "Net2Net", ICLR 2016, as DrNAS uses it (xiangning-chen/DrNAS f2caa4d, net2wider.py:8-110): a new channel
is a copy of a random old one, in the weights that put it out, in the BN behind them, in those that read it, and in
the momentum of the optimiser. What is copied is not divided by the number of copies: the BN behind every convolution
takes any factor out.
"""

from typing import cast

import torch
from torch import Tensor, nn

from nasaudit.arch.depthwise import DepthwiseConv
from nasaudit.arch.ops import FactorizedReduce
from nasaudit.search.supernet import MixedOp, Supernet, Weighed

# What became of a weight: the new one, and along which dimensions which old entries were copied.
Copies = list[tuple[int, Tensor]]


def widen(supernet: Supernet, parts: int, optimizer: torch.optim.SGD) -> torch.optim.SGD:
    """Let the ops of all edges read the first of `parts` parts of the channels, in place.

    Args:
        supernet: with fewer channels in its ops.
        parts: fewer than before.
        optimizer: of its weights.

    Returns:
        An optimiser with the same settings and, for every weight, the momentum it had, widened like it.
    """
    copied: dict[nn.Parameter, tuple[nn.Parameter, Copies]] = {}
    for mixed in supernet.modules():
        if isinstance(mixed, MixedOp):
            channels = mixed.channels * mixed.parts // parts
            for op in mixed.ops:
                if isinstance(op, Weighed):
                    _widen_op(op, mixed.channels, channels, copied)
            mixed.parts, mixed.channels = parts, channels
    group = dict(optimizer.param_groups[0])
    group.pop("params")
    wider = torch.optim.SGD(supernet.parameters(), **group)
    for weight in supernet.parameters():
        old, copies = copied.get(weight, (weight, []))
        momentum = optimizer.state.get(old, {}).get("momentum_buffer")
        if momentum is not None:
            for dimension, index in copies:
                momentum = _with_copies(momentum, dimension, index)
            wider.state[weight]["momentum_buffer"] = momentum.clone()
    return wider


def _widen_op(
    op: Weighed, before: int, after: int, copied: dict[nn.Parameter, tuple[nn.Parameter, Copies]]
) -> None:
    more = after - before
    if isinstance(op.op, FactorizedReduce):
        read = _draw(before, more)
        halves = []
        for conv, offset in ((op.op.even, 0), (op.op.odd, op.op.even.out_channels)):
            width = after // 2 if conv is op.op.even else after - after // 2
            index = _draw(conv.out_channels, width - conv.out_channels)
            halves.append((offset, conv.out_channels, index))
            _widen_conv(conv, read, index, copied)
        if op.norm is not None:
            # Its channels are those of the one convolution, then of the other.
            order = torch.cat(
                [torch.cat([offset + torch.arange(width), offset + index]) for offset, width, index in halves]
            )
            _reorder_norm(op.norm, order)
        return
    index = _draw(before, more)
    for layer in op.op.modules():
        if isinstance(layer, DepthwiseConv):
            index = _draw(before, more)
            _widen_conv(layer, None, index, copied)
            layer.groups = after
        elif isinstance(layer, nn.Conv2d):
            read, index = index, _draw(before, more)
            _widen_conv(layer, read, index, copied)
        elif isinstance(layer, nn.BatchNorm2d):
            _reorder_norm(layer, torch.cat([torch.arange(before), index]))
    if op.norm is not None:
        _reorder_norm(op.norm, torch.cat([torch.arange(before), index]))


def _draw(old: int, more: int) -> Tensor:
    return torch.randint(old, (more,))


def _with_copies(tensor: Tensor, dimension: int, index: Tensor) -> Tensor:
    return torch.cat([tensor, tensor.index_select(dimension, index.to(tensor.device))], dim=dimension)


def _widen_conv(
    conv: nn.Conv2d,
    read: Tensor | None,
    written: Tensor,
    copied: dict[nn.Parameter, tuple[nn.Parameter, Copies]],
) -> None:
    """Copy input channels `read` (None: it is depthwise) and output channels `written`."""
    old, copies = conv.weight, Copies()
    if read is not None:
        copies.append((1, read))
    copies.append((0, written))
    tensor: Tensor = old.detach()
    for dimension, index in copies:
        tensor = _with_copies(tensor, dimension, index)
    new = nn.Parameter(tensor.to(memory_format=torch.channels_last))
    conv.weight = new
    conv.out_channels += len(written)
    conv.in_channels += len(written) if read is None else len(read)
    copied[new] = (cast(nn.Parameter, old), copies)


def _reorder_norm(norm: nn.BatchNorm2d, order: Tensor) -> None:
    for name in ("running_mean", "running_var"):
        buffer = getattr(norm, name)
        setattr(norm, name, buffer[order.to(buffer.device)].clone())
    norm.num_features = len(order)
