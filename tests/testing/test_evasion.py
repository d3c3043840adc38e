"""The conformance suite catches the attacks it is there to catch."""

from dataclasses import replace

import pytest
import torch

from nasaudit.attacks.evasion.base import EvasionAttack, MinimalAttack, Nearest, Perturbed
from nasaudit.attacks.evasion.minimal.ddn import Ddn
from nasaudit.attacks.evasion.noise import uniform
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.errors import QueryBudgetError
from nasaudit.spec.attacks import DdnSpec, PgdSpec, SquareSpec
from nasaudit.testing.data import synthetic_bundle, synthetic_split
from nasaudit.testing.evasion import EvasionConformance, MinimalConformance, OracleConformance
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


class Broken(EvasionAttack[Classifier]):
    """PGD with one rule broken."""

    def __init__(self, fault):
        self.spec, self.fault = PgdSpec(steps=5), fault

    def _perturb(self, victim, attempt, epsilon):
        if self.fault == "weights":
            next(victim.network.parameters()).data.add_(1e-7)
        if self.fault == "training flag":
            victim.network.train()
        if self.fault == "input":
            attempt.images.add_(0)[:, :, 0, 0] = 0.5
        if self.fault == "global generator":
            torch.rand(1)
        if self.fault == "batch":
            attempt = replace(attempt, indices=torch.arange(len(attempt.images)))
        found = Pgd(self.spec)._perturb(victim, attempt, epsilon)
        if self.fault == "ball":
            return Perturbed(found.images + 1e-3, found.steps, found.first_gradient)
        return found


RULES = {
    "weights": "test_the_network_is_left_bit_identical",
    "training flag": "test_the_network_is_left_bit_identical",
    "ball": "test_examples_stay_in_the_ball",
    "input": "test_the_images_handed_in_are_left_alone",
    "global generator": "test_the_global_generator_is_left_alone",
}


@pytest.mark.parametrize("fault", RULES)
def test_the_suite_catches(fault):
    class Suite(EvasionConformance):
        def attack(self):
            return Broken(fault)

    network = trained_conv_net()
    victim = Classifier(network, 4, input_shape=(1, 8, 8))
    rule = getattr(Suite(), RULES[fault])
    with pytest.raises(AssertionError):
        rule(network, victim) if "network_is_left" in RULES[fault] else rule(victim)


def test_the_suite_catches_randomness_by_position():
    class Suite(EvasionConformance):
        def attack(self):
            return Broken("batch")

    suite = Suite()
    # By position, an image in a batch of its own gets the random start of the first image.
    with pytest.raises(AssertionError):
        suite.test_verdicts_do_not_depend_on_the_batch(Classifier(trained_conv_net(), 4), 1)


def test_synthetic_data_is_learnable_and_disjoint():
    split = synthetic_split(100, seed=77)
    accuracy = (trained_conv_net()(split.pixels()).argmax(1) == split.labels).float().mean()
    assert accuracy > 0.95
    bundle = synthetic_bundle(20)
    indices = torch.cat(
        [part.indices for part in (bundle.train, bundle.validation, bundle.test, bundle.pool)]
    )
    assert len(indices.unique()) == 80
    assert not torch.equal(bundle.train.images, bundle.test.images)
    assert synthetic_bundle(20).train.digest == bundle.train.digest


def test_making_victims_leaves_the_global_generator_alone():
    state = torch.random.get_rng_state()
    trained_conv_net((1, 8, 8), 3)
    assert torch.equal(torch.random.get_rng_state(), state)


class Asking(EvasionAttack[Oracle]):
    """Guesses by noise until the Oracle says that it is broken, with one rule broken."""

    spec = SquareSpec()

    def __init__(self, fault):
        self.fault = fault

    def _perturb(self, victim, attempt, epsilon):
        images, indices = attempt.images, attempt.indices
        points, steps = images.clone(), torch.full((len(images),), -1)
        queries = torch.zeros(len(images), dtype=torch.int64)
        for turn in range(5 if len(images) else 0):
            rows = (steps < 0).nonzero().squeeze(1)
            noise = epsilon * (2 * uniform(indices[rows], 64, attempt.seed, turn).reshape(-1, 1, 8, 8) - 1)
            points[rows] = (images[rows] + noise.sign() * epsilon).clamp(0, 1)
            try:
                broken = attempt.objective.take(rows).reached(victim(points[rows]))
            except QueryBudgetError:
                if self.fault == "budget":
                    raise
                steps[rows] = -1 if self.fault != "claims" else turn
                break
            queries[rows] += 2 if self.fault == "count" else 1
            steps[rows[broken]] = turn
        return Perturbed(points, steps, torch.full((len(images),), torch.nan), queries)


@pytest.mark.parametrize("fault", ["none", "count", "budget", "claims"])
def test_the_suite_of_oracles_catches(fault):
    class Suite(OracleConformance):
        epsilon = 0.4

        def attack(self):
            return Asking(fault)

    victim = Classifier(trained_conv_net(), 4)
    suite = Suite()

    def counted():
        suite.test_every_query_is_counted_to_its_image(victim)

    def ended():
        suite.test_a_budget_that_runs_out_ends_the_attack_with_what_it_has(victim, 0.3)

    if fault == "none":
        counted()
        ended()
        return
    with pytest.raises((AssertionError, QueryBudgetError)):
        counted() if fault == "count" else ended()


def test_the_suite_of_nearest_examples_catches_a_false_distance():
    class Short(MinimalAttack[Classifier]):
        def _minimise(self, victim, attempt):
            found = Ddn(DdnSpec(steps=10))._minimise(victim, attempt)
            return Nearest(found.images, 0.9 * found.distance, found.steps)

    class Suite(MinimalConformance):
        def attack(self):
            return Short(DdnSpec())

    victim = Classifier(trained_conv_net(), 4)
    with pytest.raises(AssertionError):
        Suite().test_distances_are_those_of_the_examples(victim)
