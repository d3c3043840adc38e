"""Searches with several objectives, on planted outcomes: fronts, tournaments, constraints. Nothing is trained."""

from collections import Counter, deque
from itertools import product
from random import Random

import pytest

from nasaudit.analysis.topology.shape import topology
from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.search.base import Child
from nasaudit.search.cells import cells_of, draw_nodes
from nasaudit.search.constrained import broken, draw_within
from nasaudit.search.methods.amoebanet import AmoebaNet
from nasaudit.search.methods.random import RandomSearch
from nasaudit.spec.genotype import Edge
from nasaudit.spec.searches import SEARCHES, AmoebaNetSpec, RandomSearchSpec
from nasaudit.spec.searches.constraints import Constraints
from nasaudit.spec.searches.space import SPACES, SpaceSpec
from nasaudit.testing.search import TINY_SPACE, SampledConformance

SETTINGS = {"space": TINY_SPACE, "children": 24, "population": 6, "tournament": 3, "in_flight": 3}
TWO = {"objectives": ["accuracy", "evasion"], "accuracy_drop": 1.0}
# Both cells have one node of two edges, from the two inputs: 3^2 cells of each kind, 81 in all.
SMALL = SpaceSpec(name="small", primitives=("skip_connect", "max_pool_3x3", "sep_conv_3x3"), nodes=1)


class TestEvolution(SampledConformance):
    objectives = ("accuracy", "evasion")

    def search(self):
        return AmoebaNet(AmoebaNetSpec.parse({**SETTINGS, **TWO}))


class TestRandom(SampledConformance):
    objectives = ("accuracy", "evasion")

    def search(self):
        return RandomSearch(RandomSearchSpec.parse({"space": TINY_SPACE, "children": 6, **TWO}))


class TestWithinBounds(SampledConformance):
    def search(self):
        constraints = {"min_depth": 2, "max_skip_share": 0.25}
        return AmoebaNet(AmoebaNetSpec.parse({**SETTINGS, "constraints": constraints}))


def outcome(cells):
    """Convolutions see more and are easier to fool; pools and skips the other way round; skips more than pools."""
    ops = Counter(edge.op for cell in (cells.normal, cells.reduction) for edge in cell.edges)
    error = 0.1 + 0.1 * (4 - ops["sep_conv_3x3"]) + 0.03 * ops["skip_connect"]
    return {"accuracy": error, "evasion": 0.2 + 0.15 * ops["sep_conv_3x3"] + 0.02 * ops["skip_connect"]}


def run(search, seed=0, judge=outcome):
    rounds, waiting, asked, told = search.rounds(seed), [], [], None
    while True:
        try:
            cells = next(rounds) if told is None else rounds.send(told)
        except StopIteration as end:
            return asked, end.value
        asked += cells
        waiting += [Child(each, judge(each)) for each in cells]
        count = max(0, len(waiting) - search.behind) if cells else len(waiting)
        told, waiting = waiting[:count], waiting[count:]


def every_cell():
    ops = SMALL.primitives
    for first, second, third, fourth in product(ops, repeat=4):
        yield cells_of(
            SMALL,
            {
                "normal": [[Edge(first, 0), Edge(second, 1)]],
                "reduction": [[Edge(third, 0), Edge(fourth, 1)]],
            },
        )


def values(cells):
    return tuple(outcome(cells).values())


def beats(one, other):
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


@pytest.mark.parametrize("seed", range(3))
def test_evolution_finds_the_true_front_of_a_planted_space(seed):
    """Enumerated: any number of convolutions beside pools, so five points; and far sooner than by chance."""
    points = {values(cells) for cells in every_cell()}
    true = {one for one in points if not any(beats(other, one) for other in points)}
    assert len(true) == 5
    spec = AmoebaNetSpec.parse(
        {
            "space": SMALL,
            "children": 120,
            "population": 20,
            "tournament": 5,
            "in_flight": 1,
            "front": 40,
            **TWO,
        }
    )
    _, found = run(AmoebaNet(spec), seed)
    assert {tuple(child.objectives.values()) for child in found.front} == true
    assert found.cells == found.front[0].cells
    errors = [child.objectives["accuracy"] for child in found.front]
    assert errors == sorted(errors)


