"""Auto-PGD against closed forms, its published checkpoints, and a plain loop of Algorithm 1 in float64."""

import math

import pytest
import torch

from nasaudit.attacks.evasion.apgd import Apgd, checkpoints
from nasaudit.attacks.evasion.ball import Ball, random_point
from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.objective import (
    Objective,
    difference_of_logits_ratio,
    margin,
    towards_wrong_classes,
)
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import ApgdSpec, DataFacts, PgdSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import EvasionConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier


class TestCrossEntropy(EvasionConformance):
    def attack(self) -> EvasionAttack[Classifier]:
        return Apgd(ApgdSpec(steps=10), batch_size=20)


class TestRatioWithRestarts(EvasionConformance):
    def attack(self) -> EvasionAttack[Classifier]:
        return Apgd(ApgdSpec(loss="dlr", steps=5, restarts=2))


class TestTowardsWrongClasses(EvasionConformance):
    def attack(self) -> EvasionAttack[Classifier]:
        return Apgd(ApgdSpec(loss="dlr", steps=5, target_classes=9))


class TestL2(EvasionConformance):
    epsilon = 0.75

    def attack(self) -> EvasionAttack[Classifier]:
        return Apgd(ApgdSpec(norm="l2", steps=10))


def test_checkpoints_are_those_of_the_paper():
    # p_j of section 3.1: 0, .22, .41, .57, .70, .80, .87, .93, .99.
    assert list(checkpoints(100)) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert list(checkpoints(100).values()) == [22, 19, 16, 13, 10, 7, 6, 6]
    assert list(checkpoints(10)) == [3, 5, 6, 7, 8, 9]
    assert checkpoints(1) == {}


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_reaches_the_optimum_of_a_linear_victim(norm):
    network = LinearVictim((1, 6, 6), bias=100.0)
    clean = 0.4 + 0.2 * torch.rand(16, 1, 6, 6, generator=torch.Generator().manual_seed(4))
    ones = torch.ones(16, dtype=torch.long)
    epsilon, w = 0.1, network.w.detach()
    found = Apgd(ApgdSpec(norm=norm, steps=60)).perturb(
        Classifier(network, 2), clean, Objective(ones), epsilon
    )
    optimum = clean - epsilon * (w.sign() if norm == "linf" else w / w.norm())
    assert not found.broken.any()
    # With one step size for all, what is left of the momentum shows in l2 only.
    torch.testing.assert_close(found.images, optimum, rtol=0, atol=1e-7 if norm == "linf" else 1e-4)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_verdicts_on_a_linear_victim_are_those_of_the_closed_form(norm):
    network = LinearVictim((1, 6, 6))
    victim, w = Classifier(network, 2), network.w.detach()
    clean = 0.45 + 0.1 * torch.rand(200, 1, 6, 6, generator=torch.Generator().manual_seed(4))
    labels = victim(clean).argmax(1)
    epsilon = {"linf": 0.004, "l2": 0.02}[norm]
    expected = network.margin(clean).detach().abs() < epsilon * (
        w.abs().sum() if norm == "linf" else w.norm()
    )
    found = Apgd(ApgdSpec(norm=norm, steps=50)).perturb(victim, clean, Objective(labels), epsilon).broken
    assert 20 < expected.sum() < 180
    assert torch.equal(found, expected)


def reference(network, clean, label, start, epsilon, steps):
    """Algorithm 1 for one image in linf and float64, as the paper writes it, on the cross-entropy."""

    def f(x):
        x = x.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(network(x[None]), label[None])
        return loss.item(), torch.autograd.grad(loss, x)[0]

    def project(z):
        return torch.clamp(z, clean - epsilon, clean + epsilon).clamp(0, 1)

    weights, share, length = [], 0.22, 0.22
    while share < 1 - 1e-9:
        weights.append(math.ceil(round(share * steps, 9)))
        length = max(length - 0.03, 0.06)
        share += length
    eta, x = 2 * epsilon, start
    (value, gradient), path = f(x), [x]
    best, f_best, g_best = x, value, gradient
    previous = x
    rises, last_w, eta_w, f_w = 0, 0, eta, None
    for k in range(steps):
        if k in weights:
            if rises < 0.75 * (k - last_w) or (eta == eta_w and f_best == f_w):
                eta_w, eta = eta, eta / 2
                x, value, gradient = best, f_best, g_best
            else:
                eta_w = eta
            rises, last_w, f_w = 0, k, f_best
        z = project(x + eta * gradient.sign())
        new = z if k == 0 else project(x + 0.75 * (z - x) + 0.25 * (x - previous))
        previous, x, old = x, new, value
        value, gradient = f(x)
        path.append(x)
        rises += value > old
        if value > f_best:
            best, f_best, g_best = x, value, gradient
        if k == 0:
            f_w = f_best
    return path


