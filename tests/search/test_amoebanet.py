"""Regularised evolution against a literal one, and its mutations."""

from collections import Counter, deque
from itertools import pairwise
from random import Random

import pytest

from nasaudit.errors import MeasurementError
from nasaudit.randomness import derive_seed
from nasaudit.search.base import Child
from nasaudit.search.cells import belongs, cells_of, draw_nodes
from nasaudit.search.methods.amoebanet import AmoebaNet, mutated
from nasaudit.spec.searches import SEARCHES, AmoebaNetSpec
from nasaudit.spec.searches.space import SPACES
from nasaudit.testing.search import TINY_SPACE, SampledConformance

SETTINGS = {"space": TINY_SPACE, "children": 24, "population": 6, "tournament": 3, "in_flight": 1}


class TestOneByOne(SampledConformance):
    def search(self):
        return AmoebaNet(AmoebaNetSpec.parse(SETTINGS))


class TestWithOthersUnderWay(SampledConformance):
    def search(self):
        return AmoebaNet(AmoebaNetSpec.parse({**SETTINGS, "in_flight": 4}))


class TestWithMoreUnderWayThanThePopulation(SampledConformance):
    def search(self):
        return AmoebaNet(AmoebaNetSpec.parse({**SETTINGS, "in_flight": 9}))


class TestOn201(SampledConformance):
    def search(self):
        return AmoebaNet(AmoebaNetSpec.parse({**SETTINGS, "space": "nasbench201"}))


def fitness(cells):
    """Any number in [0,1), the same for the same cells."""
    return Random(str(cells)).random()


def run(spec, seed=0, fails=()):
    """What is asked, in order, and what is found."""
    search = AmoebaNet(spec)
    rounds, waiting, asked, told = search.rounds(seed), [], [], None
    while True:
        try:
            cells = next(rounds) if told is None else rounds.send(told)
        except StopIteration as end:
            return asked, end.value
        for each in cells:
            lost = len(asked) in fails
            waiting.append(Child(each, None if lost else {"accuracy": 1 - fitness(each)}))
            asked.append(each)
        count = max(0, len(waiting) - search.behind) if cells else len(waiting)
        told, waiting = waiting[:count], waiting[count:]


def literal(spec, seed=0):
    """regularized_evolution.ipynb, with a lag: the population is what had ended when a child is decided."""
    random = Random(derive_seed("evolution", seed))
    history = [
        {kind: draw_nodes(spec.space, random) for kind in spec.space.kinds} for _ in range(spec.population)
    ]
    while len(history) < spec.children:
        ended = max(spec.population, len(history) - spec.in_flight + 1)
        population = history[:ended][-spec.population :]  # the queue: the oldest went, whatever its fitness
        sample = []
        while len(sample) < spec.tournament:
            sample.append(random.choice(population))
        parent = max(sample, key=lambda nodes: fitness(cells_of(spec.space, nodes)))
        stays = random.random() < spec.identity
        history.append(parent if stays else mutated(spec.space, parent, random))
    return [cells_of(spec.space, nodes) for nodes in history]


@pytest.mark.parametrize("in_flight", [1, 4, 9])
def test_it_is_the_published_algorithm(in_flight, monkeypatch):
    # Both take the same random numbers for a tournament.
    monkeypatch.setattr(
        Random, "choices", lambda self, population, k: [self.choice(population) for _ in range(k)]
    )
    for seed in range(3):
        spec = AmoebaNetSpec.parse({**SETTINGS, "children": 40, "in_flight": in_flight})
        asked, found = run(spec, seed)
        assert asked == literal(spec, seed)
        assert found.cells == max(asked, key=fitness)


def test_the_oldest_dies_even_if_it_is_the_best():
    """With tournaments of all, parents are the best of those that live: a best one's line ends unless it breeds."""
    spec = AmoebaNetSpec.parse({**SETTINGS, "children": 30, "population": 3, "tournament": 1, "identity": 0})
    search = AmoebaNet(spec)
    seen, own = [], search.child
    search.child = lambda population, random: seen.append(list(population)) or own(population, random)
    rounds = search.rounds(0)
    cells, number, values = next(rounds), 0, []
    while True:
        values += [1.0 if number + k == 0 else 0.1 * fitness(each) for k, each in enumerate(cells)]
        number = len(values)
        try:
            cells = rounds.send(
                [Child(c, {"accuracy": 1 - v}) for c, v in zip(cells, values[-len(cells) :], strict=True)]
            )
        except StopIteration as end:
            found = end.value
            break
    for turn, population in enumerate(seen):
        assert [1 - error for (error,), _ in population] == pytest.approx(values[turn : turn + 3])
    assert (0.0,) in [errors for errors, _ in seen[0]]
    assert (0.0,) not in [errors for errors, _ in seen[1]]
    assert found.trace[-1]["best_accuracy"] == 1.0  # what is found is the best of all that ever lived


