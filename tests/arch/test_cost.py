import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nasaudit.arch.cost import count_flops, count_parameters


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
