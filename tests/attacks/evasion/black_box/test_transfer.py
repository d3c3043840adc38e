"""Momentum iterative FGSM on a surrogate: a plain loop of the paper, and what the victim is asked."""

import pytest
import torch

from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.black_box.transfer import Transfer
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import TransferSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import OracleConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


class TestTransfer(OracleConformance):
    output = "label"

    def attack(self) -> EvasionAttack[Oracle]:
        return Transfer(TransferSpec(steps=5), Classifier(trained_conv_net(), 4), batch_size=16)


def reference(network, clean, labels, epsilon, steps, decay):
    """Algorithm 1 in float64."""
    x, velocity = clean.double(), torch.zeros_like(clean).double()
    for _ in range(steps):
        x = x.detach().requires_grad_()
        loss = torch.nn.functional.cross_entropy(network(x), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, x)
        velocity = decay * velocity + gradient / gradient.abs().sum((1, 2, 3), keepdim=True)
        x = torch.clamp(x + epsilon / steps * velocity.sign(), clean - epsilon, clean + epsilon).clamp(0, 1)
    return x.detach()


@pytest.mark.parametrize("decay", [1.0, 0.0])
def test_it_walks_the_path_of_algorithm_1(decay):
    split, epsilon = synthetic_split(8, seed=9), 0.1
    expected = reference(
        trained_conv_net().double(), split.pixels().double(), split.labels, epsilon, 6, decay
    )
    attack = Transfer(TransferSpec(steps=6, decay=decay), Classifier(trained_conv_net(), 4))
    victim = Oracle(Classifier(LinearVictim(), 2), output="label")
    found = attack.perturb(victim, split.pixels(), Objective(split.labels), epsilon)
    torch.testing.assert_close(found.images.double(), expected, rtol=0, atol=1e-5)


def test_the_victim_is_asked_once_for_each_image_and_decides():
    split = synthetic_split(30, seed=9)
    victim = Oracle(Classifier(LinearVictim(), 2), output="label")
    attack = Transfer(TransferSpec(steps=3), Classifier(trained_conv_net(), 4))
    found = attack.perturb(victim, split.pixels(), Objective(split.labels), 0.1)
    assert victim.queries == 30
    assert found.queries.tolist() == [1] * 30
    assert torch.equal(found.broken, victim(found.images) != split.labels)


def test_an_example_goes_on_after_the_surrogate_is_fooled():
    split = synthetic_split(30, seed=9)
    surrogate = Classifier(trained_conv_net(), 4)
    found = Transfer(TransferSpec(), surrogate).perturb(
        Oracle(surrogate, output="label"), split.pixels(), Objective(split.labels), 0.4
    )
    assert found.broken.all()
    assert set(found.steps.tolist()) == {10}


def test_only_linf():
    with pytest.raises(SpecError, match="norm"):
        TransferSpec.parse({"norm": "l2"})
    with pytest.raises(SpecError, match="min_confidence"):
        TransferSpec.parse({"min_confidence": 0.5})
