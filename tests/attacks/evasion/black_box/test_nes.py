"""NES against the true gradient, a plain float64 loop, its own count of queries, and the conformance suite."""

import pytest
import torch

from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.black_box.nes import Annealing, Nes, estimate_gradient, gaussians
from nasaudit.attacks.evasion.black_box.queries import Questions
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import NonFiniteError, SpecError
from nasaudit.spec.attacks import NesSpec
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import OracleConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


class TestLinf(OracleConformance):
    images = 24
    epsilon = 0.15

    def attack(self) -> EvasionAttack[Oracle]:
        return Nes(NesSpec(steps=4, samples=40, sigma=0.01))


class TestL2InSmallBatchesOnLogits(OracleConformance):
    images = 24
    epsilon = 0.75
    output = "logits"

    def attack(self) -> EvasionAttack[Oracle]:
        return Nes(NesSpec(norm="l2", steps=4, samples=40, sigma=0.01, momentum=0.3), batch_size=50)


def linear(bias: float = 0.0, output: str = "probabilities") -> tuple[LinearVictim, Oracle]:
    network = LinearVictim((1, 6, 6), bias=bias)
    return network, Oracle(Classifier(network, 2), output=output)


def images(count: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(4))


def ones(count: int) -> Objective:
    return Objective(torch.ones(count, dtype=torch.long))


