"""The conformance suite of searches catches what it is there to catch."""

from random import Random

import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.arch.space import draw
from nasaudit.search.base import Found, Search
from nasaudit.testing.search import SearchConformance

SPACE = "what_it_finds_is_of_the_space_and_can_be_built"
PROVENANCE = "provenance_says_how_to_find_it_again"
SEED = "the_seed_decides_everything"
PROGRESS = "progress_rises"
ALONE = "global_generators_are_left_alone"


class Broken(Search):
    """A random search, with one rule broken."""

    def __init__(self, fault):
        self.fault = fault

    def search(self, space, *, seed, progress=lambda done, text="": None):
        choice = 0 if self.fault == "deaf to its seed" else seed
        if self.fault == "unseeded":
            choice = int(torch.randint(10**6, ()))
        if self.fault == "draws":
            torch.rand(1)
        progress(0.5)
        progress(0.4 if self.fault == "back" else 1.5 if self.fault == "too far" else 1.0)
        genotype = (draw if self.fault == "another space" else space.draw)(Random(choice))
        said = {"method": "random", "space": space.name, "seed": str(seed)}
        if self.fault in said:
            said[self.fault] = ""
        return Found(genotype, said)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("another space", {SPACE}),
        ("method", {PROVENANCE}),
        ("space", {PROVENANCE}),
        ("seed", {PROVENANCE}),
        ("deaf to its seed", {SEED}),
        ("unseeded", {SEED, ALONE}),
        ("draws", {ALONE}),
        ("back", {PROGRESS}),
        ("too far", {PROGRESS}),
    ],
)
def test_the_suite_of_searches_catches(fault, rules):
    class Suite(SearchConformance):
        def search(self):
            return Broken(fault)

    assert broken_rules(Suite()) == rules
