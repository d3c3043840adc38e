import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cost import Cost, cost_by_op, count_flops, count_parameters
from nasaudit.arch.network import Network, Normalise, build
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.genotype import Cell as GenotypeCell
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.study import ArchChoice


def small_net():
    """Plain, strided, grouped, depthwise, dilated and non-square convolutions, then a linear layer."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=4),
        nn.Conv2d(12, 12, 5, padding=4, dilation=2, groups=12, bias=False),
        nn.Conv2d(12, 6, (1, 7), padding=(0, 3)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(6, 10),
    )


def test_flops_equal_the_closed_form():
    convolutions = (
        8 * 3 * 9 * 10 * 14  # outputs x inputs x kernel x positions
        + 12 * (8 // 4) * 9 * 5 * 7
        + 12 * 1 * 25 * 5 * 7
        + 6 * 12 * 7 * 5 * 7
    )
    assert count_flops(small_net(), (3, 10, 14)) == 2 * (convolutions + 6 * 10)


def test_flops_equal_those_of_torchs_own_counter():
    net = small_net().eval()
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, 10, 14))
    assert count_flops(net, (3, 10, 14)) == counter.get_total_flops()


def test_a_layer_that_runs_twice_counts_twice():
    layer = nn.Conv2d(4, 4, 1)
    assert count_flops(nn.Sequential(layer, layer), (4, 6, 6)) == 2 * count_flops(layer, (4, 6, 6))
    assert count_parameters(nn.Sequential(layer, layer)) == 4 * 4 + 4


def test_counting_changes_nothing():
    net = small_net()
    net[1].eval()
    modes = [module.training for module in net.modules()]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()
    count_flops(net, (3, 8, 8))
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.device.type == "cpu" for parameter in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_parameters_equal_the_closed_form_and_leave_buffers_out():
    expected = (8 * 27 + 8) + 2 * 8 + (12 * 2 * 9 + 12) + 12 * 25 + (6 * 12 * 7 + 6) + (6 * 10 + 10)
    assert count_parameters(small_net()) == expected


TINY = Genotype(
    normal=GenotypeCell(nodes=[[("sep_conv_3x3", 0), ("skip_connect", 1)]], concat=(2,)),
    reduction=GenotypeCell(nodes=[[("skip_connect", 0), ("max_pool_3x3", 1)]], concat=(2,)),
)


def test_the_cost_by_op_of_a_small_cell_network_is_that_counted_by_hand():
    """3 cells of 4 channels on 1x8x8: the first is normal, the other two are reductions with 8 and 16 channels.

    Weights by hand (k in x out, and 2 for each channel of a norm); FLOPs are 2 x weights x positions.
    """
    spec = ArchSpec(
        name="tiny", group="custom", input_shape=(1, 8, 8), genotype=TINY, init_channels=4, n_cells=3
    )
    costs = cost_by_op(build(spec), spec.input_shape)
    assert costs["stem"] == Cost(12 * 9 + 2 * 12, 2 * 12 * 9 * 64)
    # normal cell: inputs 12 and 12 channels; first reduction: 12 and 4; second: 4 (halved in sides) and 8.
    preprocess = [(12, 4, 64), (12, 4, 64), (12, 8, 64), (4, 8, 64), (4, 16, 16), (8, 16, 16)]
    assert costs["preprocess"] == Cost(
        sum(before * after + 2 * after for before, after, _ in preprocess),
        sum(2 * before * after * positions for before, after, positions in preprocess),
    )
    # Two rounds of 3x3 depthwise, 1x1 pointwise and norm with 4 channels.
    assert costs["sep_conv_3x3"] == Cost(2 * (9 * 4 + 4 * 4 + 8), 2 * 2 * (9 * 4 + 4 * 4) * 64)
    # At stride 1 nothing; at stride 2 a factorized reduce, two 1x1 convolutions to half the channels each.
    assert costs["skip_connect"] == Cost(8 * 8 + 16 + 16 * 16 + 32, 2 * (8 * 8 * 16 + 16 * 16 * 4))
    assert costs["max_pool_3x3"] == Cost(0, 0)
    assert costs["classifier"] == Cost(16 * 10 + 10, 2 * 16 * 10)
    assert set(costs) == {
        "stem", "preprocess", "sep_conv_3x3", "skip_connect", "max_pool_3x3", "classifier"
    }  # fmt: skip


def test_the_cost_by_kind_of_layer_of_a_hand_made_network_is_the_closed_form():
    net = Network(ArchSpec(name="vgg", group="manual"), Normalise(torch.zeros(3), torch.ones(3)), small_net())
    costs = cost_by_op(net, (3, 10, 14))
    assert costs == {
        "conv_3x3": Cost(8 * 27 + 8, 2 * 8 * 27 * 140),
        "norm": Cost(16, 0),
        "grouped_conv_3x3": Cost(12 * 2 * 9 + 12, 2 * 12 * 2 * 9 * 35),
        "grouped_conv_5x5": Cost(12 * 25, 2 * 12 * 25 * 35),
        "conv_1x7": Cost(6 * 12 * 7 + 6, 2 * 6 * 12 * 7 * 35),
        "linear": Cost(6 * 10 + 10, 2 * 6 * 10),
    }


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_parts_of_every_architecture_make_up_the_whole(name):
    auxiliary = CATALOGUE[name].genotype is not None
    spec = resolve(ArchChoice(name=name, auxiliary=auxiliary), "mini", 10, (3, 28, 28))
    network = build(spec)
    costs = cost_by_op(network, spec.input_shape)
    assert ("auxiliary" in costs) == auxiliary
    assert sum(cost.parameters for cost in costs.values()) == count_parameters(network)
    assert sum(cost.flops for cost in costs.values()) == count_flops(network, spec.input_shape)