def estimates(points: torch.Tensor, pairs: int, output: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The estimates at some points, [N, 36], and the true gradient of their loss, -w."""
    network, oracle = linear(output=output)
    rows = torch.arange(len(points))
    u = gaussians(rows, pairs, points.shape[1:], 0, 0)
    found, _ = estimate_gradient(Questions(oracle, len(points)), rows, points, ones(len(points)), u, 1e-3)
    return found.flatten(1), -network.w.detach().flatten()


@pytest.mark.parametrize("output", ["probabilities", "logits"])
def test_the_estimate_points_where_the_gradient_does(output):
    # The squared cosine of an average of n projections u (u.w) in d dimensions is about n / (n + d + 1).
    found, truth = estimates(images(4, 0.3, 0.7), 1000, output)
    cosine = torch.cosine_similarity(found, truth[None])
    assert (cosine > 0.97).all()
    assert (cosine < 0.9999).all()  # it is an estimate


def test_the_estimate_is_unbiased():
    pairs = 200
    found, truth = estimates(images(1, 0.3, 0.7).expand(200, -1, -1, -1), pairs, "logits")
    # The variance of u_i (u.w) is |w|^2 + w_i^2.
    deviation = ((truth.square().sum() + truth.square()) / (pairs * 200)).sqrt()
    z = (found.mean(0) - truth) / deviation
    assert z.abs().max() < 4
    assert 0.5 < z.square().mean() < 2


def test_pixels_at_the_border_of_the_range_are_not_underestimated():
    at_border = (images(1) > 0.5).float().expand(100, -1, -1, -1)
    found, truth = estimates(at_border, 200, "logits")
    slope = (found.mean(0) @ truth) / (truth @ truth)
    assert slope == pytest.approx(1, abs=0.05)  # 0.5 without the correction


def test_the_victim_is_asked_about_images_only():
    network = LinearVictim((1, 6, 6), bias=100.0)
    seen = []
    network.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    oracle = Oracle(Classifier(network, 2, folding=False))
    Nes(NesSpec(steps=2, samples=10, sigma=0.2)).perturb(oracle, images(5), ones(5), 0.3)
    assert all(x.min() >= 0 and x.max() <= 1 for x in seen)
    assert any((x == 0).any() for x in seen)


def test_linf_reaches_the_optimum_of_a_linear_victim():
    network, oracle = linear(bias=100.0, output="logits")
    clean, epsilon = images(8), 0.1
    result = Nes(NesSpec(steps=10, samples=2000)).perturb(oracle, clean, ones(8), epsilon)
    w = network.w.detach()
    optimum = (clean - epsilon * w.sign()).clamp(0, 1)
    gain = network.margin(clean) - network.margin(result.images)
    assert (gain > 0.97 * (network.margin(clean) - network.margin(optimum))).all()


def test_it_walks_the_path_of_a_plain_loop():
    network, victim = trained_conv_net().double(), Classifier(trained_conv_net(), 4)
    split = synthetic_split(5, seed=3)
    spec = NesSpec(norm="l2", steps=3, samples=8, sigma=0.05, momentum=0.6, step_size=0.2)
    # No probability exceeds 1: an objective that is never reached lets all steps be seen.
    objective = Objective(split.labels, min_confidence=1.0)
    result = Nes(spec).perturb(Oracle(victim), split.pixels(), objective, 0.5, seed=7, indices=split.indices)
    for row, clean in enumerate(split.pixels().double()):
        x, velocity = clean, torch.zeros_like(clean)
        own = Objective(split.labels[row : row + 1])
        for step in range(3):
            gradient = torch.zeros_like(clean)
            for u in gaussians(split.indices[row : row + 1], 4, clean.shape, 7, step)[0].double():
                plus, minus = (x + 0.05 * u).clamp(0, 1), (x - 0.05 * u).clamp(0, 1)
                difference = own.loss(network(plus[None])) - own.loss(network(minus[None]))
                gradient += u * difference.detach() / (8 * 0.05)
            normal = torch.distributions.Normal(x, 0.05)
            gradient /= normal.cdf(torch.ones(())) - normal.cdf(torch.zeros(()))
            velocity = 0.6 * velocity + 0.4 * gradient
            change = x + 0.2 * velocity / velocity.norm() - clean
            x = (clean + change * min(1, 0.5 / float(change.norm()))).clamp(0, 1)
        torch.testing.assert_close(result.images[row].double(), x, rtol=0, atol=2e-4)
    assert not result.broken.any()


def test_the_step_is_annealed_as_in_the_authors_code():
    # github.com/labsix/limited-blackbox-attacks, attacks.py, 208-215 at 076eebd, with a loss that ends where ours
    # begins; main.py, 35-42: plateau_drop 2, plateau_length 5, max_lr 1e-2 and min_lr 5e-5 at epsilon .05.
    spec = NesSpec()
    levels = torch.randn(3, 200, generator=torch.Generator().manual_seed(1))
    levels[1] = levels[1].sort().values  # F never falls
    annealing = Annealing(3, 1e-2, spec, levels.device)
    for row, own in enumerate((-levels).tolist()):
        max_lr, last_ls = 1e-2, []
        for loss in own:
            last_ls = [*last_ls, loss][-5:]
            if last_ls[-1] > last_ls[0] and len(last_ls) == 5:
                max_lr, last_ls = max(max_lr / 2.0, 5e-5), []
            rows = torch.tensor([row])
            assert annealing.step(rows, torch.tensor([-loss])).item() == pytest.approx(max_lr)
        assert max_lr == (1e-2 if row == 1 else 5e-5)


def test_every_query_is_counted_for_its_image():
    _, oracle = linear()
    clean = images(60, 0.45, 0.55)
    labels = Oracle(oracle._classifier, output="label")(clean)
    spec = NesSpec(steps=4, samples=10)
    result = Nes(spec).perturb(oracle, clean, Objective(labels), 0.004)
    assert 0 < result.broken.sum() < 60
    # To know that step s has broken an image takes s estimates and s + 1 looks.
    expected = torch.where(result.broken, result.steps * 11 + 1, spec.most_queries)
    assert torch.equal(result.queries, expected)
    assert result.queries.sum() == oracle.queries


@pytest.mark.parametrize("budget", [0, 59, 60, 400, 1500])
def test_what_was_broken_before_the_budget_ran_out_is_kept(budget):
    network, free = linear()
    clean = images(60, 0.45, 0.55)
    labels = (network.margin(clean) > 0).long()
    spec = NesSpec(steps=4, samples=10)
    whole = Nes(spec).perturb(free, clean, Objective(labels), 0.004)
    oracle = Oracle(free._classifier, budget)
    result = Nes(spec, batch_size=20).perturb(oracle, clean, Objective(labels), 0.004)
    assert result.queries.sum() == oracle.queries <= budget
    assert torch.equal(result.steps[result.broken], whole.steps[result.broken])
    assert (free(result.images).argmax(1) != labels)[result.broken].all()
    assert result.broken.any() == (budget == 1500)


def test_an_image_that_is_already_broken_costs_one_query():
    network, oracle = linear()
    clean = images(6)
    result = Nes(NesSpec()).perturb(oracle, clean, Objective((network.margin(clean) < 0).long()), 0.1)
    assert torch.equal(result.images, clean)
    assert (result.steps == 0).all()
    assert (result.queries == 1).all()
    assert result.first_gradient.isnan().all()


def test_labels_are_no_scores():
    with pytest.raises(SpecError, match="probabilities"):
        Nes(NesSpec()).perturb(linear(output="label")[1], images(2), ones(2), 0.1)


def test_a_nan_of_the_victim_is_an_error():
    network = LinearVictim((1, 6, 6))
    with torch.no_grad():
        network.w[0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteError):
        Nes(NesSpec()).perturb(Oracle(Classifier(network, 2)), images(2), ones(2), 0.1)


@pytest.mark.parametrize("wish", [{"samples": 5}, {"sigma": 0.0}, {"momentum": 1.0}, {"steps": 0}])
def test_impossible_settings_are_refused(wish):
    with pytest.raises(SpecError, match=next(iter(wish))):
        NesSpec.parse(wish)


def test_a_spec_finds_its_implementation():
    assert isinstance(load_attack(NesSpec()), Nes)


def test_the_protocol_of_the_paper_has_no_momentum_and_no_annealing():
    (spec,) = [attack for attack in attacks_for(["evasion"], "paper", "paper") if attack.name == "nes"]
    assert (spec.momentum, spec.plateau_length) == (0, None)
    assert (spec.samples, spec.sigma, spec.steps) == (100, 1e-3, 7)
    assert spec.most_queries == 708
