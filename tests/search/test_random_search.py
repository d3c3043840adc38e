"""Random search: the best of some, and of one that one."""

from random import Random

import pytest

from nasaudit.errors import MeasurementError
from nasaudit.randomness import derive_seed
from nasaudit.search.base import Child
from nasaudit.search.cells import draw
from nasaudit.search.methods.random import RandomSearch
from nasaudit.spec.searches import RandomSearchSpec
from nasaudit.testing.search import TINY_SPACE, SampledConformance


class TestRandomSearch(SampledConformance):
    def search(self):
        return RandomSearch(RandomSearchSpec.parse({"space": TINY_SPACE, "children": 5}))


def test_the_best_is_found_and_the_first_of_equals():
    rounds = RandomSearch(RandomSearchSpec.parse({"space": TINY_SPACE, "children": 4})).rounds(0)
    cells = next(rounds)
    with pytest.raises(StopIteration) as end:
        rounds.send(
            [
                Child(each, {"accuracy": error})
                for each, error in zip(cells, [0.5, 0.1, 0.1, 0.3], strict=True)
            ]
        )
    found = end.value.value
    assert found.cells == cells[1]
    assert [entry["best_accuracy"] for entry in found.trace] == [0.5, 0.9, 0.9, 0.9]


def test_a_budget_of_one_is_one_random_cell():
    rounds = RandomSearch(RandomSearchSpec.parse({"space": TINY_SPACE, "children": 1})).rounds(7)
    (cells,) = next(rounds)
    assert cells == draw(TINY_SPACE, Random(derive_seed("random search", 7)))
    with pytest.raises(StopIteration) as end:
        rounds.send([Child(cells, {"accuracy": 1.0})])
    assert end.value.value.cells == cells


def test_all_may_fail():
    rounds = RandomSearch(RandomSearchSpec.parse({"space": TINY_SPACE, "children": 2})).rounds(0)
    cells = next(rounds)
    with pytest.raises(MeasurementError, match="random: all 2 children failed"):
        rounds.send([Child(each, None) for each in cells])
