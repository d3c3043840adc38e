"""The security curve: bisection, confirmed verdicts, and its figures against plain reference code."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nasaudit.attacks.evasion.base import EvasionAttack, MinimalAttack, Nearest, Perturbed
from nasaudit.attacks.evasion.curve import aim, security_curve
from nasaudit.attacks.evasion.measures import (
    asr_curve,
    curve_area,
    curve_measurements,
    effort_levels,
    effort_measurements,
    late,
    median_bound,
    median_epsilon,
    spent_queries,
    zero_gradient_share,
)
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import MeasurementError, SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import DdnSpec, HopSkipJumpSpec, PgdSpec, SquareSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

INF = float("inf")


def linear_setting(count=120):
    network = LinearVictim((1, 6, 6))
    pixels = 0.45 + 0.1 * torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    victim = Classifier(network, 2)
    return network, victim, pixels, victim(pixels).argmax(1)


def test_minimal_epsilons_are_those_of_the_closed_form():
    network, victim, pixels, labels = linear_setting()
    spec = PgdSpec(epsilons=(0.001, 0.003, 0.006, 0.01), steps=50)
    curve = security_curve(Pgd(spec), victim, victim, pixels, labels, indices=torch.arange(120))
    distance = (network.margin(pixels).abs() / network.w.abs().sum()).detach().numpy()
    grid = np.array([*spec.epsilons, INF])
    expected = grid[np.searchsorted(grid[:-1], distance)]
    assert set(expected) == set(grid)
    assert curve.minimal_epsilon.tolist() == expected.tolist()
    broken = curve.minimal_epsilon.isfinite()
    assert torch.equal(curve.prediction != labels, broken)
    assert torch.equal(curve.images[~broken], pixels[~broken])
    size = (curve.images - pixels).flatten(1).abs().amax(1).double()
    assert (size[broken] <= curve.minimal_epsilon[broken]).all()


def test_bisection_finds_what_a_sweep_finds_with_fewer_attacks():
    _, victim, pixels, labels = linear_setting()
    grid = tuple(level / 1000 for level in range(1, 11))
    tried = torch.zeros(120, dtype=torch.int64)

    class Counted(EvasionAttack[Classifier]):
        def _perturb(self, victim, attempt, epsilon):
            tried[attempt.indices] += 1
            return Pgd(self.spec)._perturb(victim, attempt, epsilon)

    indices = torch.arange(120)
    curve = security_curve(
        Counted(PgdSpec(epsilons=grid, steps=50)), victim, victim, pixels, labels, indices=indices
    )
    assert tried.max() == 4  # 11 possible answers
    sweep = torch.full((120,), INF, dtype=torch.float64)
    for epsilon in reversed(grid):
        attack = Pgd(PgdSpec(epsilons=(epsilon,), steps=50))
        alone = security_curve(attack, victim, victim, pixels, labels, indices=indices)
        sweep = torch.where(alone.minimal_epsilon.isfinite(), epsilon, sweep)
    assert torch.equal(curve.minimal_epsilon, sweep)
    assert len(curve.minimal_epsilon.unique()) > 5


def test_a_claim_that_the_judge_denies_does_not_count():
    _, victim, pixels, labels = linear_setting()

    class Liar(EvasionAttack[Classifier]):
        def _perturb(self, victim, attempt, epsilon):
            zeros = torch.zeros(len(attempt.images))
            return Perturbed(attempt.images, zeros.long(), zeros)

    curve = security_curve(
        Liar(PgdSpec(epsilons=(0.01,))), victim, victim, pixels, labels, indices=torch.arange(120)
    )
    assert curve.minimal_epsilon.isinf().all()


def test_goals():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    labels = torch.tensor([0, 1])
    assert aim(PgdSpec(), logits, labels).classes.tolist() == [0, 1]
    assert aim(PgdSpec(goal="least_likely"), logits, labels).classes.tolist() == [1, 2]
    assert aim(PgdSpec(goal="targeted", target_class=2), logits, labels).classes.tolist() == [2, 2]
    assert aim(PgdSpec(goal="second_likely"), logits, labels).classes.tolist() == [2, 0]
    # Of an image that is taken for another class, that class: it is broken before the attack.
    assert aim(PgdSpec(goal="second_likely"), logits, torch.tensor([1, 1])).classes.tolist() == [0, 0]
    with pytest.raises(SpecError, match=r"target_class.*0\.\.2"):
        aim(PgdSpec(goal="targeted", target_class=3), logits, labels)


def test_an_image_that_is_wrong_without_an_attack_counts_from_epsilon_zero():
    victim = Classifier(trained_conv_net(), 4)
    split = synthetic_split(8, seed=3)
    labels = split.labels.clone()
    labels[2] = (labels[2] + 1) % 4
    curve = security_curve(
        Pgd(PgdSpec(epsilons=(1 / 255,))), victim, victim, split.pixels(), labels, indices=split.indices
    )
    assert curve.minimal_epsilon[2] == 0
    assert curve.steps[2] == 0


class Asking(EvasionAttack[Oracle]):
    """PGD that pretends to ask: it costs an image as many queries as its index says."""

    def __init__(self, spec, network):
        self.spec, self.own = spec, Classifier(network, 2)

    def _perturb(self, victim, attempt, epsilon):
        found = Pgd(self.spec)._perturb(self.own, attempt, epsilon)
        return replace(found, queries=attempt.indices + 1000 * round(epsilon * 1e3))


def test_queries_and_steps_are_those_of_the_pivot_and_of_the_epsilon_that_broke_it():
    network, victim, pixels, labels = linear_setting()
    spec = PgdSpec(epsilons=(0.001, 0.003, 0.006), steps=50)
    oracle = Oracle(victim, output="label")
    indices = torch.arange(120)
    curve = security_curve(Asking(spec, network), oracle, victim, pixels, labels, indices=indices)
    alone = Pgd(spec).perturb(
        victim, pixels, Objective(labels), 0.003, seed=derive_seed("evasion", 0, 0.003), indices=indices
    )
    assert curve.pivot == 0.003  # the middle of the grid, which bisection tries first
    assert curve.pivot_queries.tolist() == [3000 + k for k in range(120)]
    assert torch.equal(curve.pivot_steps, alone.steps)
    assert 0 < int(alone.broken.sum()) < 120
    # Broken: asked at the epsilon that broke it. Standing: at the largest, the last one tried.
    last = torch.where(curve.minimal_epsilon.isfinite(), curve.minimal_epsilon, 0.006)
    assert curve.queries.tolist() == (1000 * (last * 1000).round().long() + indices).tolist()


def test_a_white_box_attack_asks_nothing():
    _, victim, pixels, labels = linear_setting(10)
    curve = security_curve(
        Pgd(PgdSpec(epsilons=(0.003,))), victim, victim, pixels, labels, indices=torch.arange(10)
    )
    assert (curve.queries == -1).all()
    assert (curve.pivot_queries == -1).all()


class Exact(MinimalAttack[Classifier]):
    """The closed-form nearest example of a linear victim, `beyond` times as far; it claims to be nearer."""

    spec = DdnSpec()

    def __init__(self, network, beyond):
        self.w, self.margin, self.beyond = network.w.detach(), network.margin, beyond

    def _minimise(self, victim, attempt):
        images = attempt.images
        step = (self.margin(images) / self.w.square().sum())[:, None, None, None] * self.w
        zeros = torch.zeros(len(images))
        return Nearest((images - self.beyond * step).detach(), zeros.double() + 0.001, zeros.long() + 7)


def test_the_distance_of_a_nearest_example_is_measured_and_not_believed():
    network, victim, pixels, labels = linear_setting()
    exact = (network.margin(pixels).abs() / network.w.norm()).detach().double()
    curve = security_curve(Exact(network, 1.5), victim, victim, pixels, labels, indices=torch.arange(120))
    torch.testing.assert_close(curve.minimal_epsilon, 1.5 * exact, rtol=1e-3, atol=1e-6)
    assert (curve.steps == 7).all()


def test_an_example_that_lies_on_the_boundary_is_moved_over_it_and_one_before_it_is_denied():
    network, victim, pixels, labels = linear_setting()
    exact = (network.margin(pixels).abs() / network.w.norm()).detach().double()
    touching = security_curve(
        Exact(network, 0.9999), victim, victim, pixels, labels, indices=torch.arange(120)
    )
    far = exact > 1e-3  # nearer ones are within the rounding of float32
    assert far.sum() > 100
    torch.testing.assert_close(touching.minimal_epsilon[far], exact[far], rtol=2e-3, atol=1e-6)
    assert (touching.prediction[far] != labels[far]).all()
    before = security_curve(Exact(network, 0.9), victim, victim, pixels, labels, indices=torch.arange(120))
    assert before.minimal_epsilon[far].isinf().all()
    assert torch.equal(before.images[far], pixels[far])


def test_progress_never_runs_backwards():
    _, victim, pixels, labels = linear_setting()
    done = []
    spec = PgdSpec(epsilons=(0.001, 0.003), restarts=2, steps=3)
    security_curve(
        Pgd(spec, batch_size=50),
        victim,
        victim,
        pixels,
        labels,
        indices=torch.arange(120),
        progress=lambda share, text="": done.append(share),
    )
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] < 1
    assert len(done) > 10


MINIMAL = np.array([0.0, 0.1, 0.1, 0.2, 0.2, 0.4, INF, INF])
GRID = (0.1, 0.2, 0.4)


def test_curve_figures_by_hand():
    assert asr_curve(MINIMAL, GRID).tolist() == [1 / 8, 3 / 8, 5 / 8, 6 / 8]
    # Two factors of 2, each a trapezoid of its own: ((3/8 + 5/8)/2 + (5/8 + 6/8)/2) / 2.
    assert curve_area(MINIMAL, GRID) == pytest.approx(0.59375)
    # Half way from 3/8 to 5/8, so half way from .1 to .2 by factors.
    assert median_epsilon(MINIMAL, GRID) == pytest.approx((0.1 * 0.2) ** 0.5)
    assert median_bound(asr_curve(MINIMAL, GRID)) is None


def test_curve_figures_at_the_ends_of_the_grid():
    assert curve_area([INF, INF], GRID) == 0
    assert curve_area([0.0, 0.1], GRID) == 1
    for minimal, half, bound in (
        ([0.0, 0.1, INF], 0.1, "upper"),
        ([0.1, INF, INF], 0.4, "lower"),
        ([0.4, INF], 0.4, None),
    ):
        assert median_epsilon(minimal, GRID) == pytest.approx(half)
        assert median_bound(asr_curve(minimal, GRID)) == bound


def test_a_curve_of_one_epsilon_is_the_share_that_falls_at_it():
    assert curve_area([0.1, 0.1, INF, INF, INF], (0.1,)) == pytest.approx(0.4)


@given(st.floats(0.01, 100), st.lists(st.sampled_from([*GRID, INF]), min_size=1, max_size=30))
def test_a_change_of_units_changes_no_area(factor, minimal):
    """Over log epsilon a data set whose images fall twice as early has the same curve, further left."""
    scaled = [factor * epsilon for epsilon in GRID]
    moved = [scaled[GRID.index(epsilon)] if epsilon in GRID else INF for epsilon in minimal]
    assert curve_area(moved, scaled) == pytest.approx(curve_area(minimal, GRID))
    assert median_epsilon(moved, scaled) == pytest.approx(factor * median_epsilon(minimal, GRID))


@given(st.lists(st.sampled_from([0.0, *GRID, INF]), min_size=1, max_size=30))
def test_the_median_walks_along_the_curve(minimal):
    """Against a walk over the segments of the curve, one after the other."""
    shares = asr_curve(minimal, GRID).tolist()[1:]
    expected = GRID[-1]
    for k, share in enumerate(shares):
        if share >= 0.5:
            part = (0.5 - shares[k - 1]) / (share - shares[k - 1]) if k else 0.0
            expected = GRID[k - 1] * (GRID[k] / GRID[k - 1]) ** part if k else GRID[0]
            break
    assert median_epsilon(minimal, GRID) == pytest.approx(expected)


def measured(found, metric, **setting):
    matching = [m for m in found if m.metric == metric and set(setting.items()) <= set(m.setting)]
    assert len(matching) == 1
    return matching[0]


def test_denominators_and_settings():
    spec = PgdSpec(epsilons=(4 / 255, 8 / 255, 16 / 255))
    minimal = np.array([0, 8 / 255, 8 / 255, 16 / 255, INF])
    correct = np.array([False, True, True, True, True])
    found = curve_measurements(spec, minimal, np.array([0, 1, 2, 3, -1]), correct)
    everything = measured(
        found, "asr", epsilon="8/255", images="all", norm="linf", goal="untargeted"
    ).estimate
    right = measured(found, "asr", epsilon="8/255", images="correct").estimate
    robust = measured(found, "robust_accuracy", epsilon="8/255").estimate
    assert (everything.value, everything.n) == (3 / 5, 5)
    assert (right.value, right.n) == (2 / 4, 4)
    assert robust.value == pytest.approx(1 - everything.value)
    assert robust.low == pytest.approx(1 - everything.high)
    area = measured(found, "curve_area", images="correct").estimate
    assert area.value == pytest.approx(curve_area(minimal[correct], spec.epsilons))
    assert 0 <= area.low < area.value < area.high <= 1
    median = measured(found, "median_minimal_epsilon")
    assert median.estimate.bound is None
    assert median.estimate.value == pytest.approx(8 / 255)
    assert not [m for m in found if m.metric == "mean_steps"]


def test_a_median_outside_of_the_grid_is_called_a_bound():
    found = curve_measurements(
        PgdSpec(epsilons=(8 / 255,)), np.array([8 / 255, INF, INF]), np.array([1, -1, -1]), np.full(3, True)
    )
    median = measured(found, "median_minimal_epsilon").estimate
    assert (median.value, median.bound) == (8 / 255, "lower")
    assert median.low <= median.value == median.high
    (median,) = [
        m.estimate
        for m in curve_measurements(PgdSpec(), np.full(3, 1 / 4080), np.ones(3, int), np.full(3, True))
        if m.metric == "median_minimal_epsilon"
    ]
    assert (median.value, median.bound) == (PgdSpec().epsilons[0], "upper")


def test_a_failure_counts_its_steps_in_the_mean():
    spec = PgdSpec(goal="least_likely", epsilons=(8 / 255,), steps=7)
    steps, minimal = np.array([3, 5, -1]), np.array([8 / 255, 8 / 255, INF])
    found = curve_measurements(spec, minimal, steps, np.full(3, True), steps_of_failure=14)
    assert measured(found, "mean_steps", epsilon="8/255").estimate.value == pytest.approx((3 + 5 + 14) / 3)
    assert not [m for m in found if m.metric == "robust_accuracy"]


def test_a_victim_that_gets_nothing_right_is_not_measured():
    with pytest.raises(MeasurementError, match="none of the 3"):
        curve_measurements(PgdSpec(), np.zeros(3), np.zeros(3, np.int64), np.full(3, False))


def test_zero_gradient_share_counts_only_images_whose_gradient_was_taken():
    share = zero_gradient_share(PgdSpec(), np.array([0, 0, 1, np.nan], dtype=np.float32))[0].estimate
    assert (share.value, share.n) == (2 / 3, 3)
    assert zero_gradient_share(PgdSpec(), np.array([np.nan], dtype=np.float32)) == []


def test_effort_levels_are_round_and_hold_three_quarters_and_all():
    assert effort_levels(20) == [1, 2, 5, 10, 15, 20]
    assert effort_levels(7) == [1, 2, 5, 6, 7]
    assert effort_levels(500, least=10) == [10, 20, 50, 100, 200, 375, 500]
    assert late(7) == 6
    assert late(20) == 15


def test_success_by_effort_by_hand():
    spec = SquareSpec(queries=100, epsilons=(8 / 255,))
    steps = np.array([0, 3, 40, -1, 2])
    queries = np.array([0, 12, 90, 100, 50])
    correct = np.array([False, True, True, True, True])
    found = effort_measurements(spec, 8 / 255, steps, queries, correct)
    at = {dict(m.setting)["within_queries"]: m.estimate.value for m in found if m.metric == "asr_by_queries"}
    assert at == {"10": 0.0, "20": 0.25, "50": 0.5, "75": 0.5, "100": 0.75}
    mean, median = measured(found, "mean_queries"), measured(found, "median_queries", epsilon="8/255")
    assert (mean.estimate.value, mean.estimate.n) == (pytest.approx((12 + 90 + 50) / 3), 3)
    assert median.estimate.value == 50
    by_steps = effort_measurements(PgdSpec(steps=20), 8 / 255, steps, np.full(5, -1), correct)
    assert {m.metric for m in by_steps} == {"asr_by_steps"}
    at = {int(dict(m.setting)["within_steps"]): m.estimate.value for m in by_steps}
    assert at == {1: 0.0, 2: 0.25, 5: 0.5, 10: 0.5, 15: 0.5, 20: 0.5}


def test_an_attack_that_broke_nothing_has_no_mean_of_queries():
    spec = SquareSpec(queries=100, epsilons=(8 / 255,))
    found = effort_measurements(spec, 8 / 255, np.array([-1, -1]), np.array([100, 100]), np.full(2, True))
    assert {m.metric for m in found} == {"asr_by_queries"}


def test_a_minimal_attack_counts_what_it_asked_about_every_image():
    found = spent_queries(HopSkipJumpSpec(), np.array([0, 10, 30]), np.array([False, True, True]))
    assert measured(found, "mean_queries").estimate.value == 20
    assert spent_queries(DdnSpec(), np.array([-1, -1]), np.full(2, True)) == []


def test_figures_of_distances_do_not_depend_on_the_epsilons_of_the_spec():
    distances = np.random.default_rng(0).uniform(0, 2.0, 400)
    spec = DdnSpec(epsilons=(0.01, 1.0, 2.0))
    found = curve_measurements(spec, distances, np.full(400, 5), np.full(400, True))
    # Half of the distances are below their median. Under a step at log d lies what is right of it.
    area = (np.log(2.0 / distances.clip(0.01, 2.0)) / np.log(200)).mean()
    assert measured(found, "median_minimal_epsilon").estimate.value == pytest.approx(
        np.median(distances), rel=0.01
    )
    assert measured(found, "curve_area").estimate.value == pytest.approx(area, abs=0.002)
    assert measured(found, "asr", epsilon="1", images="correct").estimate.value == (distances <= 1).mean()


def test_objective_takes_rows():
    objective = Objective(torch.tensor([4, 5, 6]), True, 0.5).take(torch.tensor([2, 0]))
    assert objective.classes.tolist() == [6, 4]
    assert (objective.targeted, objective.min_confidence) == (True, 0.5)
