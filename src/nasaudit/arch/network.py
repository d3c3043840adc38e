"""The audited network: normalisation as its first layer, then the body that an ArchSpec describes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nasaudit.arch.cells import CellNetwork, DropPath
from nasaudit.arch.models import check_model, check_program, model_body, moments_of, reads_channels_last
from nasaudit.containment import contained
from nasaudit.spec.arch import ArchSpec


class Normalise(nn.Module):
    """Subtract the mean and divide by the standard deviation of each channel; both are buffers.

    Three moments make three channels of a gray image, for a body that reads no fewer.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean.float().reshape(1, -1, 1, 1))
        self.register_buffer("std", std.float().reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        return (pixels - self.mean) / self.std


class Network(nn.Module):
    """Pixels in [0,1], [N, C, H, W] -> logits [N, classes]. `spec` says how to build it again.

    Attributes:
        memory_format: channels-last, except for a body that cannot read it.
    """

    def __init__(self, spec: ArchSpec, normalise: Normalise, body: nn.Module):
        super().__init__()
        self.spec = spec
        self.memory_format = torch.channels_last
        self.normalise = normalise
        self.body = body

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        if self.memory_format is not torch.channels_last:
            # With one channel a tensor can be of both formats; its strides say which one convolutions go on with.
            pixels = pixels.contiguous().flatten().view(pixels.shape)
        logits: Tensor = self.body(self.normalise(pixels))
        return logits

    def forward_both(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits, and the auxiliary head's while training (None for a network without one)."""
        if isinstance(self.body, CellNetwork):
            return self.body.forward_both(self.normalise(pixels))
        return self(pixels), None

    @property
    def mean_colour(self) -> Tensor:
        """What normalisation maps to zero: pixels [C], for the channels of the images."""
        mean, channels = self.normalise.mean.flatten(), self.spec.input_shape[0]
        return mean if len(mean) == channels else mean.mean().expand(channels)

    @property
    def drop_path(self) -> DropPath | None:
        """The schedule's handle on scheduled drop-path; None for a manual family."""
        return self.body.drop_path if isinstance(self.body, CellNetwork) else None

    def draw_from(self, generator: torch.Generator | None) -> None:
        """What decides which edges and numbers are dropped in training; None: the global generator."""
        if isinstance(self.body, CellNetwork):
            self.body.drop_path.generator = self.body.dropout.generator = generator


def build(spec: ArchSpec, seed: int = 0, moments: tuple[Tensor, Tensor] | None = None) -> Network:
    """A network with fresh weights, channels-last where it can be.

    Args:
        spec: what to build.
        seed: decides the weights; the global generators are left as they were.
        moments: mean and standard deviation of the training pixels by channel; None: 0.5 and 0.25.

    Raises:
        ModelError: a model that is defined elsewhere cannot be built for these images and classes.
    """
    # Layers initialise themselves from the global generators: these are borrowed here, and given back.
    with contained(seed):
        body: nn.Module
        if spec.model is not None:
            body = model_body(spec, spec.model)
        elif spec.genotype is not None:
            body = CellNetwork(spec)
        else:
            # timm takes as long to import as torch, which workers that build cells need not wait for.
            from nasaudit.arch.manual.networks import manual_body

            body = manual_body(spec)
        network = Network(spec, Normalise(*moments_of(spec, moments)), body)
    if spec.model is not None and not reads_channels_last(spec, spec.model, network):
        network.memory_format = torch.contiguous_format
        return network
    return network.to(memory_format=torch.channels_last)


def check(spec: ArchSpec, by_pixels: Sequence[str] = (), by_weights: Sequence[str] = ()) -> Network:
    """Build a network and try all that will be done with it, so that a model which fails is bad input.

    Args:
        spec: of the network.
        by_pixels: names of what will take gradients by its pixels.
        by_weights: names of what will take gradients by its weights.

    Returns:
        A fresh network.

    Raises:
        ModelError: it cannot be built, trained or attacked; the message says why.
    """
    network = build(spec)
    if spec.model is not None and spec.model.is_program:
        check_program(spec, spec.model, network, by_pixels, by_weights)
    elif spec.model is not None:
        check_model(spec, spec.model, network)
    return network
