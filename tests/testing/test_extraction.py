"""The conformance suite of extraction attacks catches what it is there to catch."""

from dataclasses import replace

import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.attacks.extraction.base import ExtractionAttack, TransferSet
from nasaudit.attacks.extraction.knockoff import Knockoff
from nasaudit.spec.attacks import KnockoffSpec
from nasaudit.testing.extraction import ExtractionConformance

BUDGET = "the_budget_holds_and_every_query_goes_through_the_oracle"
STOPS = "an_oracle_that_stops_answering_ends_the_queries"
TWICE = "no_image_is_asked_about_twice"
FIRST = "a_smaller_budget_asks_the_first_of_a_larger_ones_questions"
ANSWERS = "answers_are_the_victims_in_the_order_of_asking"
LABELS = "the_surrogate_learns_from_the_answers_and_from_no_label_of_the_pool"
NOTHING = "a_budget_of_nothing_leaves_the_surrogate_as_it_was_built"
SEED = "the_seed_decides_everything"
ALONE = "querying_leaves_all_that_is_not_its_own_alone"


class Broken(ExtractionAttack):
    """Knockoff with one rule broken."""

    def __init__(self, fault):
        self.spec, self.fault = KnockoffSpec(), fault

    def query(self, oracle, pool, budget, surrogate, *, seed, **options):
        seed = {
            "by the budget": seed + budget,
            "unseeded": int(torch.randint(10**6, ())) if self.fault == "unseeded" else 0,
            "deaf to its seed": 0,
        }.get(self.fault, seed)
        if self.fault == "one too many":
            oracle(pool.pixels(slice(0, 1)))
        if self.fault == "behind the oracle":
            oracle._classifier(pool.pixels(slice(0, 1)))
        if self.fault == "insists":
            return TransferSet(torch.arange(budget), oracle(pool.pixels(slice(0, budget))))
        if self.fault == "victim":
            next(oracle._classifier.network.parameters()).data.add_(1e-7)
        if self.fault == "trains while it asks":
            next(surrogate.parameters()).data.add_(1e-3)
        found = Knockoff(self.spec).query(oracle, pool, budget, surrogate, seed=seed, **options)
        if self.fault == "twice" and budget > 1:
            positions = torch.cat([found.positions[:-1], found.positions[:1]])
            return TransferSet(positions, torch.cat([found.answers[:-1], found.answers[:1]]))
        if self.fault == "order" and budget:
            return TransferSet(found.positions, found.answers.roll(1, 0))
        return found

    def steal(self, oracle, pool, budget, surrogate, training, *, seed, **options):
        if self.fault == "labels":
            training = training.model_copy(update={"epochs": 1 + int(pool.labels[0])})
        if self.fault == "for nothing" and not budget:
            next(surrogate.parameters()).data.add_(1e-3)
        stolen = super().steal(oracle, pool, budget, surrogate, training, seed=seed, **options)
        if self.fault == "training mode":
            return replace(stolen, surrogate=stolen.surrogate.train())
        return stolen


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("one too many", {BUDGET, STOPS}),
        ("behind the oracle", {BUDGET}),
        ("insists", {STOPS, SEED}),
        ("twice", {TWICE, FIRST}),
        ("by the budget", {FIRST}),
        ("order", {ANSWERS}),
        ("labels", {LABELS}),
        ("training mode", {LABELS}),
        ("for nothing", {NOTHING}),
        ("deaf to its seed", {SEED}),
        ("unseeded", {FIRST, SEED, ALONE}),
        ("victim", {ALONE}),
        ("trains while it asks", {LABELS, NOTHING, ALONE}),
    ],
)
def test_the_suite_of_thieves_catches(fault, rules):
    class Suite(ExtractionConformance):
        def attack(self):
            return Broken(fault)

    assert broken_rules(Suite()) == rules