def test_it_walks_the_path_of_algorithm_1():
    network = trained_conv_net().double()
    split = synthetic_split(6, seed=4)
    clean, epsilon, steps = split.pixels(), 0.05, 40
    ball = Ball.around(clean, "linf", epsilon)
    starts = random_point(ball, split.indices, "apgd", "ce", 0, 0).double()
    ends = [
        reference(network, clean[k].double(), split.labels[k], starts[k], epsilon, steps)[-1]
        for k in range(len(clean))
    ]
    never = Objective(split.labels, min_confidence=1.0)
    found = Apgd(ApgdSpec(steps=steps)).perturb(
        Classifier(trained_conv_net(), 4), clean, never, epsilon, seed=0, indices=split.indices
    )
    assert not found.broken.any()
    torch.testing.assert_close(found.images.double(), torch.stack(ends), rtol=0, atol=1e-4)


def test_it_is_no_weaker_than_pgd():
    victim, split = Classifier(trained_conv_net(), 4), synthetic_split(200, seed=9)
    rates = [
        attack.perturb(victim, split.pixels(), Objective(split.labels), 0.08).broken.float().mean()
        for attack in (Pgd(PgdSpec(steps=20)), Apgd(ApgdSpec(steps=20)))
    ]
    assert 0.05 < rates[0] <= rates[1] + 0.01 < 1


LOGITS = torch.tensor([[4.0, 1.0, 3.0, 0.0]])


def test_the_ratio_of_logits_by_hand():
    # Class 0 leads: -(4 - 3) / (4 - 1). Class 1 does not: -(1 - 4) / (4 - 1).
    assert difference_of_logits_ratio(Objective(torch.tensor([0])), LOGITS).item() == pytest.approx(-1 / 3)
    assert difference_of_logits_ratio(Objective(torch.tensor([1])), LOGITS).item() == pytest.approx(1.0)
    # Towards class 1: -(4 - 1) / (4 - (1 + 0) / 2).
    towards = Objective(torch.tensor([1]), targeted=True)
    assert difference_of_logits_ratio(towards, LOGITS).item() == pytest.approx(-3 / 3.5)


@pytest.mark.parametrize("targeted", [False, True])
def test_the_ratio_neither_shifts_nor_scales_and_has_the_sign_of_the_margin(targeted):
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    objective = Objective(torch.arange(50) % 6, targeted)
    ratio = difference_of_logits_ratio(objective, logits)
    torch.testing.assert_close(
        difference_of_logits_ratio(objective, 1000 * logits + 7), ratio, rtol=1e-3, atol=1e-3
    )
    assert torch.equal(margin(objective, logits) > 0, objective.reached(logits))
    assert torch.equal(ratio > 0, objective.reached(logits))


def test_too_few_classes_for_the_ratio_are_refused():
    facts = DataFacts(3, (1, 8, 8), lambda: {})
    ApgdSpec(loss="dlr").check(facts)
    with pytest.raises(SpecError, match="fewer than 4"):
        ApgdSpec(loss="dlr", goal="least_likely").check(facts)


def test_the_targeted_ratio_is_the_authors():
    # github.com/fra31/auto-attack, autopgd_base.py, 595-600 at a392200, and 667-668: targets by the clean image's
    # logits
    logits = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    labels = logits.argmax(1)
    aims = towards_wrong_classes(Objective(labels), logits, 9)
    assert len(aims) == 5
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(1))
    u, x_sorted = torch.arange(50), x.sort(dim=1).values
    for target_class, aim in enumerate(aims, start=2):
        target = logits.sort(dim=1)[1][:, -target_class]
        assert torch.equal(aim.towards, target)
        expected = -(x[u, labels] - x[u, target]) / (
            x_sorted[:, -1] - 0.5 * (x_sorted[:, -3] + x_sorted[:, -4])
        )
        torch.testing.assert_close(difference_of_logits_ratio(aim, x), expected)
        assert torch.equal(aim.reached(x), x.argmax(1) != labels)  # any wrong class counts


def test_targets_are_for_untargeted_attacks_and_the_ratio_needs_four_classes():
    with pytest.raises(SpecError, match="target_classes"):
        ApgdSpec.parse({"goal": "least_likely", "target_classes": 3})
    three = DataFacts(3, (1, 8, 8), dict)
    with pytest.raises(SpecError, match="fewer than 4"):
        ApgdSpec(loss="dlr", target_classes=2).check(three)
    ApgdSpec(loss="ce", target_classes=2).check(three)
