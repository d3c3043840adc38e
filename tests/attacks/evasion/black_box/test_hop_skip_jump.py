"""HopSkipJump against closed forms, its paper's schedules, its own count of queries, and the conformance suite."""

from itertools import pairwise
from math import ceil, log2, sqrt

import pytest
import torch
from torch import nn

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import Attempt, MinimalAttack
from nasaudit.attacks.evasion.black_box.hop_skip_jump import HopSkipJump, _Walk
from nasaudit.attacks.evasion.black_box.queries import Questions
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.progress import silent
from nasaudit.spec.attacks import HopSkipJumpSpec
from nasaudit.testing.evasion import MinimalOracleConformance
from nasaudit.testing.victims import LinearVictim
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


class TestL2(MinimalOracleConformance):
    images = 20
    output = "label"

    def attack(self) -> MinimalAttack[Oracle]:
        return HopSkipJump(HopSkipJumpSpec(iterations=2, evaluations=30))


class TestLinfInSmallBatchesWithABudget(MinimalOracleConformance):
    images = 20

    def attack(self) -> MinimalAttack[Oracle]:
        return HopSkipJump(
            HopSkipJumpSpec(norm="linf", iterations=3, evaluations=30, query_budget=150), batch_size=37
        )


def linear(bias: float = 0.0) -> tuple[LinearVictim, Oracle]:
    network = LinearVictim((1, 6, 6), bias=bias)
    return network, Oracle(Classifier(network, 2), output="label")


def images(count: int, low: float = 0.45, high: float = 0.55) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(4))


def own_class(network: LinearVictim, clean: torch.Tensor) -> Objective:
    return Objective((network.margin(clean) > 0).long())


@pytest.mark.parametrize(("norm", "tolerance"), [("l2", 0.03), ("linf", 0.06)])
def test_the_distance_to_a_plane_is_that_of_the_closed_form(norm, tolerance):
    network, oracle = linear()
    clean = images(40)
    spec = HopSkipJumpSpec(norm=norm, iterations=15, evaluations=200)
    found = HopSkipJump(spec).minimise(oracle, clean, own_class(network, clean))
    w = network.w.detach()
    # The distance of a point to a plane is its margin over the dual norm of w (Hoelder).
    truth = network.margin(clean).detach().abs().double() / (w.norm() if norm == "l2" else w.abs().sum())
    ratio = found.distance / truth
    assert (ratio > 0.999).all()  # nothing is nearer
    assert ratio.median() < 1 + tolerance
    assert (ratio < 1 + 4 * tolerance).all()


def test_without_iterations_it_stands_on_the_boundary_between_image_and_start():
    network, oracle = linear()
    clean = images(30)
    found = HopSkipJump(HopSkipJumpSpec(iterations=0)).minimise(oracle, clean, own_class(network, clean))
    assert (found.steps == 0).all()
    margins = network.margin(found.images).detach()
    assert (margins.sign() != network.margin(clean).sign()).all()
    # The bisection stops within theta of the line, whose length is at most that of the cube's diagonal.
    slope, theta, longest = network.w.detach().norm(), 36**-1.5, 6
    assert (margins.abs() < theta * longest * slope).all()


def test_more_iterations_lead_nearer():
    network, oracle = linear()
    clean = images(20)
    distances = [
        HopSkipJump(HopSkipJumpSpec(iterations=iterations))
        .minimise(oracle, clean, own_class(network, clean))
        .distance
        for iterations in (0, 1, 4, 8)
    ]
    assert all((later <= earlier).all() for earlier, later in pairwise(distances))
    assert distances[-1].median() < 0.3 * distances[0].median()


