"""The conformance suites of searches catch what they are there to catch."""

from dataclasses import replace
from random import Random
from typing import ClassVar, Literal

import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.search.base import Found, OneShotSearch, SampledSearch
from nasaudit.search.cells import draw
from nasaudit.spec.searches import SearchSpec
from nasaudit.spec.searches.space import SPACES
from nasaudit.testing.search import TINY_SPACE, OneShotConformance, SampledConformance

SPACE = "what_it_finds_is_of_the_space_and_can_be_built"
PROVENANCE = "provenance_says_how_to_find_it_again"
SEED = "the_seed_decides_everything"
ALONE = "global_generators_are_left_alone"
PROGRESS = "progress_rises"
RESUME = "an_interrupted_search_goes_on_to_the_same_cells"
IMAGES = "the_images_are_left_alone"
ASKS = "it_asks_about_cells_of_the_space"
FAILS = "children_may_fail"


class BrokenSpec(SearchSpec):
    """A random search."""

    summary: ClassVar[str] = "random"
    source: ClassVar[str] = "nobody"
    implementation: ClassVar[str] = "nowhere:Nothing"
    shape: ClassVar[Literal["one_shot"]] = "one_shot"

    name: Literal["broken"] = "broken"


def choice(fault, seed):
    """The seed that a search with this fault goes by."""
    if fault == "deaf to its seed":
        return 0
    return int(torch.randint(10**6, ())) if fault == "unseeded" else seed


def result(fault, seed, space):
    random = Random(choice(fault, seed))
    cells = draw(SPACES["nasnet"] if fault == "another space" else space, random)
    said = {"method": "random", "space": space.name, "seed": str(seed)}
    if fault in said:
        said[fault] = ""
    return Found(cells, said, [{"drawn": random.random()}])


class Broken(OneShotSearch):
    """Draws cells in two steps, with one rule broken."""

    def __init__(self, fault):
        super().__init__(BrokenSpec(space=TINY_SPACE))
        self.fault = fault

    def search(self, problem):
        begun = 0
        if problem.checkpoint is not None and problem.checkpoint.is_file() and self.fault != "anew":
            begun = int(problem.checkpoint.read_text())
        if self.fault == "draws":
            torch.rand(1)
        if self.fault == "paints":
            problem.train.images.zero_()
        for step in range(begun, 4):
            if problem.checkpoint is not None and step and self.fault != "no checkpoint":
                problem.checkpoint.write_text(str(step))
            done = (step + 1) / 4
            problem.progress(
                1 - done if self.fault == "back" else done * (2 if self.fault == "too far" else 1)
            )
        found = result(self.fault, problem.seed, self.spec.space)
        resumed = begun and self.fault == "another way"
        return replace(found, trace=[{"drawn": 2.0}]) if resumed else found


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("another space", {SPACE}),
        ("method", {PROVENANCE}),
        ("space", {PROVENANCE}),
        ("seed", {PROVENANCE}),
        ("deaf to its seed", {SEED}),
        ("unseeded", {SEED, ALONE, RESUME}),
        ("draws", {ALONE}),
        ("back", {PROGRESS, RESUME}),
        ("too far", {PROGRESS}),
        ("no checkpoint", {RESUME}),
        ("anew", {RESUME}),
        ("another way", {RESUME}),
        ("paints", {IMAGES}),
    ],
)
def test_the_suite_of_one_shot_searches_catches(fault, rules):
    class Suite(OneShotConformance):
        def search(self):
            return Broken(fault)

    assert broken_rules(Suite()) == rules


class BrokenSampler(SampledSearch):
    """Asks about two rounds of two cells, and finds the one of fewest skips, with one rule broken."""

    def __init__(self, fault):
        super().__init__(BrokenSpec(space=TINY_SPACE))
        self.fault = fault

    def rounds(self, seed):
        random = Random(choice(self.fault, seed))
        if self.fault == "draws":
            torch.rand(1)
        asked = []
        for _ in range(0 if self.fault == "asks nothing" else 2):
            space = SPACES["darts"] if self.fault == "asks elsewhere" else self.spec.space
            children = yield [draw(space, random), draw(space, random)]
            asked += children
        good = [child for child in asked if child.objectives is not None]
        if self.fault == "takes failures":
            good = asked[:1]
        best = min(good, key=lambda child: tuple((child.objectives or {}).values()), default=None)
        cells = draw(self.spec.space, random) if best is None else best.cells
        found = result(self.fault, seed, self.spec.space)
        if self.fault == "another space":
            return found
        return Found(cells, found.provenance, [{"drawn": random.random()}])


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("another space", {SPACE}),
        ("asks elsewhere", {SPACE, ASKS}),
        ("asks nothing", {ASKS, FAILS}),
        ("method", {PROVENANCE}),
        ("deaf to its seed", {SEED}),
        ("unseeded", {SEED, ALONE}),
        ("draws", {ALONE}),
        ("takes failures", {FAILS}),
    ],
)
def test_the_suite_of_sampled_searches_catches(fault, rules):
    class Suite(SampledConformance):
        def search(self):
            return BrokenSampler(fault)

    assert broken_rules(Suite()) == rules
