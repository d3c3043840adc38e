"""Predictions of a network on a Split, in eval mode, without gradients."""

from torch import Tensor, nn

from nasaudit.data.split import Split
from nasaudit.victim.batches import in_batches


def predict(network: nn.Module, split: Split, device: str = "cpu") -> Tensor:
    """fp32 logits [N, K] on the CPU; the network's mode is as before afterwards."""
    was_training = network.training
    network.eval()
    logits = in_batches(network, split, device)
    network.train(was_training)
    return logits.float().cpu()


def accuracy(network: nn.Module, split: Split, device: str = "cpu") -> float:
    """Share of images whose most probable class is the label."""
    return (predict(network, split, device).argmax(dim=1) == split.labels).float().mean().item()
