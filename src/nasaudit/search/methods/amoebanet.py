"""AmoebaNet: regularised evolution.

Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019; google-research 67e6932,
evolution/regularized_evolution_algorithm/regularized_evolution.ipynb. A population is a queue. Some of it are drawn
with replacement, the best of these has a child, which differs by one mutation, and with each child the oldest of the
population dies, whatever it is worth. The best of all children is found. A mutation changes one edge of one cell: its
source or its op, or with a small probability nothing.

With several objectives the best of a tournament is the one that NSGA-II would select (Deb et al. 2002, section
III-C): of the lowest rank in the population, and of these the least crowded; the queue stays, so age alone kills.
Children far less accurate than the best are beyond a constraint, and lose to all others (their section VI).

`in_flight` children are under way at once, as on the published search's workers; but a child is decided by the
outcomes of all but the youngest of those before it, not by those that happen to have ended: so the result does not
hang on the time that children take.

Deviations: the new source or op is always another one, and never that of the node's other edge; a child that failed
never belongs to the population; one child is trained anew, not the best 20 (from memory). An edge whose source cannot
be another (those of the first node) has its op changed alone.
"""

from collections import deque
from collections.abc import Callable, Iterator
from random import Random

from nasaudit.errors import MeasurementError
from nasaudit.randomness import derive_seed
from nasaudit.search.base import Child, Rounds, SampledSearch
from nasaudit.search.cells import cells_of, draw_nodes
from nasaudit.search.constrained import until_kept
from nasaudit.search.sampled import Ledger, excess, point, round_size
from nasaudit.spec.genotype import Edge
from nasaudit.spec.searches import AmoebaNetSpec
from nasaudit.spec.searches.space import SpaceSpec
from nasaudit.stats.fronts import standing

Nodes = dict[str, list[list[Edge]]]
# The young ones: their objectives, in the order of the spec's, and their cells.
Population = deque[tuple[tuple[float, ...], Nodes]]


class AmoebaNet(SampledSearch[AmoebaNetSpec]):
    """See the module."""

    @property
    def behind(self) -> int:
        """What is under way when the next child is decided."""
        return self.spec.in_flight - 1

    def rounds(self, seed: int) -> Rounds:  # noqa: D102
        spec, random, ledger = self.spec, Random(derive_seed("evolution", seed)), Ledger(self)
        first = [
            self.kept(lambda: {kind: draw_nodes(spec.space, random) for kind in spec.space.kinds})
            for _ in range(min(spec.population, spec.children))
        ]
        waiting, told = deque(first), list[Child]()
        population: Population = deque()
        answers = yield [cells_of(spec.space, nodes) for nodes in first]
        answers = [*answers, *((yield []) if len(answers) < len(first) else [])]
        asked = len(first)
        while True:
            for child in answers:
                nodes = waiting.popleft()
                if child.objectives is not None:
                    population.append((point(child, spec.objectives), nodes))
                    if len(population) > spec.population:
                        population.popleft()
            told += answers
            while len(told) >= round_size(spec.children) or (told and asked == spec.children and not waiting):
                ledger.add(told[: round_size(spec.children)])
                told = told[round_size(spec.children) :]
            if asked == spec.children and not waiting:
                return ledger.found(seed)
            if not population:
                raise MeasurementError(f"{spec.name}: the whole first population failed; see its failures")
            room = min(spec.in_flight - len(waiting), spec.children - asked)
            new = [self.child(population, random) for _ in range(room)]
            waiting += new
            asked += len(new)
            answers = yield [cells_of(spec.space, nodes) for nodes in new]

    def child(self, population: Population, random: Random) -> Nodes:
        """Of the best of a tournament."""
        points = [reached for reached, _ in population]
        standings = standing(points, excess(points, self.spec))
        drawn = random.choices(range(len(population)), k=self.spec.tournament)
        _, parent = population[min(drawn, key=standings.__getitem__)]
        if random.random() < self.spec.identity:
            return parent
        return self.kept(lambda: mutated(self.spec.space, parent, random))

    def kept(self, make: Callable[[], Nodes]) -> Nodes:
        """The first of what is made that is within the constraints."""
        space = self.spec.space
        return until_kept(self.spec.constraints, make, lambda nodes: cells_of(space, nodes))


def mutated(space: SpaceSpec, parent: Nodes, random: Random) -> Nodes:
    """A child that differs in one edge: in its source, or in its op, each as often."""
    kind = random.choice(space.kinds)
    cell = [list(node) for node in parent[kind]]
    changes = list(_other_sources(space, cell)) if random.random() < 0.5 else []
    if not changes:
        changes = list(_other_ops(space, cell))
    # First the edge, then what becomes of it: an edge of a late node has more sources, and is not changed more often.
    node, edge = random.choice(sorted({(node, edge) for node, edge, _ in changes}))
    changed = [new for at, which, new in changes if (at, which) == (node, edge)]
    cell[node][edge] = random.choice(changed)
    cell[node].sort(key=lambda edge: edge.source)
    return {**parent, kind: cell}


def _other_sources(space: SpaceSpec, cell: list[list[Edge]]) -> Iterator[tuple[int, int, Edge]]:
    for number, node in enumerate(cell):
        taken = {edge.source for edge in node}
        for position, edge in enumerate(node):
            for source in sorted(set(range(space.inputs + number)) - taken):
                yield number, position, Edge(edge.op, source)


def _other_ops(space: SpaceSpec, cell: list[list[Edge]]) -> Iterator[tuple[int, int, Edge]]:
    ops = space.primitives if space.edges is None else space.ops
    for number, node in enumerate(cell):
        for position, edge in enumerate(node):
            for op in ops:
                if op != edge.op:
                    yield number, position, Edge(op, edge.source)
