"""Networks of NAS-Bench-201 against its published numbers and its published definition written out."""

import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.cost import cost_by_op, count_flops, count_parameters
from nasaudit.arch.nasbench201 import Cell201
from nasaudit.arch.network import build
from nasaudit.spec.arch import FLOPS_BUDGET, IMAGE_SIDE
from nasaudit.spec.nasbench201 import parse_201


def text(op):
    return f"|{op}~0|+|{op}~0|{op}~1|+|{op}~0|{op}~1|{op}~2|"


def network(cell, scale="paper", classes=10, shape=(3, 32, 32)):
    return build(resolve(choose(cell), scale, classes, shape))


@pytest.mark.parametrize(
    ("op", "classes", "parameters", "mega_flops"),
    [
        # The smallest and the largest of the space as its API has them: "Params" (MB stands for a million there) and
        # "FLOP", in millions of multiply-adds and with one addition for each bias of the classifier.
        ("none", 10, 0.073306, 7.78305),
        ("nor_conv_3x3", 10, 1.531546, 220.11969),
        ("none", 100, 0.079156, 7.7889),
        ("nor_conv_3x3", 100, 1.537396, 220.12554),
    ],
)
def test_parameters_and_flops_are_the_published_ones(op, classes, parameters, mega_flops):
    made = network(text(op), classes=classes)
    assert count_parameters(made) == round(parameters * 1e6)
    assert count_flops(made, (3, 32, 32)) / 2 + classes == pytest.approx(mega_flops * 1e6, abs=6)


def test_a_cell_is_its_equation():
    cell = parse_201(
        "|nor_conv_1x1~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|skip_connect~2|"
    )
    made = Cell201(cell, 4).eval()
    x = torch.randn(2, 4, 7, 7)
    one = made.nodes[0][0](x)
    two = x + 0 * one
    average = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    expected = average(x) + made.nodes[2][1](one) + two
    assert torch.allclose(made(x), expected, atol=1e-6)


@pytest.mark.parametrize("side", [8, 28, 33])
def test_any_side_works_forward_and_backward(side):
    made = network(text("nor_conv_1x1"), "mini", shape=(1, side, side))
    pixels = torch.rand(2, 1, side, side, requires_grad=True)
    made(pixels).sum().backward()
    assert pixels.grad is not None
    assert made(pixels).shape == (2, 10)


@pytest.mark.parametrize("scale", FLOPS_BUDGET)
def test_strong_cells_stay_within_the_budget_of_their_scale(scale):
    strong = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    low, high = FLOPS_BUDGET[scale]
    shape = (3, IMAGE_SIDE[scale], IMAGE_SIDE[scale])
    assert low <= count_flops(network(strong, scale, shape=shape), shape) <= high
    assert count_flops(network(text("nor_conv_3x3"), scale, shape=shape), shape) <= 1.1 * high


def test_the_parts_of_the_cost_add_up():
    made = network(text("nor_conv_1x1"), "mini")
    costs = cost_by_op(made, (3, 32, 32))
    assert sum(cost.parameters for cost in costs.values()) == count_parameters(made)
    assert sum(cost.flops for cost in costs.values()) == count_flops(made, (3, 32, 32))
