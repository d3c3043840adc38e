"""The security curve: bisection, confirmed verdicts, and its figures against plain reference code."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nasaudit.attacks.base import EvasionAttack, Perturbed
from nasaudit.attacks.evasion.curve import aim, security_curve
from nasaudit.attacks.evasion.measures import (
    asr_curve,
    curve_area,
    curve_measurements,
    median_epsilon,
    zero_gradient_share,
)
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import MeasurementError, SpecError
from nasaudit.spec.attacks import PgdSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier

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
        spec = PgdSpec(epsilons=grid, steps=50)

        def perturb(self, victim, images, objective, epsilon, *, seed, indices, progress):
            tried[indices] += 1
            return Pgd(self.spec).perturb(victim, images, objective, epsilon, seed=seed, indices=indices)

    indices = torch.arange(120)
    curve = security_curve(Counted(), victim, victim, pixels, labels, indices=indices)
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
        spec = PgdSpec(epsilons=(0.01,))

        def perturb(self, victim, images, objective, epsilon, *, seed, indices, progress):
            zeros = torch.zeros(len(images))
            return Perturbed(images, zeros.long(), zeros)

    curve = security_curve(Liar(), victim, victim, pixels, labels, indices=torch.arange(120))
    assert curve.minimal_epsilon.isinf().all()


def test_goals():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    labels = torch.tensor([0, 1])
    assert aim(PgdSpec(), logits, labels).classes.tolist() == [0, 1]
    assert aim(PgdSpec(goal="least_likely"), logits, labels).classes.tolist() == [1, 2]
    assert aim(PgdSpec(goal="targeted", target_class=2), logits, labels).classes.tolist() == [2, 2]
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
    # Trapezoids: .1 (1/8 + 3/8)/2 + .1 (3/8 + 5/8)/2 + .2 (5/8 + 6/8)/2 = .2125, over .4.
    assert curve_area(MINIMAL, GRID) == pytest.approx(0.2125 / 0.4)
    assert median_epsilon(MINIMAL, GRID) == pytest.approx(0.15)


def test_curve_area_at_its_ends():
    assert curve_area([INF, INF], GRID) == 0
    assert curve_area([0.0, 0.0], GRID) == 1


def test_median_at_its_ends():
    assert median_epsilon([0.0, 0.0, INF], GRID) == 0
    assert median_epsilon([0.1, INF, INF], GRID) == 0.4  # a lower bound
    assert median_epsilon([0.4, INF], GRID) == pytest.approx(0.4)


@given(st.lists(st.sampled_from([0.0, *GRID, INF]), min_size=1, max_size=30))
def test_the_median_walks_along_the_curve(minimal):
    """Against a walk over the segments of the curve, one after the other."""
    shares, points = asr_curve(minimal, GRID).tolist(), [0.0, *GRID]
    expected = points[-1]
    for k, share in enumerate(shares):
        if share >= 0.5:
            before = shares[k - 1] if k else 0.5
            part = (0.5 - before) / (share - before) if share > before and k else 0.0
            expected = points[k - 1] + part * (points[k] - points[k - 1]) if k else 0.0
            break
    assert median_epsilon(minimal, GRID) == pytest.approx(expected)


def measured(found, metric, **setting):
    matching = [m for m in found if m.metric == metric and set(setting.items()) <= set(m.setting)]
    assert len(matching) == 1
    return matching[0]


def test_denominators_and_settings():
    spec = PgdSpec(epsilons=(8 / 255, 16 / 255))
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
    assert "bound" not in dict(median.setting)
    assert median.estimate.value == pytest.approx(8 / 255)
    assert not [m for m in found if m.metric == "mean_steps"]


def test_a_median_beyond_the_grid_is_called_a_lower_bound():
    found = curve_measurements(
        PgdSpec(epsilons=(8 / 255,)), np.array([8 / 255, INF, INF]), np.array([1, -1, -1]), np.full(3, True)
    )
    median = measured(found, "median_minimal_epsilon", bound="lower").estimate
    assert median.value == 8 / 255
    assert median.low <= median.value == median.high


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


def test_objective_takes_rows():
    objective = Objective(torch.tensor([4, 5, 6]), True, 0.5).take(torch.tensor([2, 0]))
    assert objective.classes.tolist() == [6, 4]
    assert (objective.targeted, objective.min_confidence) == (True, 0.5)
