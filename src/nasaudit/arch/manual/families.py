"""The manual families as numbers: a dataclass for each kind of network, a table with every scale. No torch.

`paper` holds the published networks in their form for 32x32 images: a 3x3 stride-1 stem and no pooling in
front of the first stage, so that stages work at 1, 1/2, 1/4 and 1/8 of the image's side.
`mini` and `small` keep each family's building block and stage plan, and narrow it until a forward pass costs about
what the cells of that scale cost (`spec.arch.FLOPS_BUDGET`).
"""

from dataclasses import dataclass

from nasaudit.spec.arch import Scale


@dataclass(frozen=True)
class Residual:
    """ResNet, ResNeXt, WideResNet (He et al. 2016; Xie et al. 2017; Zagoruyko and Komodakis 2016).

    Attributes:
        stem: channels of the stem.
        widths: planes of each stage; a bottleneck puts out four times as many channels.
        blocks: blocks of each stage.
        bottleneck: 1x1, 3x3, 1x1 instead of two 3x3 convolutions.
        groups: groups of the 3x3 convolution of a bottleneck.
        group_width: channels of one group when a stage has 64 planes; in proportion otherwise.
    """

    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    bottleneck: bool = False
    groups: int = 1
    group_width: int = 64


@dataclass(frozen=True)
class PreActivation:
    """BiT: pre-activation bottlenecks, group norm, weight-standardised convolutions (Kolesnikov et al. 2020).

    Attributes:
        stem: channels of the stem.
        widths: channels that each stage puts out; its bottlenecks have a quarter of them.
        blocks: blocks of each stage.
        norm_groups: groups of every group norm.
    """

    stem: int
    widths: tuple[int, ...]
    blocks: tuple[int, ...]
    norm_groups: int


@dataclass(frozen=True)
class Dense:
    """DenseNet-BC (Huang et al. 2017): each layer reads all earlier ones of its block, transitions halve.

    Attributes:
        growth: channels that a layer adds; the stem has twice as many.
        blocks: layers of each block.
        bottleneck: channels of a layer's 1x1 convolution, in units of `growth`.
    """

    growth: int
    blocks: tuple[int, ...]
    bottleneck: int


@dataclass(frozen=True)
class Aggregated:
    """DLA (Yu et al. 2018): two convolutions, then four trees of basic blocks.

    Attributes:
        widths: channels of the six levels; the stem has those of the first.
        levels: convolutions of the first two levels, then depths of the four trees.
    """

    widths: tuple[int, int, int, int, int, int]
    levels: tuple[int, int, int, int, int, int]


@dataclass(frozen=True)
class Plain:
    """VGG with batch norm (Simonyan and Zisserman 2015): 3x3 convolutions, max-pooling after each stage.

    Attributes:
        widths: channels of each stage; the classifier is one linear layer on the last ones, pooled.
        convolutions: convolutions of each stage.
    """

    widths: tuple[int, ...]
    convolutions: tuple[int, ...]


Plan = Residual | PreActivation | Dense | Aggregated | Plain

FAMILIES: dict[str, dict[Scale, Plan]] = {
    "bit": {
        "paper": PreActivation(64, (256, 512, 1024, 2048), (3, 4, 6, 3), norm_groups=32),
        "small": PreActivation(32, (64, 128, 256, 512), (2, 2, 2, 2), norm_groups=8),
        "mini": PreActivation(16, (32, 64, 128, 256), (1, 1, 2, 1), norm_groups=4),
    },
    "densenet": {
        "paper": Dense(growth=32, blocks=(6, 12, 24, 16), bottleneck=4),
        "small": Dense(growth=12, blocks=(3, 6, 12, 8), bottleneck=4),
        "mini": Dense(growth=8, blocks=(1, 3, 6, 4), bottleneck=4),
    },
    "dla": {
        "paper": Aggregated((16, 32, 64, 128, 256, 512), (1, 1, 1, 2, 2, 1)),
        "small": Aggregated((12, 12, 14, 28, 56, 112), (1, 1, 1, 2, 2, 1)),
        "mini": Aggregated((8, 8, 8, 16, 16, 32), (1, 1, 1, 2, 2, 1)),
    },
    "resnet": {
        "paper": Residual(64, (64, 128, 256, 512), (2, 2, 2, 2)),
        "small": Residual(20, (20, 40, 80, 160), (2, 2, 2, 2)),
        "mini": Residual(8, (8, 16, 32, 64), (2, 2, 2, 2)),
    },
    "resnext": {
        "paper": Residual(64, (64, 128, 256, 512), (3, 4, 6, 3), bottleneck=True, groups=32, group_width=4),
        "small": Residual(16, (16, 32, 64, 128), (2, 2, 2, 2), bottleneck=True, groups=8, group_width=16),
        "mini": Residual(8, (8, 16, 32, 64), (1, 1, 1, 1), bottleneck=True, groups=4, group_width=32),
    },
    "vgg": {
        "paper": Plain((64, 128, 256, 512, 512), (2, 2, 2, 2, 2)),
        "small": Plain((28, 56, 112, 224, 224), (2, 2, 2, 2, 2)),
        "mini": Plain((12, 24, 48, 96, 96), (2, 2, 2, 2, 2)),
    },
    "wideresnet": {
        "paper": Residual(64, (64, 128, 256, 512), (3, 4, 6, 3), bottleneck=True, group_width=128),
        "small": Residual(16, (10, 20, 40, 80), (2, 2, 2, 2), bottleneck=True, group_width=128),
        "mini": Residual(8, (6, 12, 24, 48), (1, 1, 1, 1), bottleneck=True, group_width=128),
    },
}
