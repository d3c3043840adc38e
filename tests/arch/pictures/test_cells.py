import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.arch.genotypes import DARTS
from nasaudit.arch.pictures.cells import draw_svg, draw_text
from nasaudit.spec.genotype import OPS, Cell, Edge, Genotype

SVG = "{http://www.w3.org/2000/svg}"
CELLS = [name for name in CATALOGUE if CATALOGUE[name].genotype]


@st.composite
def cells(draw):
    nodes = []
    for position in range(draw(st.integers(1, 7))):
        edge = st.builds(Edge, st.sampled_from(OPS), st.integers(0, position + 1))
        nodes.append(draw(st.lists(edge, min_size=1, max_size=4)))
    concat = draw(st.lists(st.integers(0, len(nodes) + 1), min_size=1, unique=True))
    return Cell(nodes=nodes, concat=concat)


few = settings(deadline=None, max_examples=30)
genotypes = st.builds(Genotype, normal=cells(), reduction=cells())


def test_text_of_one_cell_in_full():
    node = [("sep_conv_3x3", 0), ("none", 1), ("skip_connect", 0)]
    cell = {"nodes": [[("max_pool_3x3", 1)], node], "concat": [3, 1]}
    text = draw_text(Genotype.from_json({"normal": cell, "reduction": cell}))
    assert text.split("\n\n")[0].splitlines() == [
        "normal cell",
        "  c_{k-1} ── max_pool_3x3 ────▶ node 0",
        "  c_{k-2} ── sep_conv_3x3 ──┐",
        "  c_{k-1} ── none ──────────┤",
        "  c_{k-2} ── skip_connect ──┴─▶ node 1",
        "  output = node 1, c_{k-1}",
    ]


@few
@given(genotypes)
def test_text_shows_every_edge_in_at_most_80_columns(genotype):
    text = draw_text(genotype)
    assert max(map(len, text.splitlines())) <= 80
    drawn = re.findall(rf"── ({'|'.join(OPS)}) ", text)
    assert drawn == [edge.op for edge in (*genotype.normal.edges, *genotype.reduction.edges)]


def labels(root):
    return [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "w"]


@few
@given(genotypes)
def test_picture_is_well_formed_and_shows_every_edge(genotype):
    root = ET.fromstring(draw_svg(genotype, "any"))
    edges = len(genotype.normal.edges) + len(genotype.reduction.edges)
    concat = len(genotype.normal.concat) + len(genotype.reduction.concat)
    assert len(labels(root)) == edges
    # Each edge is drawn from its source to its label and on to its node; each output is one more line.
    assert len(list(root.iter(f"{SVG}path"))) == 2 * edges + concat


def boxes(root):
    return [
        tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
        for rect in root.iter(f"{SVG}rect")
        if rect.get("x")
    ]


def crossing(curve, box):
    """Whether a line, cut into short pieces, enters a box by more than a unit (ends touch their boxes)."""
    x, y, width, height = box
    return any(x + 1 < px < x + width - 1 and y + 1 < py < y + height - 1 for px, py in points(curve))


def points(path):
    """Points on `M x y C x1 y1 x2 y2 x y H x`, and on `M x y L x y`."""
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]
    if "C" not in path:
        return
    x0, y0, x1, y1, x2, y2, x3, y3, end = numbers
    for step in range(21):
        t = step / 20
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        yield (
            sum(w * x for w, x in zip(weights, (x0, x1, x2, x3), strict=True)),
            sum(w * y for w, y in zip(weights, (y0, y1, y2, y3), strict=True)),
        )
        yield x3 + t * (end - x3), y3


@few
@given(genotypes)
def test_no_line_crosses_a_label_and_nothing_leaves_the_picture(genotype):
    root = ET.fromstring(draw_svg(genotype, "any"))
    width, height = float(root.get("width")), float(root.get("height"))
    placed = boxes(root)
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for x, y, w, h in placed)
    chips = [box for box in placed if box[3] == 15]
    for path in root.iter(f"{SVG}path"):
        assert not any(crossing(path.get("d"), chip) for chip in chips)
    for position, (x, y, w, h) in enumerate(chips):
        for x2, y2, w2, h2 in chips[:position]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


@pytest.mark.parametrize("name", CELLS)
def test_published_cells_stay_legible_on_a_phone(name):
    """The text is 11 units high: at 340 pixels it must be 9 pixels or more."""
    root = ET.fromstring(draw_svg(CATALOGUE[name].genotype, name))
    assert 11 * 340 / float(root.get("width")) >= 9


def test_picture_is_accessible_and_self_contained():
    picture = draw_svg(DARTS, "DARTS")
    root = ET.fromstring(picture)
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == [title.get("id"), desc.get("id")]
    assert title.text == "Cells of DARTS"
    assert "sep_conv_3x3" in desc.text
    assert not re.search(r"url\(|@import|href|<script", picture)


def test_two_pictures_on_a_page_share_no_id():
    ids = [set(re.findall(r'id="([^"]+)"', draw_svg(DARTS, title))) for title in ("a", "b")]
    assert ids[0].isdisjoint(ids[1])


def test_names_are_escaped():
    picture = draw_svg(DARTS, "</title><script>alert(1)</script>&\x00\x1b")
    assert "<script" not in picture
    assert ET.fromstring(picture).find(f"{SVG}title").text.startswith("Cells of </title><script>")


def luminance(colour):
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_labels_have_the_contrast_that_wcag_asks_for():
    colours = {
        rect.get("fill")
        for name in CELLS
        for rect in ET.fromstring(draw_svg(CATALOGUE[name].genotype, name)).iter(f"{SVG}rect")
        if rect.get("height") == "15"
    }
    assert len(colours) == 6  # `none` among them
    for colour in colours:
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5
