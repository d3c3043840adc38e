"""What every analysis of a trained network works on: a copy, so that the network itself is never touched."""

import copy

import torch
from torch import nn


def frozen(network: nn.Module, device: str | torch.device | None = None) -> nn.Module:
    """A private copy in eval mode whose parameters all take gradients, on this device; None: on the network's own."""
    return copy.deepcopy(network).to(device).eval().requires_grad_(True)