def walk_at_the_boundary(norm: str = "l2", evaluations: int = 50) -> _Walk:
    """A walk that stands where a plane cuts the middle of the range."""
    _, oracle = linear()
    spec = HopSkipJumpSpec(norm=norm, evaluations=evaluations)
    centre = torch.full((3, 1, 6, 6), 0.5)
    attempt = Attempt.of(centre, Objective(torch.zeros(3).long()), None, 0, silent)
    return _Walk(spec, Questions(oracle, 3), attempt)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_estimated_direction_is_that_of_the_gradient(norm):
    walk, w = walk_at_the_boundary(norm, 4000), LinearVictim((1, 6, 6)).w.detach()
    rows = torch.arange(3)
    v = walk._direction(rows, torch.full((3,), 0.1), torch.full((3,), 4000), 1)
    truth = w.sign() if norm == "linf" else w
    assert (
        torch.cosine_similarity(v.flatten(1), truth.flatten()[None]) > (0.95 if norm == "l2" else 0.85)
    ).all()
    if norm == "l2":
        torch.testing.assert_close(v.flatten(1).norm(dim=1), torch.ones(3))
    else:
        assert (v.abs() == 1).all()


def test_images_with_fewer_evaluations_get_the_direction_of_those():
    walk, rows = walk_at_the_boundary(), torch.arange(3)
    mixed = walk._direction(rows, torch.full((3,), 0.1), torch.tensor([50, 7, 50]), 1)
    alone = walk._direction(rows[1:2], torch.full((1,), 0.1), torch.tensor([7]), 1)
    torch.testing.assert_close(mixed[1:2], alone)
    assert walk.questions.queries.tolist() == [50, 14, 50]


def test_answers_that_are_all_equal_give_the_mean_direction():
    walk, rows = walk_at_the_boundary(), torch.arange(3)
    u = walk._unit_vectors(rows, 1)[:, :20]
    for label, sign in ((0, -1), (1, 1)):
        network = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
        with torch.no_grad():
            network[1].weight.zero_()
            network[1].bias.copy_(torch.eye(2)[label])
        walk.questions = Questions(Oracle(Classifier(network, 2), output="label"), 3)
        v = walk._direction(rows, torch.full((3,), 0.01), torch.full((3,), 20), 1).flatten(1)
        torch.testing.assert_close(v, sign * nn.functional.normalize(u.mean(1), dim=1), rtol=0, atol=1e-4)


def test_evaluations_grow_with_the_root_of_the_iteration():
    sizes = []
    network = LinearVictim((1, 6, 6))
    network.register_forward_pre_hook(lambda _, arguments: sizes.append(len(arguments[0])))
    oracle = Oracle(Classifier(network, 2, folding=False), output="label")
    clean = images(1)
    spec = HopSkipJumpSpec(iterations=6, evaluations=50, max_evaluations=105)
    found = HopSkipJump(spec).minimise(oracle, clean, own_class(network, clean))
    assert [size for size in sizes if size > 1] == [min(int(50 * sqrt(t)), 105) for t in range(1, 7)]
    assert int(found.queries) == oracle.queries
    # A projection bisects down to theta: log2(d^1.5) queries, one at a time.
    assert sizes.count(1) >= 7 * ceil(log2(36**1.5))


@pytest.mark.parametrize("budget", [1, 2, 12, 60, 400, 1000])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_no_image_costs_more_than_its_budget(norm, budget):
    network, oracle = linear()
    clean = images(15)
    spec = HopSkipJumpSpec(norm=norm, query_budget=budget)
    found = HopSkipJump(spec).minimise(oracle, clean, own_class(network, clean))
    assert found.queries.max() <= budget
    assert found.queries.sum() == oracle.queries
    if budget >= 60:  # less may not be enough for another estimate and projection
        assert found.queries.min() >= 0.9 * budget
    claimed = found.distance.isfinite()
    assert (network.margin(found.images).sign() != network.margin(clean).sign())[claimed].all()
    if budget >= 12:
        assert claimed.all()


def test_a_larger_budget_leads_nearer():
    network, oracle = linear()
    clean = images(30)
    medians = [
        float(
            HopSkipJump(HopSkipJumpSpec(query_budget=budget))
            .minimise(oracle, clean, own_class(network, clean))
            .distance.median()
        )
        for budget in (30, 200, 1000)
    ]
    assert medians == sorted(medians, reverse=True)


