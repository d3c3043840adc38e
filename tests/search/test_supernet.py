"""The supernet against one that applies one op at a time."""

import pytest
import torch
from torch import nn

from nasaudit.arch.ops import BUILDERS, Pool, reads_rectified
from nasaudit.search.supernet import Mixture, Supernet, everything, shuffled
from nasaudit.spec.searches.space import SPACES, SpaceSpec

SMALL = SpaceSpec(name="small", primitives=SPACES["darts"].primitives, nodes=2)


def net(space=SMALL, parts=1, cells=3):
    torch.manual_seed(0)
    moments = (torch.tensor([0.5]), torch.tensor([0.25]))
    return Supernet(space, 8, cells, (1, 8, 8), 3, moments, parts).double()


def mixtures(space, active=None):
    generator = torch.Generator().manual_seed(1)
    size = (len(space.sources), len(space.primitives))
    return {
        kind: Mixture(
            torch.randn(size, generator=generator).softmax(dim=-1).double(), active or everything(space)
        )
        for kind in space.kinds
    }


def literal_edge(mixed, space, stride, channels, x, weights):
    """Every op alone, as the equation has it: sum of weight times BN(op(x)), BN without scale and shift."""
    total = 0.0
    for position, name in enumerate(space.primitives):
        if name == "none":
            continue
        op = BUILDERS[name](channels, stride).double()
        weighed = mixed.ops[position]
        parts = [weighed.op] if weighed.norm is None else [weighed.op, weighed.norm]
        own = [value for part in parts for value in part.parameters()]
        read = torch.relu(x) if reads_rectified(op) else x
        for module in op.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.affine, module.weight, module.bias = False, None, None
        for mine, theirs in zip(op.parameters(), own, strict=True):
            mine.data.copy_(theirs)
        y = op.train()(read)
        if isinstance(op, Pool):
            y = nn.functional.batch_norm(y, None, None, training=True)
        total = total + weights[position] * y
    return total


@pytest.mark.parametrize("stride", [1, 2])
def test_a_mixed_op_is_the_weighted_sum_of_its_ops(stride):
    """quark0/darts f276dd3, cnn/model_search.py:23-24, in float64."""
    from nasaudit.arch.cells import State
    from nasaudit.search.supernet import MixedOp

    mixed = MixedOp(SMALL, 8, stride).double()
    for module in mixed.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.affine, module.weight, module.bias = False, None, None
    x = torch.randn(4, 8, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    weights = torch.linspace(0.1, 0.9, len(SMALL.primitives), dtype=torch.float64, requires_grad=True)
    got = mixed(State(x), weights, everything(SMALL)[0])
    expected = literal_edge(mixed, SMALL, stride, 8, x, weights)
    torch.testing.assert_close(got, expected)
    direction = torch.randn(got.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    (ours,) = torch.autograd.grad((got * direction).sum(), weights)
    (theirs,) = torch.autograd.grad((expected * direction).sum(), weights)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", list(SPACES))
def test_every_space_has_a_supernet(name):
    space = SPACES[name]
    supernet = net(space, cells=1 if space.skeleton == "nasbench201" else 3)
    logits = supernet(torch.rand(2, 1, 8, 8, dtype=torch.float64), mixtures(space))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()


def test_ops_that_are_not_active_are_not_computed():
    """And count nothing, whatever their weight."""
    mixed = mixtures(SMALL)
    first = SMALL.primitives.index("max_pool_3x3")
    active = ((first,),) * len(SMALL.sources)
    supernet = net()
    pixels = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    alone = supernet(pixels, {kind: Mixture(mixture.weights, active) for kind, mixture in mixed.items()})
    only = torch.zeros(len(SMALL.primitives), dtype=torch.float64)
    only[first] = 1
    zeroed = {kind: Mixture(mixture.weights * only, everything(SMALL)) for kind, mixture in mixed.items()}
    torch.testing.assert_close(net()(pixels, zeroed), alone)
    alone.sum().backward()
    assert all(op.weight.grad is None for name, op in supernet.named_modules() if name.endswith("ops.4.op.0"))


def test_shuffled_channels_take_turns():
    """yuhuixu1993/PC-DARTS b74702f, model_search.py:9-22."""
    x = torch.arange(8.0).view(1, 8, 1, 1)
    assert shuffled(x, 4).flatten().tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_only_a_part_of_the_channels_is_searched():
    """The rest passes by, pooled where the edge strides (model_search.py:39-53)."""
    from nasaudit.arch.cells import State
    from nasaudit.search.supernet import MixedOp

    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(0))
    mixed = MixedOp(SMALL, 8, 2, parts=4)
    weights = torch.full((len(SMALL.primitives),), 0.2)
    y = mixed(State(x), weights, everything(SMALL)[0])
    assert y.shape == (2, 8, 3, 3)
    pooled = nn.functional.max_pool2d(x[:, 2:], 2)
    unshuffled = shuffled(y, 2)  # groups of 4 in 8 channels: the inverse has 2
    torch.testing.assert_close(unshuffled[:, 2:], pooled)
