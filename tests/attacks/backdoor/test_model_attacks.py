"""TrojanNN, Latent and IMC on a trained victim: what each one optimises, and that it is optimised."""

import pytest
import torch
from torch.nn import functional as F

from nasaudit.attacks.backdoor.base import append_copies
from nasaudit.attacks.backdoor.features import FeatureTap, head_weight
from nasaudit.attacks.backdoor.imc import Imc, Twin
from nasaudit.attacks.backdoor.latent import UNLABELLED, Latent, matching_loss
from nasaudit.attacks.backdoor.trigger import noise, patch
from nasaudit.attacks.backdoor.trojannn import TrojanNN
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import ImcSpec, LatentSpec, TrojanNNSpec
from nasaudit.spec.attacks.backdoor import paper_trojannn
from nasaudit.testing.backdoor import BackdoorConformance

SHAPE = (1, 8, 8)


class TestTrojanNN(BackdoorConformance):
    def attack(self, seed=0):
        return TrojanNN(TrojanNNSpec(steps=10, seed=seed))


class TestLatent(BackdoorConformance):
    def attack(self, seed=0):
        return Latent(LatentSpec(steps=5, seed=seed))


class TestImc(BackdoorConformance):
    def attack(self, seed=0):
        return Imc(ImcSpec(seed=seed))


def features(network, pixels) -> torch.Tensor:
    with FeatureTap(network) as tap, torch.no_grad():
        network.eval()(pixels)
        return tap.take()


def test_the_most_connected_neurons_have_the_largest_sum_of_weights(network, ground):
    weight = head_weight(network)
    sums = [(sum(abs(float(w)) for w in weight[:, t]), t) for t in range(weight.shape[1])]
    expected = [t for _, t in sorted(sums, reverse=True)]
    assert TrojanNN(TrojanNNSpec(neurons=4)).chosen(network, ground).tolist() == expected[:4]
    with pytest.raises(SpecError, match=rf"neurons: expected at most {len(expected)}"):
        TrojanNN(TrojanNNSpec(neurons=len(expected) + 1)).chosen(network, ground)


def test_published_setting_the_neurons_are_those_of_the_lowest_mean_activation(network, ground):
    """ain-soph/autovul, autovul/vision/attacks/backdoor/trojannn.py:94: argsort(descending=False)[:neuron_num]."""
    network.eval()
    activations = features(network, ground.train.pixels(torch.arange(len(ground.train)))).double().mean(0)
    expected = sorted(range(len(activations)), key=lambda t: float(activations[t]))[:2]
    assert TrojanNN(paper_trojannn()).chosen(network, ground).tolist() == expected


def test_published_setting_the_mark_begins_white_and_fully_visible_and_ends_at_a_norm(network, ground):
    """ain-soph/autovul, trojannn.py:75, :107-119: x is the white mark on zeros, until |f - 10| in L2 is below 5."""
    spec = paper_trojannn()
    attack = TrojanNN(spec)
    chosen = attack.chosen(network.eval(), ground)

    def norm(pattern, target):
        x = pattern[None] * (patch(spec, SHAPE).mask > 0)
        activations = [float(value) for value in features(network, x)[0, chosen]]
        return sum((value - target) ** 2 for value in activations) ** 0.5

    x = torch.zeros(1, *SHAPE)
    x[:, :, :3, :3] = 1
    with FeatureTap(network) as tap:
        for _ in range(20):
            x.requires_grad_()
            network(x)
            (gradient,) = torch.autograd.grad((tap.take()[:, chosen] - 10).norm(p=2), x)
            x = (x.detach() - 0.015 * gradient.sign()).clamp(0, 1)
            x[:, :, 3:], x[:, :, :, 3:] = 0, 0
    found = attack.trigger(network, ground)
    assert found.opacity == pytest.approx(
        0.3
    )  # as it is applied: bash/mitigation_backdoor.sh:13, --mark_alpha 0.7
    assert norm(found.pattern, 10.0) <= norm(x[0], 10.0) + 1e-4  # theirs keeps the last one
    # An end that the white mark itself is nearer than: nothing is optimised. As a sum of squares it is not reached.
    white = patch(spec, SHAPE).pattern
    away = norm(white, 10.0)
    at_once = TrojanNN(spec.model_copy(update={"threshold": away * 1.001})).trigger(network, ground)
    torch.testing.assert_close(at_once.pattern, white)
    later = TrojanNN(spec.model_copy(update={"threshold": away * 0.999})).trigger(network, ground)
    assert away > 1.01
    assert not torch.equal(later.pattern, white)


