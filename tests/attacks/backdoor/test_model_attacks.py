"""TrojanNN, Latent and IMC on a trained victim: what each one optimises, and that it is optimised."""

import pytest
import torch
from torch.nn import functional as F

from nasaudit.attacks.backdoor.base import append_copies
from nasaudit.attacks.backdoor.features import FeatureTap, head_weight
from nasaudit.attacks.backdoor.imc import Imc, Twin
from nasaudit.attacks.backdoor.latent import UNLABELLED, Latent, matching_loss
from nasaudit.attacks.backdoor.trigger import noise, patch
from nasaudit.attacks.backdoor.trojannn import TrojanNN, strongest
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import ImcSpec, LatentSpec, TrojanNNSpec
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


def test_the_strongest_neurons_have_the_largest_sum_of_weights():
    weight = torch.tensor([[1.0, -5.0, 0.5, 2.0], [1.0, 0.0, -0.5, 2.5]])
    assert strongest(weight, 2).tolist() == [1, 3]  # sums 2, 5, 1, 4.5
    assert strongest(weight, 4).tolist() == [1, 3, 0, 2]
    with pytest.raises(SpecError, match=r"neurons: expected at most 4"):
        strongest(weight, 5)


@pytest.mark.parametrize("neurons", [1, 2, 4, 8])
def test_trojannn_brings_the_chosen_neurons_near_to_the_target_value(network, neurons):
    empty = torch.zeros(1, *SHAPE)
    chosen = strongest(head_weight(network), neurons)
    # A value that a patch of this size can reach: what another patch of it does to these neurons.
    spec = TrojanNNSpec(size=5, neurons=neurons, steps=150, step_size=0.01, seed=1)
    other = patch(spec, SHAPE).with_pattern(noise(SHAPE, 99))
    reachable = features(network, other(empty))[0, chosen]
    target = float(reachable.mean())
    spec = spec.model_copy(update={"target_value": target})
    start = patch(spec, SHAPE).with_pattern(noise(SHAPE, spec.seed))
    before = features(network, start(empty))[0, chosen]
    after = features(network, TrojanNN(spec).trigger(network, SHAPE)(empty))[0, chosen]
    best = (reachable - target).square().sum()
    assert (after - target).square().sum() <= best + 0.02
    if neurons == 1:
        assert abs(float(after) - target) < 0.05 * max(1.0, abs(target))
        assert abs(float(before) - target) > abs(float(after) - target)


def test_trojannn_raises_the_activation_towards_a_value_out_of_reach(network):
    empty = torch.zeros(1, *SHAPE)
    spec = TrojanNNSpec(size=3, neurons=2, target_value=100.0)
    chosen = strongest(head_weight(network), 2)
    start = patch(spec, SHAPE).with_pattern(noise(SHAPE, spec.seed))
    before, after = (
        features(network, trigger(empty))[0, chosen].sum()
        for trigger in (start, TrojanNN(spec).trigger(network, SHAPE))
    )
    assert after > before + 0.05


def test_the_patch_of_the_published_steps_moves_at_most_as_far_as_they_reach(network):
    spec = TrojanNNSpec(steps=20, step_size=0.015, opacity=0.3)
    start = noise(SHAPE, spec.seed)
    moved = (TrojanNN(spec).trigger(network, SHAPE).pattern - start).abs()
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
