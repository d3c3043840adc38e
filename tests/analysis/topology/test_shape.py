import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasaudit.analysis.topology.shape import Topology, cell_topology, topology
from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.spec.genotype import OPS, Cell, Edge

PUBLISHED = json.loads((Path(__file__).parents[2] / "arch" / "published_cells.json").read_text())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values(name):
    shapes = topology(CATALOGUE[name].genotype)
    for cell, key in (("normal", "normal"), ("reduction", "reduce")):
        published = PUBLISHED[name][f"{key}_topology"]
        found = {field: getattr(shapes[cell], field) for field in published}
        assert found == published
        assert shapes[cell].edges == len(PUBLISHED[name][key])
        assert shapes[cell].skip_share == published["skips"] / len(PUBLISHED[name][key])
        assert dict(shapes[cell].ops) == Counter(op for op, _ in PUBLISHED[name][key])


def test_the_mitigated_darts_cells_are_deeper_and_narrower():
    """Normal cells darts-i, darts-ii and darts-iii as published: depth 4, 2, 4 and width 1, 3.5, 1."""
    sep, skip, dil = "sep_conv_3x3", "skip_connect", "dil_conv_3x3"
    cells = [
        [(sep, 0), (sep, 1), (sep, 2), (sep, 2), (sep, 3), (skip, 3), (skip, 4), (dil, 4)],
        [(sep, 0), (sep, 1), (sep, 0), (sep, 1), (sep, 1), (sep, 0), (dil, 0), (dil, 2)],
        [(sep, 0), (sep, 1), (sep, 2), (sep, 2), (sep, 3), (sep, 3), (dil, 4), (dil, 4)],
    ]
    shapes = [
        cell_topology(Cell(nodes=[flat[k : k + 2] for k in (0, 2, 4, 6)], concat=(2, 3, 4, 5)))
        for flat in cells
    ]
    assert [(shape.depth, shape.width, shape.skips) for shape in shapes] == [
        (4, 1.0, 2),
        (2, 3.5, 0),
        (4, 1.0, 0),
    ]


def test_none_is_no_edge():
    cell = Cell(
        nodes=[[("none", 0), ("none", 1)], [("sep_conv_3x3", 2)], [("none", 3), ("skip_connect", 1)]],
        concat=(2, 3, 4),
    )
    assert cell_topology(cell) == Topology(
        depth=1, width=1.0, skips=1, skip_share=0.5, ops=(("skip_connect", 1), ("sep_conv_3x3", 1))
    )


def test_a_cell_of_nothing_has_no_depth():
    shape = cell_topology(Cell(nodes=[[("none", 0)]], concat=(2,)))
    assert shape == Topology(depth=0, width=0, skips=0, skip_share=0.0, ops=())


@st.composite
def cells(draw):
    """Up to seven nodes with one to three edges each."""
    nodes = []
    for position in range(draw(st.integers(1, 7))):
        edge = st.builds(Edge, st.sampled_from(OPS), st.integers(0, position + 1))
        nodes.append(draw(st.lists(edge, min_size=1, max_size=3)))
    return Cell(nodes=nodes, concat=(len(nodes) + 1,))


def paths_to(cell, node):
    """Every path from a cell input, as the list of nodes that it visits."""
    if node < 2:
        return [[node]]
    sources = [edge.source for edge in cell.nodes[node - 2] if edge.op != "none"]
    return [[*path, node] for source in sources for path in paths_to(cell, source)]


@settings(deadline=None)
@given(cells())
def test_depth_and_width_equal_brute_force_over_all_paths(cell):
    shape = cell_topology(cell)
    nodes = range(2, 2 + len(cell.nodes))
    paths = [path for node in nodes for path in paths_to(cell, node)]
    assert shape.depth == max((len(path) - 1 for path in paths), default=0)
    incoming = {node: [e.source for e in cell.nodes[node - 2] if e.op != "none"] for node in nodes}
    shares = [sum(s in (0, 1) for s in sources) / len(sources) for sources in incoming.values() if sources]
    assert shape.width == pytest.approx(sum(shares))
    assert dict(shape.ops) == {
        op: count for op in OPS if op != "none" and (count := [e.op for e in cell.edges].count(op))
    }
    assert shape.skips == dict(shape.ops).get("skip_connect", 0)
    assert 0 <= shape.skip_share <= 1
    assert shape.width <= len(cell.nodes)
