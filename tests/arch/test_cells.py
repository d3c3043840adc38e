import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cells import Dropout, State
from nasaudit.arch.network import build
from nasaudit.spec.study import ArchChoice

# Parameters at 36 initial channels, 20 cells, no auxiliary head, for 10 and for 100 classes. The DARTS V1 and
# PC-DARTS counts agree to the last digit with logs that others published (3.169414 M, 3.634678 M).
PUBLISHED = {
    "amoebanet": (3145078, 3184048),
    "darts": (3349342, 3401272),
    "darts_v1": (3169414, 3221344),
    "drnas": (4099294, 4151224),
    "enas": (3859894, 3924784),
    "nasnet": (3830950, 3895840),
    "pc_darts": (3634678, 3686608),
    "pdarts": (3433798, 3485728),
    "sgas": (3795166, 3847096),
    "snas": (2661382, 2713312),
    "random": (2645830, 2697760),
    "darts-i": (3349342, 3401272),
    "darts-ii": (3889126, 3941056),
    "darts-iii": (3889126, 3941056),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_counts_are_the_published_ones(name):
    for classes, expected in zip((10, 100), PUBLISHED[name], strict=True):
        spec = resolve(ArchChoice(name=name), "paper", classes, (3, 32, 32))
        assert sum(parameter.numel() for parameter in build(spec).parameters()) == expected


@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 28, 28), (1, 8, 8), (3, 33, 31)])
def test_every_mini_cell_runs_forward_and_backward(shape):
    for name in PUBLISHED:
        network = build(resolve(ArchChoice(name=name), "mini", 7, shape))
        logits = network(torch.rand(2, *shape))
        assert logits.shape == (2, 7)
        logits.sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters()), name


def test_auxiliary_head_is_used_in_training_only():
    spec = resolve(ArchChoice(name="darts", auxiliary=True), "mini", 10, (3, 32, 32))
    network, images = build(spec), torch.rand(2, 3, 32, 32)
    assert network.forward_both(images)[1].shape == (2, 10)
    assert network.eval().forward_both(images)[1] is None


def test_drop_path_keeps_the_expectation_and_drops_whole_images():
    network = build(resolve(ArchChoice(name="darts", drop_path=0.3), "mini", 10, (3, 28, 28)))
    drop = network.drop_path
    drop.probability, drop.generator = 0.3, torch.Generator().manual_seed(0)
    x = torch.ones(20000, 1, 2, 2)
    dropped = drop.train()(x)
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert bool((dropped.flatten(1).std(dim=1) == 0).all())
    assert drop.eval()(x) is x


def test_dropout_zeroes_numbers_alone_and_repeats_its_draws():
    drop = Dropout(0.2).train()
    x = torch.ones(200, 8, 5, 5).to(memory_format=torch.channels_last)
    for _ in range(2):
        drop.generator = torch.Generator().manual_seed(0)
        once, drop.generator = drop(x), torch.Generator().manual_seed(0)
        assert torch.equal(drop(x), once)
    assert once.unique().tolist() == [0.0, 1.25]
    zeros = (once == 0).double()
    assert zeros.mean().item() == pytest.approx(0.2, abs=4 * (0.16 / x.numel()) ** 0.5)
    # No image, channel or place is dropped as a whole: its share of zeros varies as that of independent numbers.
    for kept in range(4):
        by = zeros.mean(dim=[d for d in range(4) if d != kept])
        assert by.var(correction=0).item() == pytest.approx(0.16 * len(by) / x.numel(), rel=0.8)
    assert drop.eval()(x) is x


def test_published_setting_dropout_stands_behind_every_op_but_the_identity():
    """The artifact's rule written out: ain-soph/autovul, autovul/vision/utils/model_archs/darts/operations.py.

    Lines 14 to 19 return `none` and a skip of stride 1 bare; lines 71 and 72 add nn.Dropout behind the BN of all
    else, pools and strided skips too; features.py:17 to 19 has none in the preprocessing. Here it triples.
    """

    class Triple(nn.Module):
        def forward(self, x):
            return 3 * x

    ops = set()
    for name in ("amoebanet", "darts", "enas", "nasnet", "random"):
        cells = build(resolve(ArchChoice(name=name), "mini", 4, (1, 8, 8))).double().body.cells
        for cell, reduction in ((cells[0], False), (cells[1], True)):
            cell.dropout = Triple()
            before_previous, previous = (
                torch.rand(3, layers[0].in_channels, 8, 8, dtype=torch.double)
                for layers in (cell.preprocess0, cell.preprocess1)
            )
            states = [cell.preprocess0(before_previous), cell.preprocess1(previous)]
            for node, built in zip(cell.genotype.nodes, cell.nodes, strict=True):
                total = 0
                for edge, op in zip(node, built, strict=True):
                    strided = reduction and edge.source < 2
                    identity = edge.op == "skip_connect" and not strided
                    source = states[edge.source]
                    y = op(source if "pool" in edge.op or identity else source.relu())
                    total = total + (y if identity else 3 * y)
                    ops.add((edge.op, strided))
                states.append(total)
            expected = torch.cat([states[node] for node in cell.genotype.concat], dim=1)
            found = cell(State(before_previous), State(previous)).raw
            torch.testing.assert_close(found, expected)
    assert {
        ("skip_connect", True),
        ("max_pool_3x3", True),
        ("avg_pool_3x3", False),
        ("dil_conv_3x3", False),
    } <= ops


def test_building_is_deterministic_and_leaves_the_global_generator():
    spec = resolve(ArchChoice(name="darts"), "mini", 10, (3, 28, 28))
    before = torch.random.get_rng_state()
    one, two, other = build(spec, 1), build(spec, 1), build(spec, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [network.body.classifier.weight for network in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_gradients_can_be_taken_twice():
    """Hessian-vector products need the custom backward to be differentiable itself."""
    network = build(resolve(ArchChoice(name="darts"), "mini", 3, (1, 8, 8))).eval().double()
    x = torch.rand(1, 1, 8, 8, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda v: network(v).square().sum(), (x,), fast_mode=True, atol=1e-4)


def test_every_cell_but_the_robust_ones_has_its_numbers():
    cells = [name for name in CATALOGUE if CATALOGUE[name].group not in ("manual", "robust_nas")]
    assert sorted(cells) == sorted(PUBLISHED)