@pytest.mark.parametrize("neurons", [1, 2, 4, 8])
def test_trojannn_brings_the_chosen_neurons_near_to_the_target_value(network, ground, neurons):
    empty = torch.zeros(1, *SHAPE)
    chosen = TrojanNN(TrojanNNSpec(neurons=neurons)).chosen(network, ground)
    # A value that a patch of this size can reach: what another patch of it does to these neurons.
    spec = TrojanNNSpec(size=5, neurons=neurons, steps=150, step_size=0.01, seed=1)
    other = patch(spec, SHAPE).with_pattern(noise(SHAPE, 99))
    reachable = features(network, other(empty))[0, chosen]
    target = float(reachable.mean())
    spec = spec.model_copy(update={"target_value": target})
    start = patch(spec, SHAPE).with_pattern(noise(SHAPE, spec.seed))
    before = features(network, start(empty))[0, chosen]
    after = features(network, TrojanNN(spec).trigger(network, ground)(empty))[0, chosen]
    best = (reachable - target).square().sum()
    assert (after - target).square().sum() <= best + 0.02
    if neurons == 1:
        assert abs(float(after) - target) < 0.05 * max(1.0, abs(target))
        assert abs(float(before) - target) > abs(float(after) - target)


def test_trojannn_raises_the_activation_towards_a_value_out_of_reach(network, ground):
    empty = torch.zeros(1, *SHAPE)
    spec = TrojanNNSpec(size=3, neurons=2, target_value=100.0)
    chosen = TrojanNN(spec).chosen(network, ground)
    start = patch(spec, SHAPE).with_pattern(noise(SHAPE, spec.seed))
    before, after = (
        features(network, trigger(empty))[0, chosen].sum()
        for trigger in (start, TrojanNN(spec).trigger(network, ground))
    )
    assert after > before + 0.05


def test_the_patch_of_the_published_steps_moves_at_most_as_far_as_they_reach(network, ground):
    spec = TrojanNNSpec(steps=20, step_size=0.015, opacity=0.3)
    start = noise(SHAPE, spec.seed)
    moved = (TrojanNN(spec).trigger(network, ground).pattern - start).abs()
    assert 1 / 255 < moved.max() <= 0.3 + 1e-6  # the artifact's slip would keep it within 1/255
    assert moved[:, 3:].eq(0).all()


def test_latent_minimises_the_distance_of_all_pairs_by_that_to_the_mean(network, ground):
    attack = Latent(LatentSpec(size=3))
    target = attack.target_features(network, ground)
    rows = (ground.train.labels == 0).nonzero().squeeze(1)
    theirs = features(network, ground.train.pixels(rows)).double()
    torch.testing.assert_close(target.double(), theirs.mean(0), rtol=1e-4, atol=1e-5)
    # The paper's sum over pairs less the distance to the mean does not depend on the image.
    mine = features(network, ground.train.pixels(torch.arange(5))).double()
    pairs = (mine[:, None] - theirs[None]).square().mean(dim=(1, 2))
    to_mean = (mine - theirs.mean(0)).square().mean(1)
    assert float((pairs - to_mean).std()) < 1e-9


def test_latent_finds_a_patch_whose_features_are_nearer_to_the_targets(network, ground):
    attack = Latent(LatentSpec(size=3, steps=30))
    target = attack.target_features(network, ground)
    trigger = attack.trigger(network, ground, target)
    pixels = ground.train.pixels(torch.arange(200))
    distances = [
        F.mse_loss(features(network, images), target.expand(200, -1))
        for images in (
            pixels,
            patch(attack.spec, SHAPE).with_pattern(noise(SHAPE, 0))(pixels),
            trigger(pixels),
        )
    ]
    assert distances[2] < distances[1]


def test_the_matching_loss_is_the_papers_j(network):
    pixels, labels = torch.rand(6, *SHAPE), torch.tensor([1, 2, 3, 4, 5, 6])
    stamp = patch(LatentSpec(), SHAPE)
    batch, wanted = append_copies(stamp, UNLABELLED, 0.5)(pixels, labels, torch.Generator().manual_seed(0))
    assert wanted[6:].tolist() == [UNLABELLED] * 3
    target = torch.rand(64)
    network.eval()
    with FeatureTap(network) as tap:
        logits = network(batch)
        found = matching_loss(tap, target, 2.5)(logits, wanted)
    clean = network(pixels)
    by_hand = -clean.log_softmax(1)[torch.arange(6), labels].mean()
    by_hand = by_hand + 2.5 * (features(network, stamp(pixels[:3])) - target).square().mean()
    torch.testing.assert_close(found, by_hand)


def test_a_step_of_imc_lowers_the_loss_towards_the_target_and_leaves_the_model_alone(network, ground):
    spec = ImcSpec(size=3, step_size=0.05)
    twin = Twin(network.train(), patch(spec, SHAPE).with_pattern(noise(SHAPE, 0)), spec)
    pixels = ground.train.pixels(torch.arange(64))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def loss() -> float:
        network.eval()
        logits = network(twin.trigger(pixels))
        network.train()
        return float(F.cross_entropy(logits, torch.zeros(64, dtype=torch.long)).detach())

    first = loss()
    for _ in range(10):
        twin.improve(pixels)
    assert loss() < first
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("spec", [TrojanNNSpec, LatentSpec, ImcSpec])
def test_attacks_on_a_trained_model_cannot_start_from_scratch(spec):
    with pytest.raises(SpecError, match="from_scratch: expected false"):
        spec.parse({"from_scratch": True})
