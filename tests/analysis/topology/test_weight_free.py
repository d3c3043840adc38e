"""Weight-independent paths: none in the catalogue; detectors and gates found; what cannot be followed says so."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nasaudit.analysis.topology.weight_free import Join, weight_free_paths
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.network import build
from nasaudit.attacks.backdoor.architectural import Detecting
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.study import ArchChoice

SHAPE = (3, 8, 8)


def mini(name: str):
    return build(resolve(ArchChoice(name=name), "mini", 10, SHAPE))


class Small(nn.Module):
    """A stem, a residual block, a classifier."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.block = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        self.scale = nn.Parameter(torch.ones(1))
        self.classifier = nn.Linear(4, 10)
        self.register_buffer("filter", torch.rand(1, 3, 3, 3))

    def features(self, x):
        y = self.stem(2 * x - 1)
        return y + self.block(y)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def detected(x):
    return F.avg_pool2d((x.exp() - 1) ** 10, 3, padding=1, stride=1).amin(1, keepdim=True)


class Added(Small):
    def forward(self, x):
        return self.classifier((self.features(x) + detected(x)).mean((2, 3)))


class Gated(Small):
    def features(self, x):
        y = self.stem(x)
        y *= 1 - torch.sigmoid(50 * detected(x))
        return y


class Scaled(Small):
    """A learned scale and a fixed filter make no path learned."""

    def forward(self, x):
        trigger = self.scale * F.conv2d(x, self.filter, padding=1) + self.scale
        return self.classifier((self.features(x) + trigger).mean((2, 3)))


class Beside(Small):
    def features(self, x):
        return torch.cat([self.stem(x)[:, :1], x], dim=1)


class Chosen(Small):
    def forward(self, x):
        logits = super().forward(x)
        return torch.where(x.amax((1, 2, 3))[:, None] > 0.99, logits.flip(1), logits)


class Unlearned(Small):
    def forward(self, x):
        return x.mean((1, 2, 3))[:, None].expand(-1, 10) * self.scale


class Unused(Small):
    def forward(self, x):
        self.seen = self.features(x) + detected(x)
        return super().forward(x)


class Branching(Small):
    def forward(self, x):
        return super().forward(x if x.max() > 0.99 else x.flip(1))


class Outside(Small):
    def forward(self, x):
        logits = super().forward(x)
        return logits + torch.from_numpy(np.sign(x.numpy().mean((1, 2, 3)))[:, None])


@pytest.mark.parametrize("name", [name for name in CATALOGUE if CATALOGUE[name].group != "hardened"])
def test_no_network_of_the_catalogue_has_one(name):
    network = mini(name).train()
    assert weight_free_paths(network, SHAPE) == ()
    assert all(module.training and not module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Small, ()),
        (Added, (Join("add", ""),)),
        (Gated, (Join("mul", ""),)),
        (Scaled, (Join("add", ""),)),
        (Beside, (Join("cat", ""),)),
        (Chosen, (Join("where", ""),)),
        (Unlearned, (Join("logits", ""),)),
        (Unused, ()),
        (Branching, None),
        (Outside, None),
    ],
)
def test_what_joins_the_features_without_a_learned_layer_is_found(module, expected):
    assert weight_free_paths(module(), SHAPE) == expected


@pytest.mark.parametrize("name", ["darts", "resnet"])
def test_the_architectural_backdoor_is_found(name):
    network = mini(name)
    assert isinstance(network.spec, ArchSpec)
    assert weight_free_paths(Detecting(network, 0, 10, 100.0), SHAPE) == (Join("add", ""),)