def test_a_front_that_is_too_large_is_stood_for_by_its_ends_and_the_middle():
    spec = AmoebaNetSpec.parse(
        {"space": SMALL, "children": 200, "population": 20, "tournament": 5, "front": 3, **TWO}
    )
    _, found = run(AmoebaNet(spec))
    convolutions = [
        sum(
            edge.op == "sep_conv_3x3"
            for cell in (child.cells.normal, child.cells.reduction)
            for edge in cell.edges
        )
        for child in found.front
    ]
    assert convolutions[0] == 4
    assert convolutions[-1] == 0
    assert len(convolutions) == 3


def test_what_has_learned_little_is_on_no_front_and_has_no_children():
    """The safest cells have no convolution, and an error 0.4 above that of the best."""
    spec = AmoebaNetSpec.parse(
        {
            "space": SMALL,
            "children": 200,
            "population": 20,
            "tournament": 20,
            "front": 40,
            **TWO,
            "accuracy_drop": 0.25,
        }
    )
    asked, found = run(AmoebaNet(spec))
    best = min(outcome(cells)["accuracy"] for cells in asked)
    reached = {round(child.objectives["accuracy"], 6) for child in found.front}
    assert reached == {0.1, 0.2, 0.3}
    assert max(reached) <= best + 0.25
    search = AmoebaNet(spec.model_copy(update={"identity": 0.999999}))
    population = deque(
        [((0.1, 0.9), {"normal": 0}), ((0.5, 0.1), {"normal": 1}), ((0.4, 0.2), {"normal": 2})]
    )
    parents = {search.child(population, Random(seed))["normal"] for seed in range(20)}
    assert parents == {0}
    lost = deque(
        [((0.1, 0.9), {"normal": 0})] + [((0.9, 0.0), {"normal": 1}), ((0.8, 0.5), {"normal": 2})] * 9
    )
    search = AmoebaNet(spec.model_copy(update={"identity": 0.999999, "tournament": 2}))
    parents = Counter(search.child(lost, Random(seed))["normal"] for seed in range(200))
    assert parents[2] > parents[1] > parents[0]


def test_one_objective_audits_the_most_accurate():
    spec = AmoebaNetSpec.parse(
        {"space": SMALL, "children": 60, "population": 10, "tournament": 3, "front": 3}
    )
    asked, found = run(AmoebaNet(spec))
    errors = sorted(outcome(cells)["accuracy"] for cells in set(asked))
    assert [child.objectives["accuracy"] for child in found.front] == errors[:3]
    assert "objectives" not in found.trace[0]


def test_a_tournament_is_won_by_rank_and_then_by_loneliness():
    """Against a literal one: no member of the draw has a lower rank, nor one of the same rank more room."""
    spec = AmoebaNetSpec.parse({**SETTINGS, **TWO, "identity": 0.999999, "tournament": 3})
    search, random = AmoebaNet(spec), Random(0)
    for _ in range(200):
        points = [(random.randrange(6) / 5, random.randrange(6) / 5) for _ in range(8)]
        layers, left = {}, set(range(8))
        while left:
            layer = {k for k in left if not any(beats(points[j], points[k]) for j in left)}
            layers |= dict.fromkeys(layer, len(set(layers.values())))
            left -= layer
        room = {}
        for k in range(8):
            room[k] = 0.0
            members = [j for j in range(8) if layers[j] == layers[k]]
            for figure in range(2):
                order = sorted(members, key=lambda j: points[j][figure])
                place, span = order.index(k), points[order[-1]][figure] - points[order[0]][figure]
                if span:
                    ends = place in (0, len(order) - 1)
                    room[k] += (
                        float("inf")
                        if ends
                        else (points[order[place + 1]][figure] - points[order[place - 1]][figure]) / span
                    )
        seed = random.random()
        drawn = Random(seed).choices(range(8), k=3)
        winner = min(drawn, key=lambda k: (layers[k], -room[k]))
        population = deque((point, {"normal": k}) for k, point in enumerate(points))
        assert search.child(population, Random(seed))["normal"] == winner


def test_the_trace_has_what_each_child_reached():
    _, found = run(AmoebaNet(AmoebaNetSpec.parse({**SETTINGS, **TWO})))
    assert found.provenance["objectives"] == "accuracy, evasion"
    assert [list(entry["objectives"][0]) for entry in found.trace] == [["accuracy", "evasion"]] * 24
    assert found.trace[-1]["on_the_front"] >= len(found.front)


