"""Square attack against closed forms, its paper's equations, its own count of queries, and the conformance suite."""

from itertools import product

import pytest
import torch

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion import noise
from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.black_box.square import (
    Square,
    _bump,
    _square,
    _stripes,
    _tiles,
    eta,
    share_of_pixels,
    side_of_square,
    side_of_window,
)
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import AutoAttackSpec, SquareSpec
from nasaudit.testing.evasion import OracleConformance
from nasaudit.testing.victims import LinearVictim
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


class TestLinf(OracleConformance):
    images = 24
    epsilon = 0.13

    def attack(self) -> EvasionAttack[Oracle]:
        return Square(SquareSpec(queries=40, p_init=0.8))


class TestL2InSmallBatchesOnLogits(OracleConformance):
    images = 24
    epsilon = 1.5
    output = "logits"

    def attack(self) -> EvasionAttack[Oracle]:
        return Square(SquareSpec(norm="l2", queries=40), batch_size=7)


def linear(bias: float = 0.0) -> tuple[LinearVictim, Oracle]:
    network = LinearVictim((1, 6, 6), bias=bias)
    return network, Oracle(Classifier(network, 2))


def images(count: int, low: float = 0.0, high: float = 1.0, shape=(1, 6, 6)) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, *shape, generator=torch.Generator().manual_seed(4))


def ones(count: int) -> Objective:
    return Objective(torch.ones(count, dtype=torch.long))


@pytest.mark.parametrize("targeted", [False, True])
def test_linf_reaches_the_optimum_of_a_linear_victim(targeted):
    # No image can be broken (the bias keeps the margin positive), so all queries are made.
    network, oracle = linear(bias=60.0)
    clean, epsilon = images(12), 0.1
    objective = Objective(torch.full((12,), 0 if targeted else 1), targeted)
    result = Square(SquareSpec(queries=1500)).perturb(oracle, clean, objective, epsilon)
    optimum = (clean - epsilon * network.w.detach().sign()).clamp(0, 1)
    assert not result.broken.any()
    torch.testing.assert_close(result.images, optimum, rtol=0, atol=1e-6)


def test_l2_goes_most_of_the_way_to_the_optimum_of_a_smooth_linear_victim():
    network = LinearVictim((1, 8, 8), bias=60.0)
    with torch.no_grad():  # one bright and one dark half
        network.w.copy_(torch.tensor([1.0] * 4 + [-1.0] * 4)[None, :, None].expand(1, 8, 8))
    clean, epsilon = images(12, 0.4, 0.6, (1, 8, 8)), 0.5
    spec = SquareSpec(norm="l2", queries=1500)
    result = Square(spec).perturb(Oracle(Classifier(network, 2)), clean, ones(12), epsilon)
    gain = network.margin(clean) - network.margin(result.images)
    assert (gain > 0.6 * epsilon * network.w.norm()).all()
    assert ((result.images - clean).flatten(1).norm(dim=1) > 0.999 * epsilon).all()


def test_verdicts_on_a_linear_victim_are_those_of_the_closed_form():
    network, oracle = linear()
    clean, epsilon = images(200, 0.45, 0.55), 0.004
    labels = (network.margin(clean) > 0).long()
    expected = network.margin(clean).abs() < epsilon * network.w.abs().sum()
    found = Square(SquareSpec(queries=1000)).perturb(oracle, clean, Objective(labels), epsilon).broken
    assert 20 < expected.sum() < 180
    assert torch.equal(found, expected)


def p_selection(p_init, it, n_iters):
    """github.com/max-andr/square-attack, attack.py, 12-37 at ea95eeb, as intervals."""
    it = int(it / n_iters * 10000)
    ends = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000, 10_000)
    return p_init / 2 ** next(power for power, end in enumerate(ends) if it <= end)


@pytest.mark.parametrize("queries", [200, 1000, 10_000])
def test_the_share_of_pixels_is_the_authors(queries):
    for proposal in range(queries):
        assert share_of_pixels(0.8, proposal, queries) == p_selection(0.8, proposal, queries)


def test_the_first_share_is_the_papers():
    # attack.py, 277: "Linf standard: 0.05, L2 standard: 0.1."
    assert (SquareSpec().first_share, SquareSpec(norm="l2").first_share) == (0.05, 0.1)
    # github.com/fra31/auto-attack, autoattack.py, 42-43 at a392200: p_init=.8, n_queries=5000, resc_schedule=False
    square = AutoAttackSpec(norm="l2").members[-1]
    assert (square.first_share, square.queries, square.schedule_queries) == (0.8, 5000, 10_000)


def test_the_side_of_a_square_is_the_nearest_whole_number():
    assert [side_of_square(share, 28, 28) for share in (0.8, 0.1, 0.05, 1e-6, 1.0)] == [25, 9, 6, 1, 28]
    assert side_of_square(1.0, 4, 9) == 4


def test_windows_are_odd():
    # attack.py, 119-122: s = max(int(round(sqrt(p n / c))), 3); if s % 2 == 0: s += 1
    for share in (0.8 / 2**power for power in range(10)):
        s = max(round((share * 32 * 32) ** 0.5), 3)
        assert side_of_window(share, 32, 32) == (s + 1 if s % 2 == 0 else s)
    assert [side_of_window(1.0, *shape) for shape in ((32, 32), (7, 9), (2, 2), (1, 1))] == [31, 7, 1, 1]


