"""Tiny victims: small enough that what an attack should find is known, or quick to compute.

Their weights come from a seed, never from the global generator.
"""

from functools import cache

import torch
from torch import Tensor, nn

from nasaudit.testing.data import synthetic_split


class LinearVictim(nn.Module):
    """Two classes and a margin that is linear in the pixels: logits (0, w.(x - 1/2) + b).

    The optimum of an attack on it is known. With linf it is x - eps sign(w) (for the margin to fall), clipped
    to [0,1]; with l2, x - eps w / |w| as long as no pixel leaves [0,1].
    """

    def __init__(self, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 0, bias: float = 0.0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.w = nn.Parameter(torch.randn(shape, generator=generator))
        self.b = nn.Parameter(torch.tensor(float(bias)))

    def margin(self, pixels: Tensor) -> Tensor:
        """w.(x - 1/2) + b, [N]: positive for class 1."""
        return ((pixels - 0.5) * self.w).flatten(1).sum(1) + self.b

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        margin = self.margin(pixels)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


class TinyConvNet(nn.Module):
    """Two convolutions with batch normalisation, its statistics far from initial, and a linear head."""

    def __init__(
        self, shape: tuple[int, int, int] = (1, 8, 8), classes: int = 4, channels: int = 8, seed: int = 0
    ):
        super().__init__()
        with torch.random.fork_rng():
            torch.random.manual_seed(seed)
            self.features = nn.Sequential(
                nn.Conv2d(shape[0], channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
                nn.Conv2d(channels, channels, 3, padding=1, stride=2),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            self.head = nn.Linear(channels, classes)
            for module in self.features:
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.uniform_(module.weight, 0.5, 2.0)
                    nn.init.normal_(module.bias, 0.0, 0.3)
                    module.running_mean = torch.randn(channels) * 0.2
                    module.running_var = torch.rand(channels) + 0.25

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        logits: Tensor = self.head(self.features(pixels).mean(dim=(2, 3)))
        return logits


@cache
def _trained_state(shape: tuple[int, int, int], classes: int) -> dict[str, Tensor]:
    split = synthetic_split(128, classes, shape, seed=11)
    network = TinyConvNet(shape, classes)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
    pixels = split.pixels()
    for _ in range(40):
        optimiser.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(network(pixels), split.labels))
        optimiser.step()
    return network.state_dict()


def trained_conv_net(shape: tuple[int, int, int] = (1, 8, 8), classes: int = 4) -> TinyConvNet:
    """A TinyConvNet that has learned `synthetic_split`, in eval mode; a fresh copy at each call."""
    network = TinyConvNet(shape, classes)
    network.load_state_dict(_trained_state(shape, classes))
    return network.eval()
