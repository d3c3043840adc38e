"""Genotypes: three ways to write one, and what is said of each way to get it wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasaudit.errors import GenotypeError, InputError
from nasaudit.spec.genotype import OPS, Cell, Edge, Genotype

TEXT = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ('max_pool_3x3', 2), ('none', 0)], "
    "normal_concat=range(2, 4), reduce=[('dil_conv_5x5', 0), ('skip_connect', 1)], reduce_concat=[2])"
)


def cells():
    def node(position):
        return st.lists(st.tuples(st.sampled_from(OPS), st.integers(0, position + 1)), min_size=2, max_size=2)

    def build(count):
        nodes = st.tuples(*(node(position) for position in range(count)))
        concat = st.lists(st.integers(2, count + 1), min_size=1, unique=True)
        return st.builds(lambda n, c: Cell.parse({"nodes": n, "concat": c}), nodes, concat)

    return st.integers(1, 5).flatmap(build)


@given(st.builds(Genotype, normal=cells(), reduction=cells()))
def test_text_and_json_are_round_trips(genotype):
    assert Genotype.from_text(genotype.to_text()) == genotype
    assert Genotype.from_json(json.loads(genotype.canonical_json())) == genotype
    assert hash(Genotype.from_text(genotype.to_text())) == hash(genotype)


def test_the_three_forms_are_one(tmp_path):
    parsed = Genotype.from_text(TEXT)
    assert parsed.normal.nodes[1] == (Edge("max_pool_3x3", 2), Edge("none", 0))
    assert parsed.normal.concat == (2, 3)
    flat = {
        "normal": [["sep_conv_3x3", 0], ["skip_connect", 1], ["max_pool_3x3", 2], ["none", 0]],
        "normal_concat": [2, 3],
        "reduce": [["dil_conv_5x5", 0], ["skip_connect", 1]],
        "reduce_concat": [2],
    }
    assert Genotype.from_json(flat) == parsed
    (tmp_path / "g.json").write_text(json.dumps(flat))
    (tmp_path / "g.txt").write_text(TEXT)
    assert Genotype.from_file(tmp_path / "g.json") == Genotype.from_file(tmp_path / "g.txt") == parsed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("'sep_conv_3x3'", "'sep_conv_9x9'"),
            r"normal\.nodes\[0\]\[0\]\.op: expected one of none, .*'sep_conv_9x9'",
        ),
        (
            ("('max_pool_3x3', 2)", "('max_pool_3x3', 3)"),
            r"normal\.nodes\[1\]\[0\]\.source: expected an earlier node, 0 to 2, got 3",
        ),
        (("('none', 0)", "('none', -1)"), r"normal\.nodes\[1\]\[1\]\.source"),
        (("('none', 0)", "('none', True)"), r"normal\.nodes\[1\]\[1\]\.source"),
        (("('none', 0)", "('none',)"), r"normal\.nodes\[1\]\[1\]: expected a pair"),
        ((", ('none', 0)", ""), "normal: expected an even number of edges"),
        (("range(2, 4)", "[2, 9]"), r"normal\.concat\[1\]: expected a node number from 0 to 3, got 9"),
        (("range(2, 4)", "[2, 2]"), r"normal\.concat: expected at least one node, each once"),
        (("range(2, 4)", "range(2, 10**9)"), "normal_concat: expected literal pairs"),
        (("range(2, 4)", "__import__('os').getpid()"), "normal_concat: expected literal pairs"),
        ((", reduce_concat=[2]", ""), "reduce_concat: expected this field to be present"),
        (("Genotype(", "Genotype("[:-1]), "expected the form"),
        (("normal=[", "normal=7, other=["), "normal: expected a flat list"),
    ],
)
def test_a_malformed_text_names_the_position(change, message):
    assert change[0] in TEXT
    with pytest.raises(GenotypeError, match=message):
        Genotype.from_text(TEXT.replace(*change))


@pytest.mark.parametrize(
    "value", [None, [], "x", {"normal": {}}, {"normal": {"nodes": [], "concat": [2]}, "reduction": {}}]
)
def test_malformed_json_is_a_genotype_error(value):
    with pytest.raises(GenotypeError):
        Genotype.from_json(value)


def test_the_text_form_needs_two_edges_a_node():
    cell = Cell.parse({"nodes": [[["skip_connect", 0]]], "concat": [2]})
    with pytest.raises(GenotypeError, match=r"normal\.nodes\[0\]: expected two edges"):
        Genotype(normal=cell, reduction=cell).to_text()


def wide(nodes, edges):
    cell = {"nodes": [[["none", 0]] * edges] * nodes, "concat": [2]}
    return {"normal": cell, "reduction": cell}


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (wide(3_000, 1), "expected 1 to 50 nodes, got 3000"),
        (wide(2, 10_000), "at most 1000 edges, got 20000"),
    ],
)
def test_a_cell_has_bounds(values, message):
    with pytest.raises(GenotypeError, match=message):
        Genotype.from_json(values)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        "(" * 90_000,
        "Genotype(normal=" + "[" * 150 + "]" * 150 + ")",
        "Genotype(normal=" + "-" * 20_000 + "1)",
        "Genotype(normal=" + "1+" * 20_000 + "1)",
        "Genotype(normal=a" + ".a" * 40_000 + ")",
        "Genotype(normal=" + "9" * 5_000 + ")",
        "x" * 200_000,
    ],
    ids=range(7),
)
def test_a_text_that_is_a_tower_is_refused(text):
    with pytest.raises(GenotypeError) as caught:
        Genotype.from_text(text)
    assert len(str(caught.value)) < 2000


@pytest.mark.timeout(10)
def test_a_file_that_is_a_tower_or_no_file_is_refused(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 10_000 + "]" * 10_000)
    (tmp_path / "large.txt").write_text("x" * 2**21)
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("deep.json", "large.txt", "zero.json"):
        with pytest.raises(InputError, match=name):
            Genotype.from_file(tmp_path / name)
