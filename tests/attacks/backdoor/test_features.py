"""The penultimate layer of every family, and the optimisation of a patch against a closed form."""

import pytest
import torch

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.network import build
from nasaudit.attacks.backdoor.features import FeatureTap, head_of, head_weight
from nasaudit.attacks.backdoor.optimise import descend, minimise
from nasaudit.attacks.backdoor.trigger import patch
from nasaudit.errors import NonFiniteError
from nasaudit.spec.attacks import BadNetsSpec
from nasaudit.spec.study import ArchChoice


@pytest.mark.parametrize("name", [*(n for n in CATALOGUE if CATALOGUE[n].group == "manual"), "darts"])
def test_the_logits_of_every_family_are_its_head_on_the_tapped_features(name):
    network = build(resolve(ArchChoice(name=name), "mini", 10, (1, 8, 8))).eval()
    pixels = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with FeatureTap(network) as tap:
        logits = network(pixels)
        features = tap.take()
    bias = head_of(network).bias
    torch.testing.assert_close(features @ head_weight(network).T + bias, logits)
    with pytest.raises(RuntimeError, match="forward pass"):
        tap.take()
    network(pixels)
    assert tap.features is None  # closed: nothing is noted any more


def start(opacity: float = 1.0):
    return patch(BadNetsSpec(size=2, opacity=opacity), (1, 5, 5))


def test_a_patch_reaches_the_minimum_of_a_cost_that_is_known():
    wanted = torch.tensor([[0.25, 0.5], [0.75, 0.1]])
    found = minimise(start(), lambda t: (t.pattern[0, :2, :2] - wanted).square().sum(), 200, 0.01)
    torch.testing.assert_close(found.pattern[0, :2, :2], wanted, rtol=0, atol=0.0101)
    assert found.pattern[0, 2:].eq(0).all()
    assert found.pattern[0, :, 2:].eq(0).all()


def test_a_step_stays_within_the_mask_and_within_the_range_of_pixels():
    following, value = descend(start(), lambda t: t.pattern.sum() * 3, 0.3)
    assert value == 12
    torch.testing.assert_close(following.pattern[0, :2, :2], torch.full((2, 2), 0.7))
    assert following.pattern[0, 2:].eq(0).all()
    upward, _ = descend(start(), lambda t: -t.pattern.sum(), 0.3)
    assert upward.pattern.max() == 1


def test_the_optimisation_ends_at_the_threshold_and_keeps_the_best():
    seen = []

    def cost(trigger):
        seen.append(trigger.pattern[0, 0, 0].item())
        return (trigger.pattern[0, 0, 0] - 0.5).square()

    found = minimise(start(), cost, 100, 0.1, threshold=0.05)
    assert float(found.pattern[0, 0, 0]) == pytest.approx(0.7)  # .3^2 = .09 is above, .2^2 = .04 at it
    assert len(seen) == 4
    # A step that is too large jumps over the minimum and back: the better side is kept, not the last one.
    best = minimise(start(), cost, 7, 0.9)
    assert float(best.pattern[0, 0, 0]) == pytest.approx(0.1)


def test_a_cost_that_is_not_finite_is_an_error():
    with pytest.raises(NonFiniteError, match="cost of a trigger"):
        descend(start(), lambda t: (t.pattern - 2).log().sum(), 0.1)
