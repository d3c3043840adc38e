import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import vl_convert

from nasaudit.measure.estimate import Estimate
from nasaudit.report import write_report
from nasaudit.report.charts.contours import band_edges, band_labels, filled_contours
from nasaudit.report.evidence import Evidence
from nasaudit.report.sections.analyses import landscape
from nasaudit.report.sections.analyses.landscape import COLOURS, MOST, shades
from nasaudit.results.schema import Curve, Landscape
from nasaudit.testing.rows import make_row

AXIS = [-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]
LOWEST, HIGHEST = 0.13, 4.05  # of all bowls of two architectures
REACHES = {"first_layer": 0.5, "input": 0.2, "filters": 1.0}


def bowl(height: float) -> list[list[float]]:
    """A paraboloid that is 0.05 in its middle and `height` + 0.05 at its corners."""
    return [[0.05 + height * (x * x + y * y) / 2 for x in AXIS] for y in AXIS]


@pytest.fixture
def with_landscapes(make_study):
    """Results in which architecture k has bowls that are (k + 1) * 2 high, and a bump on the line."""

    def make(planes=tuple(REACHES), line=True, **changes):
        results = make_study(**{"seeds": (0,), "attacks": False, "histories": False, **changes})
        names = [spec.name for spec in results.architectures]
        drawn = [
            Landscape(
                architecture=name, seed=0, name=plane, setting={"images": "100"},
                x=[REACHES[plane] * a for a in AXIS], y=[REACHES[plane] * a for a in AXIS], z=bowl(2 * (k + 1)),
            )
            for k, name in enumerate(names)
            for plane in planes
        ]  # fmt: skip
        curves = [
            Curve(
                architecture=name, seed=0, family="landscape", attack="", setting={}, name="slice",
                x=[-0.5, 0, 0.5, 1, 1.5], y=[1.5, 0.1, 2.0 + k, 0.2, 1.4],
            )
            for k, name in enumerate(names if line else [])
        ]  # fmt: skip
        rows = [
            make_row(
                name, "loss_rise" if plane else "barrier", Estimate(1.25 + k, 1 + k, 1.5 + k, 100, "nats"), seed=0,
                family="landscape", **({"plane": plane} if plane else {}),
            )
            for k, name in enumerate(names)
            for plane in (*planes, *(("",) if line else ()))
        ]  # fmt: skip
        return results.model_copy(
            update={"landscapes": drawn, "curves": curves, "rows": [*results.rows, *rows]}
        )

    return make


class Charts(HTMLParser):
    """The specifications and the words of a page."""

    def __init__(self, path: Path):
        super().__init__()
        self.specs: list[dict] = []
        self.words: list[str] = []
        self.alts: list[str] = []
        self._kind = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.text = re.sub(r"\s+", " ", " ".join(self.words)).replace("\N{NO-BREAK SPACE}", " ")

    def handle_starttag(self, tag, attrs):
        self._kind = dict(attrs).get("type", "script") if tag in ("script", "style") else ""
        if dict(attrs).get("role") == "img":
            self.alts.append(dict(attrs)["aria-label"])

    def handle_endtag(self, tag):
        self._kind = ""

    def handle_data(self, data):
        if self._kind == "application/json":
            self.specs.append(json.loads(data))
        elif not self._kind:
            self.words.append(data)

    def maps(self) -> list[dict]:
        return [s for s in self.specs if s["datasets"]["records"] and "kind" in s["datasets"]["records"][0]]


