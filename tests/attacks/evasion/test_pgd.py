"""PGD against closed-form optima, its own rules, and the conformance suite."""

import numpy as np
import pytest
import torch

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import DataError, NonFiniteError, SpecError
from nasaudit.spec.attacks import PgdSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import EvasionConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier


class TestLinf(EvasionConformance):
    def attack(self) -> EvasionAttack[Classifier]:
        return Pgd(PgdSpec(steps=10))


class TestLinfWithRestartsInSmallBatches(EvasionConformance):
    def attack(self) -> EvasionAttack[Classifier]:
        return Pgd(PgdSpec(steps=4, restarts=2), batch_size=5)


class TestL2(EvasionConformance):
    epsilon = 0.75

    def attack(self) -> EvasionAttack[Classifier]:
        return Pgd(PgdSpec(norm="l2", steps=10))


def linear(bias: float = 0.0) -> tuple[LinearVictim, Classifier]:
    network = LinearVictim((1, 6, 6), bias=bias)
    return network, Classifier(network, 2)


def images(count: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("random_start", [False, True])
def test_linf_reaches_the_optimum_of_a_linear_victim(random_start):
    # No image can be broken (the bias keeps the margin positive), so all steps are walked.
    network, victim = linear(bias=100.0)
    clean, epsilon = images(16), 0.1
    attack = Pgd(PgdSpec(steps=40, random_start=random_start))
    result = attack.perturb(victim, clean, Objective(torch.ones(16, dtype=torch.long)), epsilon)
    optimum = (clean - epsilon * network.w.detach().sign()).clamp(0, 1)
    assert not result.broken.any()
    torch.testing.assert_close(result.images, optimum, rtol=0, atol=1e-7)


@pytest.mark.parametrize("random_start", [False, True])
def test_l2_reaches_the_optimum_of_a_linear_victim(random_start):
    network, victim = linear(bias=100.0)
    clean, epsilon = images(16, 0.4, 0.6), 0.3  # no pixel can reach 0 or 1
    attack = Pgd(PgdSpec(norm="l2", steps=40, step_size=epsilon, random_start=random_start))
    result = attack.perturb(victim, clean, Objective(torch.ones(16, dtype=torch.long)), epsilon)
    w = network.w.detach()
    torch.testing.assert_close(result.images, clean - epsilon * w / w.norm(), rtol=0, atol=2e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_verdicts_on_a_linear_victim_are_those_of_the_closed_form(norm):
    network, victim = linear()
    w = network.w.detach()
    clean, epsilon = images(200, 0.45, 0.55), {"linf": 0.004, "l2": 0.02}[norm]
    labels = victim(clean).argmax(1)
    # The largest change of the margin is epsilon times the dual norm of w (Hoelder).
    reach = epsilon * (w.abs().sum() if norm == "linf" else w.norm())
    expected = network.margin(clean).detach().abs() < reach
    found = (
        Pgd(PgdSpec(norm=norm, steps=50, step_size=epsilon))
        .perturb(victim, clean, Objective(labels), epsilon)
        .broken
    )
    assert 20 < expected.sum() < 180
    assert torch.equal(found, expected)


def test_targeted_at_the_other_class_is_untargeted_with_two_classes():
    _, victim = linear()
    clean = images(50)
    labels = victim(clean).argmax(1)
    attack = Pgd(PgdSpec(steps=5))
    away = attack.perturb(victim, clean, Objective(labels), 0.02)
    toward = attack.perturb(victim, clean, Objective(1 - labels, targeted=True), 0.02)
    assert torch.equal(away.images, toward.images)
    assert torch.equal(away.steps, toward.steps)


def test_it_walks_the_path_of_the_cross_entropy():
    # The log odds stand in for the cross-entropy: a plain float64 loop with the latter must agree.
    network = trained_conv_net().double()
    victim = Classifier(trained_conv_net(), 4)
    clean = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = network(clean.double()).argmax(1)
    epsilon, alpha, steps = 0.01, 0.004, 5
    x = clean.double()
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(
            torch.nn.functional.cross_entropy(network(x), labels, reduction="sum"), x
        )
        x = torch.clamp(x + alpha * gradient.sign(), clean - epsilon, clean + epsilon).clamp(0, 1)
    spec = PgdSpec(steps=steps, step_size=alpha, random_start=False)
    # No probability exceeds 1: an objective that is never reached lets all steps be seen.
    result = Pgd(spec).perturb(victim, clean, Objective(labels, min_confidence=1.0), epsilon)
    assert not result.broken.any()
    torch.testing.assert_close(result.images.double(), x.detach(), rtol=0, atol=1e-6)


def test_a_certain_network_still_has_a_gradient():
    # Logits so far apart that softmax is exactly 1 and the float32 cross-entropy is flat.
    network = LinearVictim((1, 6, 6), bias=0.0)
    with torch.no_grad():
        network.w.mul_(2000)
    victim = Classifier(network, 2)
    clean = images(20)
    labels = victim(clean).argmax(1)
    assert (victim(clean).softmax(1).amax(1) == 1).all()
    result = Pgd(PgdSpec(steps=20, random_start=False)).perturb(victim, clean, Objective(labels), 1.0)
    assert result.broken.all()
    assert (result.first_gradient > 0).all()


@pytest.mark.parametrize("epsilon", [1 / 255, 8 / 255, 0.1, 0.3, 1e-5])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_ball_holds_to_the_last_bit(norm, epsilon):
    _, victim = linear(bias=100.0)
    clean = torch.cat([images(40), images(4, 0, 1e-3), images(4, 1 - 1e-3, 1)])
    objective = Objective(torch.ones(len(clean), dtype=torch.long))
    result = Pgd(PgdSpec(norm=norm, steps=7)).perturb(victim, clean, objective, epsilon)
    change = (result.images - clean).flatten(1)
    if norm == "linf":
        assert (change.abs().numpy() <= np.float32(epsilon)).all()
        assert ((result.images.double() - clean.double()).abs() <= epsilon).all()
    else:
        assert (change.norm(dim=1) <= epsilon).all()
        assert ((result.images.double() - clean.double()).flatten(1).norm(dim=1) <= epsilon).all()
    assert result.images.min() >= 0
    assert result.images.max() <= 1


def test_restarts_only_add():
    victim = Classifier(trained_conv_net(), 4)
    split = synthetic_split(100, seed=9)
    attempts = [
        Pgd(PgdSpec(steps=3, restarts=restarts)).perturb(victim, split.pixels(), Objective(split.labels), 0.1)
        for restarts in (1, 4)
    ]
    assert attempts[1].broken[attempts[0].broken].all()
    assert torch.equal(attempts[1].steps[attempts[0].broken], attempts[0].steps[attempts[0].broken])


def test_a_confidence_rule_makes_it_harder():
    victim = Classifier(trained_conv_net(), 4)
    split = synthetic_split(60, seed=9)
    logits = victim(split.pixels())
    target = logits.argmin(1)
    spec = PgdSpec(steps=7, random_start=False, goal="least_likely")
    plain = Pgd(spec).perturb(victim, split.pixels(), Objective(target, True), 0.3)
    strict = Pgd(spec).perturb(victim, split.pixels(), Objective(target, True, 0.99), 0.3)
    reached = victim(strict.images).softmax(1)[torch.arange(60), target]
    assert 0 < strict.broken.sum() <= plain.broken.sum()
    assert torch.equal(reached > 0.99, strict.broken)
    assert (strict.steps[strict.broken] >= plain.steps[strict.broken]).all()


def test_an_image_that_is_already_broken_is_returned_as_it_is():
    _, victim = linear()
    clean = images(10)
    wrong = 1 - victim(clean).argmax(1)
    result = Pgd(PgdSpec(random_start=False)).perturb(victim, clean, Objective(wrong), 0.1)
    assert torch.equal(result.images, clean)
    assert (result.steps == 0).all()
    assert result.first_gradient.isnan().all()


def test_a_nan_of_the_victim_is_an_error():
    network, _ = linear()
    with torch.no_grad():
        network.w[0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteError):
        Pgd(PgdSpec()).perturb(Classifier(network, 2), images(2), Objective(torch.ones(2).long()), 0.1)


def test_zero_gradients_are_seen():
    class Rounded(torch.nn.Module):
        def forward(self, x):
            score = (x.flatten(1).sum(1) * 0 + 1) + x.detach().flatten(1).sum(1)
            return torch.stack([0 * score, score], 1)

    result = Pgd(PgdSpec()).perturb(Classifier(Rounded(), 2), images(5), Objective(torch.ones(5).long()), 0.1)
    assert (result.first_gradient == 0).all()


@pytest.mark.parametrize("epsilon", [-0.1, float("inf"), float("nan")])
def test_an_impossible_epsilon_is_refused(epsilon):
    _, victim = linear()
    with pytest.raises(SpecError, match="epsilon"):
        Pgd(PgdSpec()).perturb(victim, images(1), Objective(torch.ones(1).long()), epsilon)


def test_images_as_bytes_are_refused():
    _, victim = linear()
    with pytest.raises(DataError, match="float32"):
        Pgd(PgdSpec()).perturb(victim, images(1).mul(255).byte(), Objective(torch.ones(1).long()), 0.1)


def test_a_spec_finds_its_implementation():
    assert isinstance(load_attack(PgdSpec()), Pgd)
