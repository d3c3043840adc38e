"""The space counted against an enumeration, and the draw against the uniform distribution."""

import itertools
from collections import Counter
from math import comb
from random import Random

import numpy as np
import pytest
from scipy.stats import chisquare

from nasaudit.analysis.topology.shape import topology
from nasaudit.arch import space
from nasaudit.arch.genotypes import DARTS, PC_DARTS, RANDOM, SNAS
from nasaudit.arch.space import SPACE_OPS, count_cells, count_genotypes, draw, draw_many, ordered
from nasaudit.errors import SpecError
from nasaudit.spec.genotype import OPS, Genotype

DRAWS = 3000
DRAWN = [draw(random) for random in [Random(7)] for _ in range(DRAWS)]
CELLS = [cell for genotype in DRAWN for cell in (genotype.normal, genotype.reduction)]
# Each p below is uniform if the draw is; a fixed seed makes the tests repeatable.
LEAST_P = 0.001


def enumerate_nodes(k: int, ops: int) -> list[object]:
    """Every pair of different sources of node k, with every op on each."""
    return [
        (pair, pair_of_ops)
        for pair in itertools.combinations(range(k + 2), 2)
        for pair_of_ops in itertools.product(range(ops), repeat=2)
    ]


@pytest.mark.parametrize(("nodes", "ops"), [(1, 7), (2, 3), (3, 2)])
def test_the_number_of_cells_is_that_of_their_enumeration(nodes, ops):
    listed = itertools.product(*(enumerate_nodes(k, ops) for k in range(nodes)))
    assert count_cells(nodes, ops) == sum(1 for _ in listed)


def test_the_size_of_the_darts_space():
    assert count_cells() == (1 * 3 * 6 * 10) * 7**8 == 1_037_664_180
    assert count_genotypes() == 1_037_664_180**2


@pytest.mark.parametrize("node", range(4))
def test_every_choice_of_a_node_is_as_likely_as_any_other(node):
    """Sources and ops together: 49, 147, 294 and 490 outcomes, all equally frequent."""
    outcomes = Counter(cell.nodes[node] for cell in CELLS)
    possible = comb(node + 2, 2) * 49
    counts = list(outcomes.values()) + [0] * (possible - len(outcomes))
    assert len(counts) == possible
    assert chisquare(counts).pvalue > LEAST_P


def test_ops_are_equally_frequent_over_all_edges():
    ops = Counter(edge.op for cell in CELLS for edge in cell.edges)
    assert set(ops) == set(SPACE_OPS) == set(OPS) - {"none", "sep_conv_7x7", "conv_7x1_1x7"}
    assert chisquare(list(ops.values())).pvalue > LEAST_P


def test_nodes_and_cells_are_drawn_independently():
    """Ops of the first edges of two nodes, and of the two cells of a genotype: 49 pairs, equally frequent."""
    nodes = Counter((cell.nodes[0][0].op, cell.nodes[3][1].op) for cell in CELLS)
    both = Counter((one.normal.nodes[1][0].op, one.reduction.nodes[1][0].op) for one in DRAWN)
    for pairs in (nodes, both):
        assert len(pairs) == 49
        assert chisquare(list(pairs.values())).pvalue > LEAST_P


def test_a_biased_draw_would_be_found_out():
    """The chi-square test has the power to see one source preferred by a fifth."""
    weights = np.array([1.2, 1, 1])
    seen = np.random.default_rng(0).choice(3, size=len(CELLS), p=weights / weights.sum())
    assert chisquare(np.bincount(seen)).pvalue < LEAST_P


def test_drawn_genotypes_are_valid_and_in_the_space():
    for genotype in DRAWN[:300]:
        assert Genotype.from_text(genotype.to_text()) == genotype  # all checks anew
        for cell, shape in zip(
            (genotype.normal, genotype.reduction), topology(genotype).values(), strict=True
        ):
            assert (len(cell.nodes), shape.edges, cell.concat) == (4, 8, (2, 3, 4, 5))
            assert all(len({edge.source for edge in node}) == 2 for node in cell.nodes)
            assert 1 <= shape.depth <= 4


def test_genotypes_are_distinct_repeatable_and_the_first_ones_of_a_longer_draw():
    many = draw_many(200, seed=3)
    assert len(set(many)) == 200
    assert draw_many(40, seed=3) == many[:40]
    assert draw_many(40, seed=4) != many[:40]
    assert draw_many(0, seed=3) == []


def test_what_must_not_be_drawn_is_not_and_the_others_stay():
    many = draw_many(6, seed=3)
    reversed_edges = many[2].model_dump()
    reversed_edges["normal"]["nodes"] = [node[::-1] for node in reversed_edges["normal"]["nodes"]]
    without = Genotype.parse(reversed_edges)
    assert without != many[2]
    assert draw_many(5, seed=3, without=[without]) == [*many[:2], *many[3:]]


@pytest.mark.parametrize("genotype", [DARTS, PC_DARTS, SNAS])
def test_published_cells_of_the_space_have_ordered_forms_in_it(genotype):
    one = ordered(genotype)
    assert one == ordered(one)
    for cell, original in ((one.normal, genotype.normal), (one.reduction, genotype.reduction)):
        assert [set(node) for node in cell.nodes] == [set(node) for node in original.nodes]
        assert all(first.source < second.source for first, second in cell.nodes)


def test_the_published_random_cell_lies_outside_of_the_space():
    """One of its nodes reads the same source twice; a draw from the space never does."""
    assert any(one.source == other.source for one, other in RANDOM.reduction.nodes)


def test_a_draw_of_more_genotypes_than_there_are_ends_with_an_error(monkeypatch):
    with pytest.raises(SpecError, match=r"cells: expected at most 1076746950455072400, "):
        draw_many(count_genotypes() + 1, seed=0)
    monkeypatch.setattr(space, "NODES", 1)
    monkeypatch.setattr(space, "SPACE_OPS", ("skip_connect", "sep_conv_3x3"))
    monkeypatch.setattr(space, "count_genotypes", lambda: count_cells(1, 2) ** 2)
    assert len(draw_many(16, seed=0)) == 16  # the whole of a small space
    with pytest.raises(SpecError, match="at most 16"):
        draw_many(17, seed=0)
