"""What is said of a manual family's stages, against the network that is built."""

import xml.etree.ElementTree as ET

import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.manual.families import FAMILIES
from nasaudit.arch.network import build
from nasaudit.arch.pictures.stages import describe_family, draw_family_svg, family_stages
from nasaudit.errors import UnknownNameError
from nasaudit.spec.study import ArchChoice


@pytest.mark.parametrize("name", FAMILIES)
def test_the_stages_are_those_of_the_network(name):
    """Channels in front of the classifier, and the smallest side that a 3x3 convolution puts out, of 64x64 images."""
    network = build(resolve(ArchChoice(name=name), "mini", 10, (3, 64, 64))).eval()
    sides = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            layer.register_forward_hook(lambda _layer, _input, output: sides.append(output.shape[-1]))
    with torch.no_grad():
        network(torch.rand(1, 3, 64, 64))
    classifier = [p for p in network.parameters() if p.ndim > 1][-1]
    last = family_stages(name, "mini")[-1]
    assert classifier.shape[:2] == (10, last.channels)
    assert min(sides) == 64 // 2**last.halvings


@pytest.mark.parametrize("scale", ["mini", "paper"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_described_and_drawn(name, scale):
    stages = family_stages(name, scale)
    assert describe_family(name, scale).count("\n") == len(stages) - 1
    picture = ET.fromstring(draw_family_svg(name, scale, "<b>&"))
    bars = [rect for rect in picture.iter("{http://www.w3.org/2000/svg}rect") if rect.get("class") == "b"]
    widths = [float(bar.get("width")) for bar in bars]
    assert len(widths) == len(stages)
    most = max(stage.channels for stage in stages)
    assert widths == [pytest.approx(332 * stage.channels / most, abs=0.1) for stage in stages]
    assert all(len(line) <= 80 for line in describe_family(name, scale).splitlines())


def test_a_cell_network_is_no_family():
    with pytest.raises(UnknownNameError, match="manual family"):
        describe_family("darts", "mini")
