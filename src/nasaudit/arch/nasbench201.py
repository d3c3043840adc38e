"""A cell of NAS-Bench-201 as a network: stem, three stages of cells, residual blocks between, a linear classifier.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020, section 2.1.
The stem is a 3x3 convolution with 16 channels; each stage stacks N = 5 cells; a residual block of stride 2 halves the
resolution and doubles the channels. A node of a cell adds up one op of each earlier node; the last is the output.
Deviations: N = 1 below `paper` scale (`spec.arch.SIZE_201`); odd sides, which 32x32 images never have,
round up.
"""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

from nasaudit.arch.ops import Pool, Zero
from nasaudit.spec.arch import SIZE_201, ArchSpec
from nasaudit.spec.nasbench201 import parse_201


def relu_conv_bn(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """The convolutional op of the space: what it reads is rectified first."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
    )


OPS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: Zero(1),
    "skip_connect": lambda channels: nn.Identity(),
    "nor_conv_1x1": lambda channels: relu_conv_bn(channels, channels, 1),
    "nor_conv_3x3": lambda channels: relu_conv_bn(channels, channels, 3),
    "avg_pool_3x3": lambda channels: Pool("avg", 1),
}


class Cell201(nn.Module):
    """[N, C, H, W] -> [N, C, H, W]."""

    def __init__(self, nodes: tuple[tuple[str, ...], ...], channels: int):
        super().__init__()
        self.nodes = nn.ModuleList(nn.ModuleList(OPS[op](channels) for op in node) for node in nodes)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        states = [x]
        for node in self.nodes:
            terms = [op(state) for op, state in zip(cast(nn.ModuleList, node), states, strict=True)]
            states.append(sum(terms[1:], terms[0]))
        return states[-1]


class Reduction201(nn.Module):
    """A basic residual block of stride 2; its shortcut averages 2x2 pixels before a 1x1 convolution."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.first = relu_conv_bn(channels_in, channels_out, 3, stride=2)
        self.second = relu_conv_bn(channels_out, channels_out, 3)
        self.shortcut = nn.Sequential(
            # Odd sides round up, as strided convolutions do.
            nn.AvgPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        y: Tensor = self.shortcut(x) + self.second(self.first(x))
        return y


class Network201(nn.Module):
    """Normalised images [N, C, H, W] -> logits [N, classes]."""

    def __init__(self, spec: ArchSpec, text: str):
        super().__init__()
        nodes = parse_201(text)
        channels, cells = SIZE_201[spec.scale]
        self.stem = nn.Sequential(
            nn.Conv2d(spec.input_shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.cells = nn.ModuleList()
        for stage in range(3):
            if stage:
                self.cells.append(Reduction201(channels, 2 * channels))
                channels *= 2
            self.cells.extend(Cell201(nodes, channels) for _ in range(cells))
        self.last = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, spec.classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """What is averaged over positions before the classifier, [N, C, H, W]."""
        y = self.stem(x)
        for cell in self.cells:
            y = cell(y)
        features: Tensor = self.last(y)
        return features

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        logits: Tensor = self.classifier(self.forward_features(x).mean(dim=(2, 3)))
        return logits
