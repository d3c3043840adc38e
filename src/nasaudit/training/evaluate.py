"""Predictions of a network on a Split, in eval mode, without gradients."""

import torch
from torch import Tensor, nn

from nasaudit.data.split import Split

BATCH = 256


@torch.no_grad()
def predict(network: nn.Module, split: Split, device: str = "cpu") -> Tensor:
    """fp32 logits [N, K] on the CPU; the network's mode is as before afterwards."""
    was_training = network.training
    network.eval()
    logits = [
        network(split.pixels(slice(start, start + BATCH)).to(device)).float().cpu()
        for start in range(0, len(split), BATCH)
    ]
    network.train(was_training)
    return torch.cat(logits)


def accuracy(network: nn.Module, split: Split, device: str = "cpu") -> float:
    """Share of images whose most probable class is the label."""
    return (predict(network, split, device).argmax(dim=1) == split.labels).float().mean().item()
