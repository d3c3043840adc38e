"""The stages of a manual family, in words and as a picture. No torch."""

import hashlib
from dataclasses import dataclass

from nasaudit.arch.manual.families import FAMILIES, Aggregated, Dense, Plain, PreActivation, Residual
from nasaudit.arch.pictures.svg import FONT, picture, safe
from nasaudit.errors import UnknownNameError
from nasaudit.spec.arch import Scale

_WIDTH, _MARGIN, _ROW = 360.0, 14.0, 34.0


@dataclass(frozen=True)
class Stage:
    """One part of a network between two changes of resolution.

    Attributes:
        layers: in words, e.g. `2 basic blocks`.
        channels: that it puts out.
        halvings: how often the image's side was halved before its output.
    """

    layers: str
    channels: int
    halvings: int

    def __str__(self) -> str:
        side = "full side" if self.halvings == 0 else f"1/{2**self.halvings} of the side"
        return f"{self.layers}: {self.channels} channels, {side}"


def family_stages(name: str, scale: Scale) -> list[Stage]:
    """The stages of a manual family, stem first.

    Raises:
        UnknownNameError: `name` is not a manual family.
    """
    if name not in FAMILIES:
        raise UnknownNameError("manual family", name, FAMILIES)
    plan = FAMILIES[name][scale]
    match plan:
        case Residual():
            kind = "bottleneck" if plan.bottleneck else "basic block"
            groups = f", {plan.groups} groups" if plan.groups > 1 else ""
            out = 4 if plan.bottleneck else 1
            return _stem(plan.stem) + [
                Stage(_count(blocks, kind) + groups, out * width, k)
                for k, (blocks, width) in enumerate(zip(plan.blocks, plan.widths, strict=True))
            ]
        case PreActivation():
            return _stem(plan.stem) + [
                Stage(_count(blocks, "pre-activation bottleneck"), width, k)
                for k, (blocks, width) in enumerate(zip(plan.blocks, plan.widths, strict=True))
            ]
        case Dense():
            stages, channels = _stem(2 * plan.growth), 2 * plan.growth
            for k, layers in enumerate(plan.blocks):
                channels = (channels if k == 0 else channels // 2) + layers * plan.growth
                stages.append(Stage(_count(layers, "dense layer"), channels, k))
            return stages
        case Aggregated():
            stages = _stem(plan.widths[0])
            for k, (depth, width) in enumerate(zip(plan.levels, plan.widths, strict=True)):
                level = _count(depth, "convolution") if k < 2 else f"tree of depth {depth}"
                stages.append(Stage(level, width, max(0, k - 2)))
            return stages
        case Plain():
            return [
                Stage(_count(convolutions, "convolution"), width, k)
                for k, (convolutions, width) in enumerate(zip(plan.convolutions, plan.widths, strict=True))
            ]


def describe_family(name: str, scale: Scale) -> str:
    """The stages as lines of text; raises like `family_stages`."""
    return "\n".join(f"  {stage}" for stage in family_stages(name, scale))


def draw_family_svg(name: str, scale: Scale, title: str) -> str:
    """The stages from top to bottom, each with a bar as long as it has channels; raises like `family_stages`."""
    stages = family_stages(name, scale)
    most = max(stage.channels for stage in stages)
    parts = []
    for row, stage in enumerate(stages):
        top = _MARGIN + row * _ROW
        length = (_WIDTH - 2 * _MARGIN) * stage.channels / most
        parts.append(f'<text x="{_MARGIN:g}" y="{top + 10:g}">{safe(str(stage))}</text>')
        parts.append(
            f'<rect class="b" x="{_MARGIN:g}" y="{top + 15:g}" width="{length:.1f}" height="9" rx="3"/>'
        )
    key = "stages-" + hashlib.sha256(f"{title}:{name}:{scale}".encode()).hexdigest()[:10]
    rules = {"text": f"font-family:{FONT};font-size:12px;fill:#1f2430", ".b": "fill:#0b63b0"}
    size = (_WIDTH, 2 * _MARGIN + _ROW * len(stages) - 8)
    return picture(key, f"Stages of {title}", describe_family(name, scale), rules, size, parts)


def _stem(channels: int) -> list[Stage]:
    return [Stage("stem", channels, 0)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
