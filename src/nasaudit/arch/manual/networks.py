"""The manual families as modules: timm's classes, the numbers of `families`, a stem for small images."""

from functools import partial, singledispatch

from timm.layers.classifier import ClassifierHead
from timm.layers.norm_act import GroupNormAct
from timm.layers.std_conv import StdConv2d
from timm.models.densenet import DenseNet
from timm.models.dla import DLA, DlaBasic, DlaTree
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.resnetv2 import ResNetV2
from timm.models.vgg import VGG
from torch import nn

from nasaudit.arch.manual.families import FAMILIES, Aggregated, Dense, Plain, Plan, PreActivation, Residual
from nasaudit.errors import UnknownNameError
from nasaudit.spec.arch import ArchSpec


def manual_body(spec: ArchSpec) -> nn.Module:
    """The network of a manual family: normalised images [N, C, H, W], sides from 8 -> logits [N, classes].

    Weights come from the global generator, which the caller seeds.

    Raises:
        UnknownNameError: `spec.family`, or else `spec.name`, is not a manual family.
    """
    family = spec.family or spec.name
    if family not in FAMILIES:
        raise UnknownNameError("manual family", family, FAMILIES)
    body = _build(FAMILIES[family][spec.scale], spec.input_shape[0], spec.classes)
    for module in body.modules():
        if isinstance(module, nn.ReLU):
            # In-place activations overwrite what hooks and function transforms look at.
            module.inplace = False
        elif isinstance(module, nn.MaxPool2d):
            # Odd sides round up, as strided convolutions do: a small image keeps at least one pixel.
            module.ceil_mode = True
    return body


@singledispatch
def _build(plan: Plan, channels_in: int, classes: int) -> nn.Module:
    raise TypeError(f"expected a plan of arch.families, got {plan!r}")


@_build.register
def _residual(plan: Residual, channels_in: int, classes: int) -> nn.Module:
    network: nn.Module = ResNet(
        # timm annotates an instance here, and takes the class.
        Bottleneck if plan.bottleneck else BasicBlock,  # type: ignore[arg-type]
        plan.blocks,
        num_classes=classes,
        in_chans=channels_in,
        channels=plan.widths,
        cardinality=plan.groups,
        base_width=plan.group_width,
        # timm fixes its plain stem at 64 channels; the deep one, replaced below, takes half of any width.
        stem_type="deep",
        stem_width=plan.stem // 2,
        # All gradients are alive at initialisation, where gradient variance is measured.
        zero_init_last=False,
    )
    network.conv1 = _stem(channels_in, plan.stem)
    network.maxpool = nn.Identity()
    return network


@_build.register
def _pre_activation(plan: PreActivation, channels_in: int, classes: int) -> nn.Module:
    convolution = partial(StdConv2d, eps=1e-8)
    network: nn.Module = ResNetV2(
        list(plan.blocks),
        channels=plan.widths,
        num_classes=classes,
        in_chans=channels_in,
        stem_chs=plan.stem,
        norm_layer=partial(GroupNormAct, num_groups=plan.norm_groups),
        conv_layer=convolution,
    )
    stem = convolution(channels_in, plan.stem, kernel_size=3, stride=1, padding=1)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    network.stem = stem
    return network


@_build.register
def _dense(plan: Dense, channels_in: int, classes: int) -> nn.Module:
    network = DenseNet(
        growth_rate=plan.growth,
        block_config=plan.blocks,
        bn_size=plan.bottleneck,
        num_classes=classes,
        in_chans=channels_in,
    )
    network.features.conv0 = _stem(channels_in, 2 * plan.growth)
    network.features.pool0 = nn.Identity()
    return network


@_build.register
def _aggregated(plan: Aggregated, channels_in: int, classes: int) -> nn.Module:
    network = DLA(plan.levels, plan.widths, num_classes=classes, in_chans=channels_in, block=DlaBasic)
    network.base_layer[0] = _stem(channels_in, plan.widths[0])
    # The first tree and the level before it keep the resolution: for 224x224 they halve it.
    network.level1[0].stride = (1, 1)
    network.level2 = DlaTree(plan.levels[2], DlaBasic, plan.widths[1], plan.widths[2], stride=1)
    for module in network.level2.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


@_build.register
def _plain(plan: Plain, channels_in: int, classes: int) -> nn.Module:
    layers: list[int | str] = []
    for width, convolutions in zip(plan.widths, plan.convolutions, strict=True):
        layers += [width] * convolutions + ["M"]
    # The two hidden layers of 4,096 are for 224x224; one unit stands in for them until they are replaced.
    network: nn.Module = VGG(
        layers, num_classes=classes, in_chans=channels_in, norm_layer=nn.BatchNorm2d, mlp_ratio=1 / 4096
    )
    network.pre_logits = nn.Identity()
    network.head = ClassifierHead(plan.widths[-1], classes, pool_type="avg")
    return network


def _stem(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the resolution, with He et al.'s initialisation."""
    stem = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    return stem
