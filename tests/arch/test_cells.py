import pytest
import torch

from nasaudit.arch.catalogue import CATALOGUE, resolve
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


def test_the_catalogue_has_the_seventeen_of_the_talk_darts_v1_and_three_hardened():
    assert len(CATALOGUE) == 18 + 3
    assert len(PUBLISHED) == 11 + 3