def test_squares_lie_anywhere_and_have_one_value_a_channel():
    clean = images(4000, 0.3, 0.7, (3, 5, 6))
    ball = Ball.around(clean, "linf", 0.1)
    proposal = _square(ball, clean, 2, noise.uniform(torch.arange(4000), 5, "test"))
    moved = proposal != clean
    assert (moved.flatten(1).sum(1) == 3 * 2 * 2).all()
    values = torch.where(moved, (proposal - clean).sign(), 0).flatten(2)
    assert (values.amax(2) * values.amin(2) == 0).all()  # never both signs in one channel
    corners = [tuple(place[0].nonzero()[0].tolist()) for place in moved]
    counts = torch.tensor([corners.count(place) for place in product(range(4), range(5))])
    assert counts.sum() == 4000
    assert ((counts - 200).abs() < 5 * 200**0.5).all()
    up = (values.amax(2) > 0).float().mean(0)
    assert ((up - 0.5).abs() < 0.05).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_every_proposal_changes_something(channels):
    clean = images(500, shape=(channels, 6, 6))
    ball = Ball.around(clean, "linf", 0.1)
    current = _stripes(ball, noise.uniform(torch.arange(500), channels * 6, "stripes"))
    proposal = _square(ball, current, 1, noise.uniform(torch.arange(500), 2 + channels, "test"))
    assert (proposal != current).flatten(1).any(1).all()


def test_the_start_is_stripes_of_both_signs():
    clean = images(300, 0.2, 0.8, (3, 5, 6))
    start = _stripes(Ball.around(clean, "linf", 0.1), noise.uniform(torch.arange(300), 18, "test"))
    signs = (start - clean).sign()
    assert (signs == signs[:, :, :1]).all()
    torch.testing.assert_close((start - clean).abs(), torch.full_like(clean, 0.1))
    assert abs(float(signs.mean())) < 0.05


def test_eta_is_equation_2():
    for side in (1, 2, 3, 4, 7):
        expected = torch.zeros(side, side)
        for first, height, sign in ((0, side // 2, 1), (side // 2, side - side // 2, -1)):
            bump = torch.zeros(height, side)
            n = max(height, side) // 2
            for r, s in product(range(1, height + 1), range(1, side + 1)):
                m = n - max(abs(r - height // 2 - 1), abs(s - side // 2 - 1))
                bump[r - 1, s - 1] = sum(1 / (n + 1 - k) ** 2 for k in range(m + 1))
            if height:
                expected[first : first + height] = sign * bump / bump.norm()
        torch.testing.assert_close(eta(side), expected / expected.norm())


def test_a_bump_keeps_the_length_and_empties_the_other_window():
    clean = images(200, 0.4, 0.6, (3, 12, 12))
    ball = Ball.around(clean, "l2", 0.8)
    start = _tiles(ball, noise.uniform(torch.arange(200), 100, "tiles"))
    torch.testing.assert_close(
        (start - clean).flatten(1).norm(dim=1), torch.full((200,), 0.8), rtol=1e-5, atol=0
    )
    proposal = _bump(ball, start, 3, noise.uniform(torch.arange(200), 8, "test"))
    torch.testing.assert_close(
        (proposal - clean).flatten(1).norm(dim=1), torch.full((200,), 0.8), rtol=1e-5, atol=0
    )
    changed = ((proposal - start).abs() > 1e-6).any(1).flatten(1).sum(1)
    assert (changed <= 18).all()
    assert (changed >= 9).float().mean() > 0.9
    emptied = ((proposal - clean).abs().amax(1) < 1e-6) & ((start - clean).abs().amax(1) > 1e-6)
    assert (emptied.flatten(1).sum(1) >= 5).float().mean() > 0.8


def test_every_query_is_counted_for_its_image():
    network, oracle = linear()
    clean = images(60, 0.45, 0.55)
    labels = (network.margin(clean) > 0).long()
    spec = SquareSpec(queries=50)
    result = Square(spec).perturb(oracle, clean, Objective(labels), 0.004)
    assert 0 < result.broken.sum() < 60
    assert torch.equal(result.queries, torch.where(result.broken, result.steps + 1, spec.most_queries))
    assert result.queries.sum() == oracle.queries


@pytest.mark.parametrize("budget", [0, 30, 500])
def test_what_was_broken_before_the_budget_ran_out_is_kept(budget):
    network, free = linear()
    clean = images(60, 0.45, 0.55)
    labels = (network.margin(clean) > 0).long()
    whole = Square(SquareSpec(queries=50)).perturb(free, clean, Objective(labels), 0.004)
    oracle = Oracle(free._classifier, budget)
    result = Square(SquareSpec(queries=50), batch_size=20).perturb(oracle, clean, Objective(labels), 0.004)
    assert result.queries.sum() == oracle.queries <= budget
    assert torch.equal(result.steps[result.broken], whole.steps[result.broken])
    assert (free(result.images).argmax(1) != labels)[result.broken].all()
    assert result.broken.any() == (budget > 0)


def test_labels_are_no_scores():
    oracle = Oracle(linear()[1]._classifier, output="label")
    with pytest.raises(SpecError, match="probabilities"):
        Square(SquareSpec()).perturb(oracle, images(2), ones(2), 0.1)


def test_a_spec_finds_its_implementation():
    assert isinstance(load_attack(SquareSpec()), Square)
