"""DDN against the exact distance to a linear boundary, and its own rules."""

import pytest
import torch

from nasaudit.attacks.evasion.base import MinimalAttack
from nasaudit.attacks.evasion.curve import security_curve
from nasaudit.attacks.evasion.minimal.ddn import Ddn
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import DdnSpec, PgdSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import MinimalConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier


class TestDdn(MinimalConformance):
    def attack(self) -> MinimalAttack[Classifier]:
        return Ddn(DdnSpec(steps=20), batch_size=15)


def linear(count=100):
    network = LinearVictim((1, 6, 6))
    victim = Classifier(network, 2)
    # Far from 0 and 1, which the nearest points then do not touch: the distance is |margin| / |w|.
    clean = 0.3 + 0.4 * torch.rand(4 * count, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    distance = network.margin(clean).detach().abs() / network.w.detach().norm()
    clean = clean[(distance > 0.02).nonzero().squeeze(1)[:count]]
    distance = network.margin(clean).detach().abs() / network.w.detach().norm()
    return victim, clean, victim(clean).argmax(1), distance.double()


def test_distances_are_within_one_percent_of_the_closed_form():
    victim, clean, labels, exact = linear()
    found = Ddn(DdnSpec(steps=100)).minimise(victim, clean, Objective(labels))
    ratio = found.distance / exact
    assert ratio.min() > 0.9999
    assert ratio.max() < 1.01
    assert torch.equal(victim(found.images).argmax(1) != labels, torch.ones(100, dtype=torch.bool))


def test_towards_a_target_it_is_the_same_with_two_classes():
    victim, clean, labels, exact = linear(20)
    found = Ddn(DdnSpec(steps=100)).minimise(victim, clean, Objective(1 - labels, targeted=True))
    torch.testing.assert_close(found.distance, exact, rtol=0.01, atol=0)


def test_no_fixed_epsilon_attack_finds_nearer_examples():
    victim, split = Classifier(trained_conv_net(), 4), synthetic_split(30, seed=9)
    found = Ddn(DdnSpec(steps=100)).minimise(victim, split.pixels(), Objective(split.labels))
    grid = tuple(k / 20 for k in range(1, 32))
    curve = security_curve(
        Pgd(PgdSpec(norm="l2", epsilons=grid, steps=20)), victim, victim, split.pixels(), split.labels,
        indices=split.indices,
    )  # fmt: skip
    # PGD's answer is the next epsilon of the grid: 1/20 apart.
    assert found.distance.isfinite().all()
    assert curve.minimal_epsilon.isfinite().double().mean() > 0.5
    assert (found.distance <= curve.minimal_epsilon + 0.01).double().mean() > 0.95


def test_a_victim_without_adversarial_examples_has_none():
    network = LinearVictim((1, 6, 6), bias=1000.0)
    clean = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    found = Ddn(DdnSpec(steps=20)).minimise(Classifier(network, 2), clean, Objective(torch.ones(5).long()))
    assert found.distance.isinf().all()
    assert torch.equal(found.images, clean)


def test_its_security_curve_holds_distances():
    victim, clean, labels, exact = linear()
    curve = security_curve(Ddn(DdnSpec(steps=100)), victim, victim, clean, labels, indices=torch.arange(100))
    torch.testing.assert_close(curve.minimal_epsilon, exact, rtol=0.01, atol=1e-6)
    assert curve.pivot is None
    assert (curve.prediction != labels).all()


def test_what_it_cannot_do_is_refused():
    with pytest.raises(SpecError, match="min_confidence"):
        DdnSpec.parse({"min_confidence": 0.9})
    with pytest.raises(SpecError, match="norm"):
        DdnSpec.parse({"norm": "linf"})
