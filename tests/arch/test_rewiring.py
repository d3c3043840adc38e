"""Rewiring against the published cells, and its properties over random cells of any shape."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nasaudit.analysis.topology.shape import cell_topology, node_depths, topology
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.genotypes import DARTS, DARTS_I, DARTS_II, DARTS_III, ENAS
from nasaudit.arch.network import build
from nasaudit.arch.rewiring import SCOPES, deepen, drop_skips, rewire
from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.spec.genotype import CELL_INPUTS, OPS, Cell, Edge, Genotype
from nasaudit.spec.remedies.catalogue import Rewiring, remedies_of
from nasaudit.spec.remedies.mitigation import PUBLISHED_REPLACEMENTS
from nasaudit.spec.study import ArchChoice

HOWS = tuple(remedies_of(Rewiring))
SEARCHED = [name for name in CATALOGUE if CATALOGUE[name].group == "nas"]


@st.composite
def cells(draw, ops=OPS, most_edges=3):
    """Any number of nodes up to 7, one to three edges a node, a double edge among them."""
    nodes = []
    for k in range(draw(st.integers(1, 7))):
        edge = st.builds(Edge, st.sampled_from(ops), st.integers(0, k + CELL_INPUTS - 1))
        nodes.append(tuple(draw(st.lists(edge, min_size=1, max_size=most_edges))))
    concat = draw(st.sets(st.integers(0, len(nodes) + CELL_INPUTS - 1), min_size=1))
    return Cell(nodes=tuple(nodes), concat=tuple(sorted(concat)))


WITHOUT_NONE = tuple(op for op in OPS if op != "none")


def ops_of(cell: Cell) -> Counter[str]:
    return Counter(edge.op for edge in cell.edges)


@pytest.mark.parametrize(
    ("how", "published"), [("deepen", DARTS_I), ("drop_skips", DARTS_II), ("both", DARTS_III)]
)
def test_the_published_variants_of_darts_are_its_rewirings(how, published):
    assert rewire(DARTS, how, replacements=PUBLISHED_REPLACEMENTS) == published
    assert (rewire(DARTS, how) == published) == (
        how == "deepen"
    )  # by the rule every skip becomes sep_conv_3x3


@settings(max_examples=60)
@given(cells(ops=WITHOUT_NONE))
def test_a_deepened_cell_is_as_deep_as_it_has_nodes_and_keeps_its_ops(cell):
    deep = deepen(cell)
    assert cell_topology(deep).depth == len(cell.nodes)
    assert node_depths(deep) == [0, 0, *range(1, len(cell.nodes) + 1)]
    assert deep.nodes[0] == cell.nodes[0]
    assert [[edge.op for edge in node] for node in deep.nodes] == [
        [e.op for e in node] for node in cell.nodes
    ]
    assert deep.concat == cell.concat


@settings(max_examples=60)
@given(cells())
def test_none_carries_nothing_and_does_not_cut_the_chain(cell):
    deep = deepen(cell)
    reached, still = (node_depths(one)[CELL_INPUTS:] for one in (cell, deep))
    chain = iter(range(1, len(cell.nodes) + 1))
    assert still == [None if depth is None else next(chain) for depth in reached]
    assert ops_of(deep) == ops_of(cell)


@settings(max_examples=60)
@given(cells())
def test_no_skip_is_left_and_nothing_else_has_changed(cell):
    dropped = drop_skips(cell)
    changed = [(one, other) for one, other in zip(cell.edges, dropped.edges, strict=True) if one != other]
    assert ops_of(dropped)["skip_connect"] == 0
    assert all(
        one.op == "skip_connect" and other == Edge("sep_conv_3x3", one.source) for one, other in changed
    )
    assert len(changed) == ops_of(cell)["skip_connect"]
    assert node_depths(dropped) == node_depths(cell)


@settings(max_examples=60)
@given(cells(), st.sampled_from(sorted(HOWS)))
def test_the_depth_never_falls_with_the_dose_and_skips_never_rise(cell, how):
    genotype = Genotype(normal=cell, reduction=cell)
    doses = [rewire(genotype, how, dose=dose).normal for dose in range(len(cell.edges) + 1)]
    assert doses[0] == cell
    assert doses[-1] == rewire(genotype, how).normal
    depths = [[depth or 0 for depth in node_depths(one)] for one in doses]
    skips = [ops_of(one)["skip_connect"] for one in doses]
    for less, more in pairwise(depths):
        assert all(one <= other for one, other in zip(less, more, strict=True))  # at each node
    assert all(0 <= less - more <= 1 for less, more in pairwise(skips))


@settings(max_examples=60)
@given(cells(), cells(), st.sampled_from(sorted(SCOPES)), st.sampled_from(HOWS), st.integers(0, 5))
def test_what_comes_out_is_a_valid_genotype_and_only_the_scope_has_changed(one, other, scope, how, dose):
    genotype = Genotype(normal=one, reduction=other)
    rewired = rewire(genotype, how, scope=scope, dose=dose)
    assert Genotype.from_json(rewired.model_dump(mode="json")) == rewired  # all checks anew
    if scope == "normal":
        assert rewired.reduction == other
    if scope == "reduction":
        assert rewired.normal == one
    if one == other and scope == "all":
        assert rewired.normal == rewired.reduction


@settings(max_examples=60)
@given(cells(), st.sampled_from(HOWS))
def test_a_rewiring_done_twice_is_done_once(cell, how):
    genotype = Genotype(normal=cell, reduction=cell)
    once = rewire(genotype, how, scope="all")
    assert rewire(once, how, scope="all") == once


@pytest.mark.parametrize("name", SEARCHED)
def test_every_published_cell_becomes_deeper_narrower_and_free_of_skips(name):
    before = topology(CATALOGUE[name].genotype)["normal"]
    after = topology(rewire(CATALOGUE[name].genotype, "both"))["normal"]
    assert after.depth == len(CATALOGUE[name].genotype.normal.nodes) > before.depth
    assert after.width < before.width
    assert before.skips > after.skips == 0


def test_both_scopes_of_a_cell_with_few_skips():
    assert topology(rewire(ENAS, "both", scope="all"))["reduction"].depth == 5
    assert rewire(ENAS, "drop_skips", scope="reduction") == ENAS  # it has none there


def test_a_dose_counts_nodes_after_the_first_and_skips_in_order():
    half = rewire(DARTS, "deepen", dose=1).normal
    assert [[edge.source for edge in node] for node in half.nodes] == [[0, 1], [2, 2], [1, 0], [0, 2]]
    one = rewire(DARTS, "drop_skips", dose=1, replacements=["max_pool_3x3"]).normal
    assert [edge.op for edge in one.nodes[2]] == ["sep_conv_3x3", "max_pool_3x3"]
    assert one.nodes[3] == DARTS.normal.nodes[3]


@pytest.mark.parametrize("how", HOWS)
def test_a_rewired_network_can_be_built_and_run(how):
    choice = ArchChoice(name="mine", genotype=rewire(CATALOGUE["nasnet"].genotype, how, scope="all"))
    network = build(resolve(choice, "mini", 7, (1, 8, 8)), seed=0)
    assert network(torch.rand(2, 1, 8, 8)).shape == (2, 7)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"remedy": "widen"}, r"unknown rewiring 'widen'.*deepen"),
        (
            {"remedy": "deepen", "scope": "normals"},
            "scope: expected one of normal, reduction, all, got 'normals'",
        ),
        ({"remedy": "deepen", "dose": -1}, "dose: expected a number of nodes or skips, 0 or more, got -1"),
        (
            {"remedy": "both", "replacements": ["skip_connect"]},
            "replacements: expected ops other than a skip.*'skip",
        ),
        ({"remedy": "both", "replacements": ["none"]}, "replacements: .*'none'"),
        ({"remedy": "drop_skips", "replacements": ["sep_conv_9x9"]}, "replacements: .*'sep_conv_9x9'"),
        (
            {"remedy": "drop_skips", "replacements": []},
            "replacements: expected a sequence of ops, at least one",
        ),
        (
            {"remedy": "drop_skips", "replacements": "sep_conv_3x3"},
            "replacements: expected a sequence of ops",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(wrong, told):
    with pytest.raises((SpecError, UnknownNameError), match=told):
        rewire(DARTS, **wrong)
