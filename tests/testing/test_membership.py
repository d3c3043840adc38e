"""The conformance suite of membership attacks catches what it is there to catch."""

import numpy as np
import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.attacks.membership.base import MembershipAttack, Scores
from nasaudit.attacks.membership.signals import ask, log_odds
from nasaudit.errors import QueryBudgetError
from nasaudit.spec.attacks import LossThresholdSpec
from nasaudit.testing.membership import MembershipConformance

FINITE = "every_image_gets_a_finite_score_and_not_all_the_same"
PLACE = "the_place_of_an_image_tells_nothing"
QUERIES = "every_query_goes_through_the_oracle_and_is_counted_to_its_image"
BUDGET = "a_budget_that_runs_out_is_said_or_leaves_scores"
SEED = "a_seed_decides_everything"
ALONE = "victim_images_and_global_generators_are_left_alone"


class Broken(MembershipAttack):
    """The log odds, with one rule broken."""

    def __init__(self, fault):
        self.spec, self.fault = LossThresholdSpec(), fault

    def score(self, victim, images, knowledge, *, seed, **options):
        if self.fault == "behind the oracle":
            victim._classifier(images.pixels(slice(0, 1)))
        if self.fault == "victim":
            next(victim._classifier.network.parameters()).data.add_(1e-7)
        if self.fault == "edits":
            images.images[0] = 0
        try:
            found = log_odds(ask(victim, images), images.labels)
        except QueryBudgetError:
            if self.fault != "budget":
                raise
            found = np.full(len(images), np.nan)
        ranks = np.arange(len(images), dtype=np.float64)
        changed = {
            "infinite": lambda: np.where(ranks == 3, np.inf, found),
            "constant": lambda: np.zeros_like(found),
            "float32": lambda: found.astype(np.float32),
            "place": lambda: found + ranks,
            "unseeded": lambda: found + np.random.rand(),
        }
        count = np.full(len(images), 2) if self.fault == "count" else None
        return Scores(changed.get(self.fault, lambda: found)(), count)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("infinite", {FINITE, PLACE}),
        ("constant", {FINITE}),
        ("float32", {FINITE}),
        ("place", {PLACE}),
        ("behind the oracle", {QUERIES}),
        ("count", {QUERIES}),
        ("budget", {BUDGET}),
        ("unseeded", {PLACE, SEED, ALONE}),
        ("victim", {ALONE}),
        ("edits", {ALONE, PLACE}),
    ],
)
def test_the_suite_of_membership_catches(fault, rules):
    class Suite(MembershipConformance):
        def attack(self):
            return Broken(fault)

    torch.manual_seed(0)
    assert broken_rules(Suite()) == rules
