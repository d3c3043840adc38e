"""Each flag on a victim that has the defect planted, and silence on one that has not."""

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.measures import asr_curve, median_bound, median_epsilon
from nasaudit.attacks.evasion.work import run_attack
from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.results.flags.evasion import CHECKS
from nasaudit.spec.attacks import PgdSpec, SquareSpec
from nasaudit.spec.units import format_epsilon
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.rows import make_row
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier

IMAGES = 40


class Quantised(nn.Module):
    """Rounds its input to 16 levels: the gradient is zero, and the network no safer."""

    def __init__(self):
        super().__init__()
        self.network = trained_conv_net()

    def forward(self, x):
        return self.network((x * 15).round() / 15)


class Noisy(nn.Module):
    """Adds random noise to its input, anew each time."""

    def __init__(self):
        super().__init__()
        self.network = trained_conv_net()
        self.generator = torch.Generator().manual_seed(0)

    def __deepcopy__(self, memo):
        return Noisy()

    def forward(self, x):
        return self.network(x + 0.1 * torch.randn(x.shape, generator=self.generator))


def rows(network, spec, name="victim"):
    """The rows that one seed of a study would have, as pooled."""
    split = synthetic_split(IMAGES, seed=9)
    judge = Classifier(network, 4, folding=False)
    _, found = run_attack(load_attack(spec), network, judge, split)
    return [make_row(name, m.metric, m.estimate, attack=spec.name, **dict(m.setting)) for m in found]


def flags(found):
    findings = Facts(None, {}, found, (), 100)
    return {flag.kind: flag for flag in flags_of(findings, CHECKS)}


PGD = PgdSpec(epsilons=(0.05, 0.1, 0.15), steps=20)


def test_a_sound_victim_raises_none():
    found = [*rows(trained_conv_net(), PGD), *rows(trained_conv_net(), SquareSpec(epsilons=PGD.epsilons))]
    assert flags(found) == {}


def test_a_quantised_victim_has_zero_gradients_and_falls_to_a_black_box():
    found = [*rows(Quantised(), PGD), *rows(Quantised(), SquareSpec(epsilons=PGD.epsilons, queries=300))]
    raised = flags(found)
    assert set(raised) == {"zero_gradients", "black_box_wins", "transition_outside_grid"}
    assert "100.0%" in raised["zero_gradients"].message
    assert "square" in raised["black_box_wins"].message
    assert raised["black_box_wins"].architectures == ("victim",)


def test_a_noisy_victim_is_random():
    raised = flags(rows(Noisy(), PGD))
    assert "random_outputs" in raised
    assert "random_outputs" not in flags(rows(trained_conv_net(), PGD))


def test_an_attack_with_too_few_steps_for_its_epsilon_has_not_finished():
    hasty = PgdSpec(epsilons=(0.15,), steps=4, step_size=0.03, random_start=False)
    raised = flags(rows(trained_conv_net(), hasty))
    assert set(raised) == {"steps_not_converged"}
    assert "4 steps of pgd" in raised["steps_not_converged"].message


def asr(attack, broken, n=100, **setting):
    where = {"norm": "linf", "goal": "untargeted", "epsilon": "8/255", "images": "correct", **setting}
    return make_row("victim", "asr", proportion(broken, n), attack=attack, **where)


@pytest.mark.parametrize(
    ("rival", "raised"),
    [
        (asr("square", 60), True),
        (asr("transfer", 60), True),
        (asr("square", 45), False),  # within the intervals
        (asr("square", 60, epsilon="16/255"), False),  # another question
        (asr("square", 60, goal="least_likely"), False),
        (asr("fgsm", 60), False),  # sees the weights as well
    ],
)
def test_attacks_are_compared_on_the_same_question_only(rival, raised):
    assert ("black_box_wins" in flags([asr("pgd", 40), rival])) is raised


@pytest.mark.parametrize("attack", ["ensemble", "autoattack"])
def test_what_square_broke_inside_of_an_ensemble_does_not_hide_that_square_won(attack):
    # As in github.com/fra31/auto-attack, checks.py, 73-86 at a392200: the others' accuracy is compared with Square's.
    assert "black_box_wins" in flags([asr("pgd", 40), asr("square", 60), asr(attack, 60)])


def test_the_strongest_white_box_attack_is_compared():
    assert "black_box_wins" not in flags([asr("fgsm", 10), asr("pgd", 58), asr("square", 60)])


def curve(architecture, fallen, attack="pgd", images="correct", **where):
    """Pooled rows of a curve: the images of 100 that fall at 1/255, 2/255, ..., and the median with its bound."""
    where = {"norm": "linf", "goal": "untargeted", "images": images, **where}
    grid = [2.0**power / 255 for power in range(len(fallen))]
    minimal = np.full(100, np.inf)
    for epsilon, count in reversed(list(zip(grid, fallen, strict=True))):
        minimal[:count] = epsilon
    shares = asr_curve(minimal, grid)
    half = Estimate(*[median_epsilon(minimal, grid)] * 3, 100, "pixel fraction", median_bound(shares))
    yield make_row(architecture, "median_minimal_epsilon", half, attack=attack, **where)
    for epsilon, count in zip(grid, fallen, strict=True):
        at = {**where, "epsilon": format_epsilon(epsilon)}
        yield make_row(architecture, "asr", proportion(count, 100), attack=attack, **at)


def test_a_transition_outside_of_the_grid_is_flagged_of_the_attack_that_judges():
    found = [
        *curve("natural", [70, 97, 100]),
        *curve("digits", [0, 10, 49]),
        *curve("inside", [49, 50, 50]),
        *curve("inside", [0, 0, 1], goal="least_likely"),  # ranks nothing while the untargeted curve is there
        *curve("inside", [0, 0, 1], attack="fgsm"),
    ]
    findings = flags_of(Facts(None, {}, found, (), 100), CHECKS)
    told = {
        flag.architectures[0]: flag.message for flag in findings if flag.kind == "transition_outside_grid"
    }
    assert set(told) == {"natural", "digits"}
    assert "fall at the smallest" in told["natural"]
    assert "smaller `epsilons`" in told["natural"]
    assert "fall at the largest" in told["digits"]
    assert "larger `epsilons`" in told["digits"]


def test_without_the_judging_attack_any_white_box_curve_is_flagged_and_one_epsilon_is_no_curve():
    assert "transition_outside_grid" in flags(list(curve("a", [70, 97], attack="apgd")))
    assert "transition_outside_grid" not in flags(list(curve("a", [70, 97], attack="square")))
    assert "transition_outside_grid" not in flags(list(curve("a", [97])))
