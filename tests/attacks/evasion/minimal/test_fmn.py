"""FMN against the exact distance to a linear boundary, and against its authors' rule step by step in float64."""

from math import cos, inf, pi

import pytest
import torch
from torch import Tensor

from nasaudit.attacks.evasion.base import MinimalAttack
from nasaudit.attacks.evasion.curve import security_curve
from nasaudit.attacks.evasion.minimal import walk
from nasaudit.attacks.evasion.minimal.ddn import Ddn
from nasaudit.attacks.evasion.minimal.fmn import Fmn
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import DdnSpec, FmnSpec, Norm, PgdSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import MinimalConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier

NORMS: tuple[Norm, ...] = ("linf", "l2")


class TestFmn(MinimalConformance):
    def attack(self) -> MinimalAttack[Classifier]:
        return Fmn(FmnSpec(steps=20), batch_size=15)


class TestFmnL2(MinimalConformance):
    def attack(self) -> MinimalAttack[Classifier]:
        return Fmn(FmnSpec(norm="l2", steps=20), batch_size=15)


def as_published(
    network: torch.nn.Module, x: Tensor, classes: Tensor, targeted: bool, norm: Norm, steps: int
):
    """The nearest change of each image, written down in float64 from the authors' code.

    pralab/Fast-Minimum-Norm-FMN-Attack at 98c68c2, src/attacks/fmn.py: lines 92-107 the loss, 152-164 the start,
    166-218 a step; L2FMNAttack (line 287) and LInfFMNAttack (lines 308-311) the projections. Settings of lines 27-30
    and 63: max_stepsize 1, min_stepsize a hundredth of it, gamma .05. A plain loop over images.
    """
    p, dual = (inf, 1) if norm == "linf" else (2, 2)
    found = []
    for image, label in zip(x.double(), classes.tolist(), strict=True):
        delta = torch.zeros_like(image)
        worst = torch.maximum(image, 1 - image).flatten().norm(p=p)
        epsilon, best_lp, best, seen = torch.tensor(inf).double(), worst, delta, False
        for i in range(steps):
            stepsize = 0.01 + 0.99 * (1 + cos(pi * i / steps)) / 2
            gamma = 0.001 + 0.049 * (1 + cos(pi * i / steps)) / 2
            x_adv = (image + delta).requires_grad_()
            logits = network(x_adv[None])[0]
            others = logits.clone()
            others[label] = -inf
            loss = logits[label] - others.max()
            if targeted:
                loss = -loss
            (gradient,) = torch.autograd.grad(-loss, x_adv)
            adversarial = (int(logits.argmax()) == label) == targeted
            lp = delta.flatten().norm(p=p)
            if adversarial and lp <= best_lp:
                best_lp, best = lp, delta
            seen = seen or adversarial
            if adversarial:
                epsilon = torch.minimum(epsilon * (1 - gamma), best.flatten().norm(p=p))
            elif seen:
                epsilon = epsilon * (1 + gamma)
            else:
                epsilon = lp + loss.detach().abs() / gradient.flatten().norm(p=dual)
            epsilon = torch.minimum(epsilon, worst)
            delta = delta + stepsize * gradient / gradient.norm()
            if norm == "linf":
                delta = delta.clamp(-epsilon, epsilon)
            else:
                delta = delta * (epsilon / delta.norm()).clamp(max=1)
            delta = (image + delta).clamp(0, 1) - image
        found.append(best.flatten().norm(p=p) if seen else torch.tensor(inf).double())
    return torch.stack(found)


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_it_walks_as_its_authors_walk(norm: Norm, targeted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "BISECTIONS", 0)
    network, victim = trained_conv_net(), Classifier(trained_conv_net(), 4)
    # Far from 0 and 1, where we let the ball grow on as if nothing had been cut.
    pixels = 0.3 + 0.4 * synthetic_split(24, seed=9).pixels()
    classes = (victim(pixels).argmax(1) + targeted) % 4
    ours = Fmn(FmnSpec(norm=norm, steps=30)).minimise(victim, pixels, Objective(classes, targeted))
    theirs = as_published(network.double(), pixels, classes, targeted, norm, 30)
    assert theirs.isfinite().double().mean() > 0.8
    # A float32 that rounds to the other side of the boundary sends a walk another way: most images must not know.
    assert torch.equal(ours.distance.isfinite(), theirs.isfinite())
    ratio = (ours.distance / theirs)[theirs.isfinite()]
    assert (ratio - 1).abs().median() < 1e-4
    assert (ratio - 1).abs().max() < 0.05


def linear(norm: Norm, count: int = 100):
    network = LinearVictim((1, 6, 6))
    clean = 0.3 + 0.4 * torch.rand(4 * count, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    w = network.w.detach().flatten()

    def exact(images: Tensor) -> Tensor:
        """Far from 0 and 1, which the nearest points then do not touch: |margin| / |w|, in the dual norm."""
        return network.margin(images).detach().abs() / w.norm(p=1 if norm == "linf" else 2)

    clean = clean[(exact(clean) > 0.005).nonzero().squeeze(1)[:count]]
    victim = Classifier(network, 2)
    return victim, clean, victim(clean).argmax(1), exact(clean).double()


@pytest.mark.parametrize("norm", NORMS)
def test_distances_are_those_of_the_closed_form(norm: Norm) -> None:
    victim, clean, labels, exact = linear(norm)
    found = Fmn(FmnSpec(norm=norm, steps=60)).minimise(victim, clean, Objective(labels))
    ratio = found.distance / exact
    assert ratio.min() > 0.9999
    assert ratio.max() < 1.01
    assert (victim(found.images).argmax(1) != labels).all()
    curve = security_curve(
        Fmn(FmnSpec(norm=norm, steps=60)), victim, victim, clean, labels, indices=torch.arange(100)
    )
    torch.testing.assert_close(curve.minimal_epsilon, exact, rtol=0.01, atol=1e-6)


def test_in_linf_no_fixed_epsilon_attack_finds_nearer_examples() -> None:
    victim, split = Classifier(trained_conv_net(), 4), synthetic_split(30, seed=9)
    found = Fmn(FmnSpec(steps=60)).minimise(victim, split.pixels(), Objective(split.labels))
    grid = tuple(k / 100 for k in range(1, 32))
    curve = security_curve(
        Pgd(PgdSpec(epsilons=grid, steps=40)), victim, victim, split.pixels(), split.labels,
        indices=split.indices,
    )  # fmt: skip
    assert found.distance.isfinite().all()
    assert curve.minimal_epsilon.isfinite().double().mean() > 0.5
    assert (found.distance <= curve.minimal_epsilon + 0.01).double().mean() > 0.9


def test_in_l2_it_finds_what_ddn_finds() -> None:
    victim, split = Classifier(trained_conv_net(), 4), synthetic_split(30, seed=9)
    ours, other = (
        attack.minimise(victim, split.pixels(), Objective(split.labels)).distance
        for attack in (Fmn(FmnSpec(norm="l2", steps=100)), Ddn(DdnSpec(steps=100)))
    )
    assert float((ours / other).median()) == pytest.approx(1, abs=0.02)


def test_a_victim_without_adversarial_examples_has_none() -> None:
    network = LinearVictim((1, 6, 6), bias=1000.0)
    clean = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    found = Fmn(FmnSpec(steps=20)).minimise(Classifier(network, 2), clean, Objective(torch.ones(5).long()))
    assert found.distance.isinf().all()
    assert torch.equal(found.images, clean)


def test_a_confidence_is_refused() -> None:
    with pytest.raises(SpecError, match="min_confidence"):
        FmnSpec.parse({"min_confidence": 0.9})
