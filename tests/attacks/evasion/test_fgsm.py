"""FGSM against the closed-form optimum, which one step reaches on a linear victim."""

import pytest
import torch

from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.fgsm import Fgsm
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import FgsmSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import EvasionConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier


class TestLinf(EvasionConformance):
    def attack(self) -> EvasionAttack[Classifier]:
        return Fgsm(FgsmSpec(), batch_size=20)


class TestL2(EvasionConformance):
    epsilon = 0.75

    def attack(self) -> EvasionAttack[Classifier]:
        return Fgsm(FgsmSpec(norm="l2"))


def test_one_step_is_the_optimum_of_a_linear_victim():
    network = LinearVictim((1, 6, 6), bias=100.0)
    clean = torch.rand(16, 1, 6, 6, generator=torch.Generator().manual_seed(4))
    ones = torch.ones(16, dtype=torch.long)
    result = Fgsm(FgsmSpec()).perturb(Classifier(network, 2), clean, Objective(ones), 0.1)
    optimum = (clean - 0.1 * network.w.detach().sign()).clamp(0, 1)
    torch.testing.assert_close(result.images, optimum, rtol=0, atol=1e-7)
    assert not result.broken.any()


def test_in_l2_it_is_the_optimum_as_well():
    network = LinearVictim((1, 6, 6), bias=100.0)
    clean = 0.4 + 0.2 * torch.rand(16, 1, 6, 6, generator=torch.Generator().manual_seed(4))
    ones = torch.ones(16, dtype=torch.long)
    result = Fgsm(FgsmSpec(norm="l2")).perturb(Classifier(network, 2), clean, Objective(ones), 0.3)
    w = network.w.detach()
    torch.testing.assert_close(result.images, clean - 0.3 * w / w.norm(), rtol=0, atol=2e-6)


def test_it_is_the_sign_of_the_cross_entropys_gradient():
    network = trained_conv_net()
    split = synthetic_split(12, seed=9)
    pixels = split.pixels().requires_grad_()
    loss = torch.nn.functional.cross_entropy(network(pixels), split.labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, pixels)
    expected = (pixels.detach() + 0.02 * gradient.sign()).clamp(0, 1)
    # No probability exceeds 1: no image counts as broken, so all take the step.
    never = Objective(split.labels, min_confidence=1.0)
    found = Fgsm(FgsmSpec()).perturb(Classifier(network, 4), split.pixels(), never, 0.02)
    torch.testing.assert_close(found.images, expected, rtol=0, atol=1e-6)


def test_broken_images_took_one_step_or_none():
    split = synthetic_split(60, seed=9)
    found = Fgsm(FgsmSpec()).perturb(
        Classifier(trained_conv_net(), 4), split.pixels(), Objective(split.labels), 0.1
    )
    assert set(found.steps.tolist()) == {-1, 1}


def test_an_impossible_epsilon_is_refused():
    split = synthetic_split(2)
    with pytest.raises(SpecError, match="epsilon"):
        Fgsm(FgsmSpec()).perturb(
            Classifier(trained_conv_net(), 4), split.pixels(), Objective(split.labels), -1
        )
