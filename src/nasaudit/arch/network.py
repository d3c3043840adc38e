"""The audited network: normalisation as its first layer, then the body that an ArchSpec describes."""

import torch
from torch import Tensor, nn

from nasaudit.arch.cells import CellNetwork, DropPath
from nasaudit.arch.manual import manual_body
from nasaudit.spec.arch import ArchSpec


class Normalise(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel; both are buffers."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean.float().reshape(1, -1, 1, 1))
        self.register_buffer("std", std.float().reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return (pixels - self.mean) / self.std


class Network(nn.Module):
    """Pixels in [0,1], [N, C, H, W] -> logits [N, classes]. `spec` says how to build it again."""

    def __init__(self, spec: ArchSpec, normalise: Normalise, body: nn.Module):
        super().__init__()
        self.spec = spec
        self.normalise = normalise
        self.body = body

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        logits: Tensor = self.body(self.normalise(pixels))
        return logits

    def forward_both(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits, and the auxiliary head's while training (None for a network without one)."""
        if isinstance(self.body, CellNetwork):
            return self.body.forward_both(self.normalise(pixels))
        return self(pixels), None

    @property
    def drop_path(self) -> DropPath | None:
        """The schedule's handle on scheduled drop-path; None for a manual family."""
        return self.body.drop_path if isinstance(self.body, CellNetwork) else None


def build(spec: ArchSpec, seed: int = 0, moments: tuple[Tensor, Tensor] | None = None) -> Network:
    """A network with fresh weights, channels-last.

    Args:
        spec: what to build.
        seed: decides the weights; the global generator is left as it was.
        moments: mean and standard deviation of the training pixels by channel; None: 0.5 and 0.25.
    """
    if moments is None:
        channels = spec.input_shape[0]
        moments = torch.full((channels,), 0.5), torch.full((channels,), 0.25)
    with torch.random.fork_rng():
        # Layers initialise themselves from the global generator: it is borrowed here, and given back.
        torch.random.manual_seed(seed)
        body = CellNetwork(spec) if spec.genotype is not None else manual_body(spec)
    return Network(spec, Normalise(*moments), body).to(memory_format=torch.channels_last)