def test_tournaments_draw_with_replacement():
    """Of two, the worse is the parent of a quarter: when both draws are of it."""
    spec = AmoebaNetSpec.parse({**SETTINGS, "population": 2, "tournament": 2, "identity": 0.999999})
    better, worse = {"normal": "better"}, {"normal": "worse"}
    random, search = Random(0), AmoebaNet(spec)
    parents = Counter(
        search.child(deque([((0.1,), better), ((0.9,), worse)]), random)["normal"] for _ in range(4000)
    )
    assert parents["worse"] / 4000 == pytest.approx(0.25, abs=0.03)


def differing(parent, child):
    return [
        (kind, number, set(before) ^ set(after))
        for kind in parent
        for number, (before, after) in enumerate(zip(parent[kind], child[kind], strict=True))
        if before != after
    ]


@pytest.mark.parametrize("name", ["darts", "nasnet", "enas", "nasbench201"])
def test_a_mutation_changes_one_source_or_one_op(name):
    space, random = SPACES[name], Random(0)
    parent = {kind: draw_nodes(space, random) for kind in space.kinds}
    what, where = Counter(), Counter()
    for _ in range(3000):
        child = mutated(space, parent, random)
        assert belongs(space, cells_of(space, child))
        ((kind, number, edges),) = differing(parent, child)
        one, other = sorted(edges)
        assert (one.op == other.op) != (one.source == other.source)
        what["source" if one.op == other.op else "op"] += 1
        where[kind, number] += 1
    assert len(where) == len(space.kinds) * space.nodes
    assert what["source"] / 3000 == pytest.approx(0.0 if space.edges is None else 0.5, abs=0.04)
    if space.edges is not None:  # the first node's sources cannot change; all other edges alike
        first, later = where["normal", 0] / 3000, where["normal", 1] / 3000
        assert first == pytest.approx(0.25 / space.nodes, abs=0.02)
        assert later == pytest.approx(0.25 / space.nodes + 0.25 / (space.nodes - 1), abs=0.03)


def test_a_failed_child_never_breeds_and_the_population_stays():
    spec = AmoebaNetSpec.parse({**SETTINGS, "identity": 0})
    asked, found = run(spec, fails=range(3, 20))
    assert len(asked) == 24
    best = max((each for number, each in enumerate(asked) if not 3 <= number < 20), key=fitness)
    assert found.cells == best
    assert found.trace[4]["mean_accuracy"] is None
    with pytest.raises(MeasurementError, match="the whole first population failed"):
        run(spec, fails=range(24))


def test_the_trace_has_an_entry_a_child_and_at_most_a_hundred():
    _, found = run(AmoebaNetSpec.parse(SETTINGS))
    assert [entry["children"] for entry in found.trace] == list(range(1, 25))
    assert all(first["best_accuracy"] <= second["best_accuracy"] for first, second in pairwise(found.trace))
    _, found = run(AmoebaNetSpec.parse({**SETTINGS, "children": 250}))
    assert len(found.trace) == 84
    assert found.trace[-1]["children"] == 250
    assert [len(entry["accuracies"]) for entry in found.trace] == [3] * 83 + [1]


def test_fewer_children_than_a_population_are_a_random_search():
    asked, found = run(AmoebaNetSpec.parse({**SETTINGS, "children": 4}))
    assert asked == run(AmoebaNetSpec.parse(SETTINGS))[0][:4]
    assert found.cells == max(asked, key=fitness)


@pytest.mark.parametrize("name", ["amoebanet", "nasnet", "random"])
def test_a_budget_is_enough_to_say(name):
    """Of a command line, whatever the defaults of the other fields."""
    spec = SEARCHES[name].parse({"children": 3}).at("mini")
    assert (spec.children, spec.child_epochs) == (3, 4)
