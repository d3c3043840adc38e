"""The scatter plots of a population: what they draw, that a name stays text, and that a tip shows the cell."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from PIL import Image
from tests.browser import CHROMIUM, needs_chromium

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.pictures.svg import safe
from nasaudit.planning.population import population
from nasaudit.report import write_figures, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import Section
from nasaudit.report.sections.population import LEAST_CELLS, section
from nasaudit.results.base import Span
from nasaudit.results.schema import StudyResults
from nasaudit.results.verdict_models import Claim, Variable
from nasaudit.spec.study import ArchChoice, PopulationSpec

HOSTILE = "</script><img src=x onerror=alert(1)>'\"&datum.m0"
MEASURES = (
    ("depth", "depth of the normal cell", "topology", "edges"),
    ("width", "width of the normal cell", "topology", "inputs"),
    ("skip_share", "share of skips in the normal cell", "topology", "fraction"),
    ("loss_area", "area under the training loss", "convergence", "loss"),
    ("relative_gradient_variance", "gradient variance after training", "gradients", "1"),
    ("hessian_top", "largest curvature of the loss", "smoothness", "1"),
    ("evasion", "area under the security curve", "vulnerability", "fraction"),
    ("poisoning", "accuracy lost to wrong labels", "vulnerability", "fraction"),
    ("backdoor", "success rate of the trigger", "vulnerability", "fraction"),
    ("extraction", "agreement of the stolen model", "vulnerability", "fraction"),
    ("membership", "AUC of finding members", "vulnerability", "fraction"),
    ("accuracy", "clean accuracy", "control", "fraction"),
)
METRICS = {
    "evasion": "curve_area",
    "poisoning": "cad",
    "backdoor": "asr",
    "extraction": "agreement",
    "membership": "auc",
    "accuracy": "clean_accuracy",
}

MakeStudy = Callable[..., StudyResults]


def with_population(
    results: StudyResults,
    cells: int = 60,
    published: bool = True,
    hardened: bool = True,
    first: str = "",
) -> StudyResults:
    """The same study over a population, with made-up measures; `first`: another name for the first cell."""
    spec = PopulationSpec(cells=cells, published=published, hardened=hardened)
    choices = population(spec)
    specs = [resolve(choice, "mini", 10, (3, 28, 28)) for choice in choices]
    specs += [resolve(ArchChoice(name="resnet"), "mini", 10, (3, 28, 28))]
    if first:
        specs[0] = specs[0].model_copy(update={"name": first})
    rng = np.random.default_rng(3)
    named = [one.name for one in specs if one.genotype is not None]
    hidden = rng.standard_normal(len(named))
    measures = []
    for position, (key, title, part, unit) in enumerate(MEASURES):
        mixed = 0.3 * position % 0.8 * hidden + rng.standard_normal(len(named))
        if part == "topology" and unit != "fraction":
            values = np.round(2.5 + np.abs(mixed))
        elif unit == "fraction":
            values = 1 / (1 + np.exp(-mixed))
        else:
            values = np.exp(2 * mixed)
        measures.append(
            Variable(
                key=key,
                title=title,
                part=part,
                favoured="higher",
                unit=unit,
                metric=METRICS.get(key, key),
                values=dict(zip(named, map(float, values), strict=True)),
            )
        )
    explanations = [one for one in measures if one.part not in ("vulnerability", "control")]
    claims = [
        correlation(cause.key, effect.key, rng.uniform(-0.6, 0.6))
        for effect in measures
        if effect.part not in ("topology", "control")
        for cause in explanations
        if cause.part != effect.part
    ]
    return results.model_copy(update={"architectures": specs, "variables": measures, "claims": claims})


def correlation(cause: str, effect: str, rho: float) -> Claim:
    finding = "undecided" if abs(rho) < 0.35 else "supported" if rho > 0 else "contradicted"
    return Claim(
        kind="correlation", cause=cause, effect=effect, other="", sample="random cells", predicted="higher",
        estimate=Span(value=rho, low=rho - 0.22, high=rho + 0.22), partial=None, everywhere=0.9 * rho, n=60,
        p=0.01, p_holm=0.04 if finding != "undecided" else 0.4, detectable=0.44, finding=finding,
    )  # fmt: skip


@pytest.fixture
def results(make_study: MakeStudy) -> StudyResults:
    return with_population(make_study(attacks=False, histories=False), cells=6, hardened=False)


def shown(results: StudyResults, folder: Path) -> Section:
    made = section(Evidence(results, folder))
    assert made is not None
    return made


def panels(spec: dict[str, object]) -> list[list[dict[str, object]]]:
    return [row["hconcat"] for row in spec["vconcat"]]


def pairs(spec: dict[str, object], titles: dict[str, str]) -> list[list[tuple[str, str]]]:
    return [
        [tuple(titles[panel["encoding"][side]["field"]] for side in ("x", "y")) for panel in row]
        for row in panels(spec)
    ]


def test_rows_are_vulnerabilities_then_explanations_by_those_before_them(results, tmp_path: Path) -> None:
    section_ = shown(results, tmp_path)
    titles = {axis.field: axis.title for axis in section_.content["axes"]}
    wide = {key: title[:1].upper() + title[1:] for key, title, *_ in MEASURES}
    for key in ("skip_share", "poisoning", "backdoor", "extraction"):
        wide[key] += " (%)"
    causes = ("depth", "width", "skip_share", "loss_area", "relative_gradient_variance", "hessian_top")
    harms = ("evasion", "poisoning", "backdoor", "extraction", "membership")
    expected = [[(wide[cause], wide[harm]) for cause in causes] for harm in harms]
    expected += [[(wide[cause], wide[causes[k]]) for cause in causes[:k]] for k in (3, 4, 5)]
    assert pairs(section_.content["matrix"].for_page(), titles) == expected
    assert "Clean accuracy" not in titles.values()  # held fixed, and neither cause nor effect


def test_one_record_for_each_cell_with_what_was_measured_and_no_drawing(results, tmp_path: Path) -> None:
    section_ = shown(results, tmp_path)
    records = section_.content["matrix"].records
    assert len(records) == len({record["cell"] for record in records}) == 16
    assert section_.content["explorer"].records == records
    depth, skips = results.variables[0], results.variables[2]
    for record in records:
        assert record["m0"] == depth.values[record["cell"]]
        assert record["m2"] == pytest.approx(100 * skips.values[record["cell"]], rel=1e-3)  # in percent
        assert set(record) == {"cell", "label", "group", *(f"m{k}" for k in range(11))}
    assert "resnet" not in {record["cell"] for record in records}  # it has no cells
    counts = {title: count for title, _, count in section_.content["legend"]}
    assert counts == {"designed by NAS": 10, "random cell": 6}


def test_what_spans_decades_is_drawn_by_factors_and_counts_in_whole_steps(results, tmp_path: Path) -> None:
    section_ = shown(results, tmp_path)
    axes = {axis.field: axis for axis in section_.content["axes"]}
    decades = {
        f"m{k}": max(one.values.values()) > 30 * min(one.values.values())
        for k, one in enumerate(results.variables[:6])
        if one.unit != "fraction"
    }
    assert True in decades.values()
    assert {name for name, axis in axes.items() if axis.log} == {
        name for name, wide in decades.items() if wide
    }
    assert [axis.whole for axis in axes.values()] == [True, True] + [False] * 9
    first = panels(section_.content["matrix"].for_page())[5][0]["encoding"]
    assert (first["x"]["axis"]["tickMinStep"], first["x"]["scale"].get("type")) == (1, None)
    assert first["y"]["scale"].get("type") == ("log" if decades["m3"] else None)


def test_the_correlation_stands_above_its_panel(results, tmp_path: Path) -> None:
    section_ = shown(results, tmp_path)
    wanted = next(one for one in results.claims if (one.cause, one.effect) == ("depth", "evasion"))
    first = panels(section_.content["matrix"].for_page())[0][0]
    rho = wanted.estimate
    assert first["title"]["text"] == f"ρ {rho.value:+.2f}, {wanted.finding}"
    params = {one["name"]: one.get("value") for one in section_.content["explorer"].for_page()["params"]}
    said = f"ρ {rho.value:+.2f} [{rho.low:.2f}, {rho.high:.2f}]: {wanted.finding}"
    assert params["notes"]["m0|m6"] == params["notes"]["m6|m0"] == said
    assert "over random cells" in section_.content["matrix"].caption


def test_a_page_holds_each_drawing_once(make_study: MakeStudy, tmp_path: Path) -> None:
    results = with_population(make_study(attacks=False, histories=False))
    page = write_report(results, tmp_path).read_text(encoding="utf-8")
    drawings = shown(results, tmp_path).content["drawings"]
    assert len(drawings) == 100
    population_ = page[page.index('<section id="population"') : page.index('<section id="accuracy"')]
    for uri in drawings.values():
        assert population_.count(uri) == 1
    assert len(population_) < 3e6
    assert b"Cells of DARTS<" in base64.b64decode(drawings["darts"].split(",")[1])


@pytest.mark.parametrize("cells", [1, LEAST_CELLS - 1, LEAST_CELLS])
def test_only_a_population_is_drawn(make_study: MakeStudy, tmp_path: Path, cells: int) -> None:
    results = with_population(make_study(attacks=False), cells=cells, published=False, hardened=False)
    assert (section(Evidence(results, tmp_path)) is not None) == (cells >= LEAST_CELLS)


def test_what_was_not_measured_is_not_drawn(results: StudyResults, tmp_path: Path) -> None:
    def without(*parts: str) -> Section | None:
        left = [one for one in results.variables if one.part not in parts]
        return section(Evidence(results.model_copy(update={"variables": left, "claims": []}), tmp_path))

    assert without("topology", "convergence", "gradients", "smoothness") is None
    assert without("convergence", "gradients", "smoothness", "vulnerability") is None
    rows = panels(without("vulnerability").content["matrix"].for_page())
    assert [len(row) for row in rows] == [3, 4, 5]
    assert rows[0][0]["title"]["text"] == " "
    rows = panels(without("topology", "convergence", "gradients").content["matrix"].for_page())
    assert [len(row) for row in rows] == [1] * 5


def test_a_measure_that_few_have_or_that_never_varies_is_left_out(
    results: StudyResults, tmp_path: Path
) -> None:
    depth, width, *others = results.variables
    few = dict(list(depth.values.items())[: LEAST_CELLS - 1])
    changed = [
        depth.model_copy(update={"values": few}),
        width.model_copy(update={"values": dict.fromkeys(width.values, 2.0)}),
        others[0].model_copy(update={"values": dict(list(others[0].values.items())[:9])}),
        *others[1:],
    ]
    section_ = shown(results.model_copy(update={"variables": changed}), tmp_path)
    assert section_.content["axes"][0].title == "Share of skips in the normal cell (%)"
    assert sum(record["m0"] is None for record in section_.content["matrix"].records) == 7


def test_whatever_a_cell_is_called_stays_text(make_study: MakeStudy, tmp_path: Path) -> None:
    results = with_population(
        make_study(attacks=False), cells=9, published=False, hardened=False, first=HOSTILE
    )
    page = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert "<img src=x" not in page
    spec = shown(results, tmp_path).content["matrix"].for_page()
    assert HOSTILE in {record["label"] for record in spec["datasets"]["records"]}
    del spec["datasets"]
    assert "onerror" not in json.dumps(spec)


def test_the_charts_are_files_too(results: StudyResults, tmp_path: Path) -> None:
    few = [one for one in results.variables if one.key in ("depth", "loss_area", "evasion")]
    results = results.model_copy(update={"variables": few})
    paths = {path.stem: path for path in write_figures(results, tmp_path, tmp_path / "png")}
    for name, width, height in (("matrix", 2, 2), ("explorer", 4, 2)):
        with Image.open(paths[f"population-{name}"]) as picture:
            assert picture.width > 2 * 134 * width
            assert picture.height > 2 * 134 * height
    for figure, panels_ in zip(shown(results, tmp_path).figures, (1, 3), strict=True):
        # Where there are too many architectures for a legend, that of the groups remains.
        drawn = vl_convert.vegalite_to_svg(figure.for_file(with_legend=False))
        assert "designed by NAS</text>" in drawn
        assert drawn.count('aria-roledescription="point"') == 16 * panels_


@pytest.fixture
def opened(make_study: MakeStudy, tmp_path: Path) -> Iterator[Callable[[int], object]]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (extra `dev`)"
    )
    results = with_population(make_study(attacks=False, histories=False), first=HOSTILE)
    path = write_report(results, tmp_path)
    complaints: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def at(width: int) -> object:
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: complaints.append(request.url))
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-charts=drawn]", timeout=120_000)
            return page

        yield at
        browser.close()
    told = [text for text in complaints if text != path.as_uri() and not text.startswith("data:")]
    assert told == []


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("width", [1280, 360])
def test_pointing_at_a_cell_shows_its_drawing_and_brings_it_out_everywhere(opened, width: int) -> None:
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = page.evaluate(
        """[...document.querySelectorAll('#population .chart text')]
        .filter(text => parseFloat(getComputedStyle(text).fontSize) < 11).length"""
    )
    assert small == 0
    points = page.locator("#figure-population-matrix path[aria-roledescription=point]")
    assert points.count() == 4200
    assert HOSTILE in points.first.get_attribute("aria-label")
    points.first.scroll_into_view_if_needed()
    points.first.hover(force=True)
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    said = tip.locator("h2").inner_text()
    lit = page.locator("#figure-population-matrix path[aria-roledescription=point][opacity='1']")
    page.wait_for_function(
        "document.querySelectorAll('#figure-population-matrix path[opacity=\"1\"]').length === 42"
    )
    # Points may lie over each other: whichever is on top, its own name and its own drawing must show.
    assert all(said in lit.nth(k).get_attribute("aria-label") for k in (0, 20, 41))
    page.wait_for_function("document.querySelector('#vg-tooltip-element img').naturalWidth > 300")
    uri = tip.locator("img").get_attribute("src")
    assert f"Cells of {safe(said)}<" in base64.b64decode(uri.split(",")[1]).decode()
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@pytest.mark.browser
@needs_chromium
def test_the_selects_choose_what_is_drawn(opened) -> None:
    page = opened(360)
    figure = page.locator("#figure-population-explorer")
    figure.locator("select[data-signal=across]").select_option(label="Largest curvature of the loss")
    figure.locator("select[data-signal=up]").select_option(label="AUC of finding members")
    figure.get_by_text("Largest curvature of the loss →").wait_for()
    figure.get_by_text("↑ AUC of finding members").wait_for()
    assert figure.locator("path[aria-roledescription=point]").count() == 100