def test_images_in_a_crowd_walk_as_they_do_alone():
    network, oracle = linear()
    clean, indices = images(12), torch.arange(100, 112)
    # Some need no change, so that the others stand in batches of other sizes.
    classes = own_class(network, clean).classes.clone()
    classes[::3] = 1 - classes[::3]
    whole = HopSkipJump(HopSkipJumpSpec(iterations=4)).minimise(
        oracle, clean, Objective(classes), indices=indices
    )
    assert (whole.distance[::3] == 0).all()
    assert (whole.queries[::3] == 1).all()
    for row in range(12):
        alone = HopSkipJump(HopSkipJumpSpec(iterations=4), batch_size=50).minimise(
            oracle, clean[[row]], Objective(classes[[row]]), indices=indices[[row]]
        )
        torch.testing.assert_close(alone.distance[0], whole.distance[row], rtol=1e-3, atol=0)


class Bright(nn.Module):
    """Class 1 for images that are brighter than .62 on average, which noise of single pixels never is."""

    def forward(self, pixels):
        brightness = pixels.flatten(1).mean(1)
        return torch.stack([torch.full_like(brightness, 0.62), brightness], 1)


def test_coarser_noise_starts_what_noise_of_pixels_cannot():
    oracle = Oracle(Classifier(Bright(), 2), output="label")
    clean = torch.full((10, 1, 16, 16), 0.5)
    found = HopSkipJump(HopSkipJumpSpec()).minimise(oracle, clean, Objective(torch.zeros(10).long()))
    assert (found.queries > 40).all()
    # The nearest bright image is bright all over: .12 for each of 256 pixels.
    assert (found.distance < 1.1 * 0.12 * 16).all()


class Band(nn.Module):
    """Class 1 for images with an average brightness between .6 and .63."""

    def forward(self, pixels):
        brightness = pixels.flatten(1).mean(1)
        return torch.stack([torch.full_like(brightness, 0.015), 0.03 - (brightness - 0.615).abs()], 1)


def test_a_step_is_halved_until_it_lands_on_an_adversarial_point():
    questions = Questions(Oracle(Classifier(Band(), 2), output="label"), 1)
    image, rows = torch.full((1, 1, 16, 16), 0.5), torch.zeros(1, dtype=torch.long)
    walk = _Walk(HopSkipJumpSpec(), questions, Attempt.of(image, Objective(rows), rows, 0, silent))
    walk.points.fill_(0.601)
    walk._step(rows, torch.full((1, 1, 16, 16), 1 / 16), t=1)
    # The whole step is as long as the way from the image, .101 of brightness; half of it is too long as well.
    assert walk.points.mean() == pytest.approx(0.601 + 0.101 / 4, abs=1e-5)
    assert int(questions.queries) == 3


def test_a_victim_that_nothing_changes_is_given_up():
    _, oracle = linear(bias=1000.0)
    clean = images(5)
    found = HopSkipJump(HopSkipJumpSpec(initial_tries=20)).minimise(
        oracle, clean, Objective(torch.ones(5).long())
    )
    assert found.distance.isinf().all()
    assert torch.equal(found.images, clean)
    assert (found.queries == 21).all()


def test_any_kind_of_answer_will_do():
    network, _ = linear()
    clean = images(8)
    results = [
        HopSkipJump(HopSkipJumpSpec(iterations=2))
        .minimise(Oracle(Classifier(network, 2), output=output), clean, own_class(network, clean))
        .images
        for output in ("label", "logits", "probabilities")
    ]
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"goal": "least_likely"}, "goal"),
        ({"goal": "targeted", "target_class": 1}, "goal"),
        ({"min_confidence": 0.9}, "min_confidence"),
        ({"query_budget": 0}, "query_budget"),
    ],
)
def test_what_it_cannot_do_is_refused(wish, field):
    with pytest.raises(SpecError, match=field):
        HopSkipJumpSpec.parse(wish)


def test_a_spec_finds_its_implementation():
    assert isinstance(load_attack(HopSkipJumpSpec()), HopSkipJump)