@pytest.mark.parametrize(
    "constraints",
    [{"min_depth": 3}, {"max_depth": 2}, {"max_skip_share": 0.125}, {"min_width": 2.0, "max_width": 3.0}],
)
def test_every_child_keeps_the_bounds(constraints):
    settings = {"space": "darts", "constraints": constraints}
    spec = AmoebaNetSpec.parse({**SETTINGS, **settings, "children": 60})
    asked, found = run(AmoebaNet(spec), judge=lambda cells: {"accuracy": Random(str(cells)).random()})
    drawn, _ = run(
        RandomSearch(RandomSearchSpec.parse({**settings, "children": 30})),
        judge=lambda cells: {"accuracy": 0.5},
    )
    assert len(set(asked)) > 30
    for cells in (*asked, *drawn, found.cells):
        for shape in topology(cells).values():
            for name, bound in constraints.items():
                end, _, figure = name.partition("_")
                value = getattr(shape, figure)
                assert value >= bound - 1e-9 if end == "min" else value <= bound + 1e-9


def test_drawing_within_bounds_is_uniform_over_what_keeps_them():
    constraints, random = Constraints(max_skip_share=0.0), Random(0)
    counts = Counter(str(draw_within(SMALL, constraints, random)) for _ in range(800))
    allowed = [str(cells) for cells in every_cell() if not broken(constraints, cells)]
    assert sorted(counts) == sorted(allowed)
    assert len(allowed) == 16
    assert all(abs(count - 50) < 5 * 50**0.5 for count in counts.values())


def test_without_bounds_draws_are_as_before():
    random, other = Random(3), Random(3)
    space = SPACES["darts"]
    drawn = [draw_within(space, Constraints(), random) for _ in range(3)]
    assert drawn == [
        cells_of(space, {kind: draw_nodes(space, other) for kind in space.kinds}) for _ in range(3)
    ]


def test_a_bound_that_nothing_keeps_is_named(monkeypatch):
    monkeypatch.setattr("nasaudit.search.constrained.MOST_TRIES", 50)
    only_skips = SMALL.model_copy(update={"primitives": ("skip_connect",)})
    constraints = Constraints(max_skip_share=0.5, max_depth=3)
    with pytest.raises(
        SpecError, match=r"constraints.max_skip_share: expected a bound that can be kept \(50 of 50"
    ):
        draw_within(only_skips, constraints, Random(0))


@pytest.mark.parametrize(
    ("method", "fields", "said"),
    [
        ("nasnet", TWO, "objectives: expected accuracy alone"),
        ("nasnet", {"constraints": {"min_depth": 2}}, "constraints: expected nothing of NASNet"),
        ("darts", TWO, "objectives: expected nothing of DARTS"),
        ("darts", {"constraints": {"min_depth": 2}}, "constraints: expected nothing of DARTS"),
        ("amoebanet", {"objectives": ["evasion"]}, "accuracy among them"),
        ("amoebanet", {"objectives": "accuracy,evasion,evasion"}, "each once"),
        ("amoebanet", {"objectives": []}, "accuracy among them"),
        ("amoebanet", {"front": 0}, "front"),
        (
            "random",
            {"constraints": {"min_depth": 3, "max_depth": 2}},
            r"constraints.min_depth: expected at most 2",
        ),
        ("random", {"constraints": {"min_depth": 5}}, "at most 4, the nodes of a cell of darts"),
        ("random", {"constraints": {"max_skip_share": 1.5}}, "constraints.max_skip_share"),
        (
            "random",
            {"constraints": {"max_skips": 1}},
            "constraints.max_skips: expected no field of this name",
        ),
        (
            "random",
            {"constraints": {"min_depth": 2}, "space": "nasbench201"},
            "nothing in the space nasbench201",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(method, fields, said):
    with pytest.raises(SpecError, match=said):
        SEARCHES[method].parse({"name": method, **fields})


def test_an_unknown_objective_has_a_suggestion_and_others_have_short_names():
    with pytest.raises(UnknownNameError, match="evasion"):
        AmoebaNetSpec.parse({"objectives": ["accuracy", "evason"]})
    assert AmoebaNetSpec.parse({"objectives": "accuracy, poison,params"}).objectives == (
        "accuracy",
        "poisoning",
        "parameters",
    )


def test_a_search_by_accuracy_has_the_digest_that_it_had():
    """What is new is left out where it says nothing."""
    assert {"objectives", "front", "accuracy_drop", "constraints"}.isdisjoint(AmoebaNetSpec().model_dump())