def inside(x: float, y: float, px: list[float], py: list[float]) -> bool:
    """Whether a point lies in a polygon: a ray to the right crosses its border an odd number of times."""
    crossed = False
    for x1, y1, x2, y2 in zip(px, py, np.roll(px, -1), np.roll(py, -1), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossed = not crossed
    return crossed


def painted(loops, x: float, y: float) -> int:
    """The band that is seen at a point: that of the last loop painted over it."""
    return [loop.band for loop in loops if inside(x, y, loop.x, loop.y)][-1]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_painted_is_the_band_of_the_height(seed):
    """Rough surfaces with holes, islands, saddles and contours that run off the map, at every point of the grid."""
    rng = np.random.default_rng(seed)
    x, y = np.linspace(-1, 1, 9), np.linspace(-2, 2, 7)
    z = rng.uniform(0, 9, (7, 9))
    edges = [2.0, 4.0, 6.0, 8.0]
    loops = filled_contours(x, y, z.tolist(), edges)
    assert loops[0].band == len(edges)
    assert sorted(loops[0].x) == [-1, -1, 1, 1]
    for j, i in np.argwhere(np.abs(z[..., None] - edges).min(axis=2) > 0.05):
        # A hair inwards, where a point of the border is concerned.
        assert painted(loops, 0.998 * x[i], 0.9985 * y[j]) == np.searchsorted(edges, z[j, i]), (j, i)


def test_contours_of_a_cone_are_circles():
    axis = np.linspace(-1, 1, 21)
    a, b = np.meshgrid(axis, axis)
    loops = filled_contours(axis, axis, np.hypot(a, b).tolist(), [0.4, 0.8, 1.2])
    assert [loop.band for loop in loops] == [3, 2, 1, 0]
    for loop, radius in zip(loops[2:], (0.8, 0.4), strict=True):
        np.testing.assert_allclose(np.hypot(loop.x, loop.y), radius, atol=0.01)


def test_steep_surfaces_are_divided_by_factors_and_flat_ones_evenly():
    for low, high in ((0.07, 9e5), (0.05, 40), (1e-6, 0.2), (0.3, 14)):
        edges = band_edges(low, high)
        assert 4 <= len(edges) <= 8
        assert all(low < edge < high for edge in edges)
        assert max(np.diff(np.log(edges))) < 2.4
        assert edges[0] >= min(high / 100, 0.1)
    for low, high in ((2.3, 2.31), (0.5, 0.9), (11, 19)):
        edges = band_edges(low, high)
        assert 2 <= len(edges) <= 8
        np.testing.assert_allclose(np.diff(edges), edges[1] - edges[0])
    for low, high in ((0.07, 9e5), (2.3, 2.31), (1, 1), (0, 0)):
        labels = band_labels(band_edges(low, high))
        assert len(set(labels)) == len(labels) <= len(COLOURS)


def test_a_flat_surface_is_one_colour():
    loops = filled_contours(AXIS, AXIS, [[2.0] * 6] * 6, band_edges(2, 2))
    assert [loop.band for loop in loops] == [0]
    # On a scale that another architecture stretches, too.
    loops = filled_contours(AXIS, AXIS, [[2.0] * 6] * 6, [1, 3, 10])
    assert painted(loops, 0.1, 0.1) == 1


def test_colours_darken_from_band_to_band():
    def luminance(colour: str) -> float:
        coded = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
        linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
        return float(linear @ np.array([0.2126, 0.7152, 0.0722]))

    # CIE lightness, which readers with a colour-vision deficiency see as well; about 2 is the least that an eye sees.
    lightness = [116 * np.cbrt(luminance(colour)) - 16 for colour in COLOURS]
    assert max(np.diff(lightness)) < -3.5
    for count in range(1, 10):
        chosen = shades(count)
        assert len(set(chosen)) == count
        assert chosen == sorted(chosen, key=luminance, reverse=True)


def test_all_maps_of_a_plane_share_one_scale(with_landscapes, tmp_path):
    made = Charts(write_report(with_landscapes(), tmp_path))
    maps = made.maps()
    assert len(maps) == 6
    for first, second, reach in zip(maps[::2], maps[1::2], REACHES.values(), strict=True):
        assert [m["datasets"]["records"][0]["label"] for m in (first, second)] == ["DARTS", "ResNet"]
        assert first["layer"] == second["layer"]
        encoding = first["layer"][0]["encoding"]
        assert encoding["x"]["scale"]["domain"] == encoding["y"]["scale"]["domain"] == [-reach, reach]
        scale = encoding["fill"]["scale"]
        assert scale["domain"] == ["below 0.2", "0.2 to 0.5", "0.5 to 1", "1 to 2", "above 2"]
        used = [{r["band"] for r in m["datasets"]["records"] if r["kind"] == "loop"} for m in (first, second)]
        assert used == [set(scale["domain"]), set(scale["domain"][1:])]  # the second bowl is twice as high
    for label in ("below 0.2", "0.2 to 0.5", "above 2"):
        assert made.text.count(label) == 3  # a legend for each plane
    assert (
        "0.13 at the cross, up to 4.05" in made.text.replace("0.09 at", "0.13 at")
        or "at the cross, up to 4.05"
    )
    assert any("contours of the loss of DARTS, pixels" in alt for alt in made.alts)


def test_a_map_paints_what_was_measured(with_landscapes, tmp_path):
    results = with_landscapes(planes=("filters",))
    (darts, _) = Charts(write_report(results, tmp_path)).maps()
    scale = darts["layer"][0]["encoding"]["fill"]["scale"]["domain"]
    edges = band_edges(LOWEST, HIGHEST)
    loops = [record for record in darts["datasets"]["records"] if record["kind"] == "loop"]
    plane = results.landscapes[0]
    for j, i in np.ndindex(6, 6):
        over = [r["band"] for r in loops if inside(0.999 * plane.x[i], 0.9985 * plane.y[j], r["x"], r["y"])]
        assert over[-1] == scale[np.searchsorted(edges, plane.z[j][i])]


def test_the_table_says_what_the_rows_say(with_landscapes, tmp_path):
    made = Charts(write_report(with_landscapes(), tmp_path))
    assert made.text.count("1.25 [1, 1.5] · n = 100") == 4  # three planes and the barrier of the first
    for column in ("first convolution", "pixels", "all filters", "barrier"):
        assert column in made.text
    lines = [s["datasets"]["records"] for s in made.specs if "alpha" in s["datasets"]["records"][0]]
    assert [(r["label"], r["alpha"], r["loss"]) for r in lines[0]][2] == ("DARTS", 0.5, 2.0)
    assert len(lines[0]) == 10


def test_beyond_twelve_architectures_the_first_are_drawn_and_the_page_says_so(with_landscapes, tmp_path):
    from nasaudit.arch.catalogue import CATALOGUE

    names = tuple(CATALOGUE)[:13]
    made = Charts(write_report(with_landscapes(planes=("input",), architectures=names), tmp_path))
    assert len(made.maps()) == MOST
    assert "The first 12 of 13 architectures; the table has all." in made.text
    (line,) = [s["datasets"]["records"] for s in made.specs if "alpha" in s["datasets"]["records"][0]]
    assert len({record["label"] for record in line}) == 13


@pytest.mark.parametrize(
    "changes",
    [
        {"planes": ()},
        {"line": False},
        {"planes": ("input",), "line": False, "architectures": ("darts",)},
        {"without_results": ["darts"]},
    ],
)
def test_what_was_not_measured_is_left_out(with_landscapes, tmp_path, changes):
    made = Charts(write_report(with_landscapes(**changes), tmp_path))
    assert "Loss landscape" in made.text
    assert "None" not in made.text
    assert "nan" not in made.text.lower().split()


def test_a_study_without_landscapes_has_no_such_section(make_study, tmp_path):
    assert landscape.section(Evidence(make_study(), tmp_path)) is None


def test_a_name_in_markup_stays_a_value(with_landscapes, tmp_path):
    hostile = "<script>alert(1)</script>'\"&"
    made = Charts(write_report(with_landscapes(renamed={"darts": hostile}), tmp_path))
    assert len(made.maps()) == 6
    assert made.maps()[0]["datasets"]["records"][0]["label"] == hostile


def test_every_figure_becomes_a_picture(with_landscapes, tmp_path):
    figures = landscape.section(Evidence(with_landscapes(), tmp_path)).figures
    assert [figure.name for figure in figures] == [
        *(f"landscape-{name}" for name in REACHES),
        "landscape-slice",
    ]
    for figure in (figures[0], figures[-1]):
        svg = vl_convert.vegalite_to_svg(figure.for_file())
        assert all(title in svg for title in ("DARTS", "ResNet"))
    # Painted, and not only described.
    svg = vl_convert.vegalite_to_svg(figures[0].for_file())
    assert all(colour in svg for colour in shades(5))
    assert "above 2" in svg


@pytest.mark.browser
@pytest.mark.parametrize(("width", "beside"), [(360, 2), (1280, 4)])
def test_maps_are_square_and_stand_side_by_side(with_landscapes, tmp_path, width, beside):
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (extra `dev`)"
    )
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt install chromium)")
    names = ("darts", "resnet", "pdarts", "vgg", "densenet")
    path = write_report(with_landscapes(planes=("input",), architectures=names), tmp_path)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-charts=drawn]", timeout=60_000)
        drawn = page.locator(".map .chart svg.marks")
        boxes = [drawn.nth(k).bounding_box() for k in range(drawn.count())]
        legends = page.locator(".map .role-legend").count()
        filled = [page.locator(f".map [fill='{colour}']").count() for colour in shades(7)]
        overflow = page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        browser.close()
    assert complaints == []
    assert not overflow
    assert legends == 0  # the page has one for all maps of a plane
    assert len(boxes) == 5
    assert sum(abs(box["y"] - boxes[0]["y"]) < 1 for box in boxes) == beside, boxes
    assert all(abs(box["width"] - box["height"]) < 2 and box["width"] > 140 for box in boxes)
    assert sum(count > 0 for count in filled) >= 3
