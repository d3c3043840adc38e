"""The report in a real browser: charts drawn, nothing asked of the network, nothing wider than a phone."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from tests.browser import needs_chromium
from tests.report.hardened import full_study
from tests.report.test_palette import contrast
from tests.report.test_searches import entry, searched_study, with_skips

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.report import write_report
from nasaudit.spec.attacks import LINF_GRID

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `dev`)")

pytestmark = [pytest.mark.browser, needs_chromium]
DESKTOP, PHONE = 1280, 375
HOSTILE = "<script>alert(1)</script>'\"&" + "long" * 15


@dataclass
class Opened:
    """A page with all that it said and asked for while it loaded."""

    page: "playwright.Page"
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def overflow(self) -> int:
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )


@pytest.fixture
def open_report(chromium, make_study, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    context = chromium.new_context()

    def open_at(width: int, remedies: bool = False, unfolded: bool = True, **changes: object) -> Opened:
        results = make_study(**changes)
        path = write_report(full_study(results) if remedies else results, tmp_path)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 800})
        opened = Opened(page)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (opened.complaints.append("a dialog opened"), dialog.dismiss()))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-charts=drawn]", timeout=60_000)
        if unfolded:
            page.evaluate("for (const box of document.querySelectorAll('main details')) box.open = true")
            page.wait_for_timeout(300)  # until charts that were folded have their width
        opened.requests = [
            url for url in opened.requests if url != path.as_uri() and not url.startswith("data:")
        ]
        return opened

    yield open_at
    context.close()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
@pytest.mark.parametrize(
    ("changes", "charts"),
    [
        # One more than two architectures have: groups are compared.
        pytest.param({"architectures": tuple(CATALOGUE), "seeds": (0,)}, 6, marks=pytest.mark.slow),
        ({"architectures": ("vgg", "resnet", "darts", "pc_darts", "random", "darts-i"), "seeds": (0,)}, 6),
        ({"renamed": {"darts": HOSTILE}}, 6),
        ({"architectures": ("resnet",), "attacks": False, "histories": False}, 0),
    ],
    ids=["catalogue", "groups", "hostile", "bare"],
)
def test_every_chart_is_drawn_and_fits(
    open_report, width: int, changes: dict[str, object], charts: int
) -> None:
    opened = open_report(width, **changes)
    drawn = opened.page.locator(".chart svg.marks")
    assert opened.page.locator(".chart").count() == drawn.count() == charts
    for k in range(charts):
        box = drawn.nth(k).bounding_box()
        assert box["width"] > 0.8 * (min(width, 1216) - 32)
        assert box["height"] > 80
        assert drawn.nth(k).locator("path[aria-roledescription]").count() > 0
    assert opened.overflow() == 0
    assert opened.complaints == []
    assert opened.requests == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_trade_offs_and_doses_are_drawn_and_fit(open_report, width: int) -> None:
    names = ("darts", "darts-i", "darts-ii", "darts-iii")
    opened = open_report(width, remedies=True, architectures=names, attacks=False, histories=False)
    drawn = opened.page.locator("#remedies .panel .chart svg.marks")
    assert drawn.count() == 8
    for k in range(8):
        assert drawn.nth(k).bounding_box()["width"] > 250
        assert drawn.nth(k).locator("path[aria-roledescription]").count() > 3
    assert (opened.overflow(), opened.complaints, opened.requests) == (0, [], [])


def test_a_name_in_the_legend_brings_its_line_out(open_report) -> None:
    opened = open_report(PHONE)
    faded = "#figure-evasion-pgd-linf-untargeted path[aria-roledescription=point][opacity='0.12']"
    assert opened.page.locator(faded).count() == 0
    opened.page.locator("#figure-evasion-pgd-linf-untargeted .key").first.click()
    opened.page.wait_for_selector(faded, state="attached")
    assert opened.page.locator(faded).count() == len(LINF_GRID)  # the other architecture, at each epsilon
    opened.page.locator("#figure-evasion-pgd-linf-untargeted .key").first.click()
    opened.page.wait_for_selector(faded, state="detached")
    assert opened.complaints == []


def test_a_point_tells_its_interval_and_n(open_report) -> None:
    opened = open_report(DESKTOP)
    opened.page.locator("#figure-evasion-pgd-linf-untargeted path[aria-roledescription=point]").nth(6).hover(
        force=True
    )
    tip = opened.page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    said = tip.inner_text()
    assert "DARTS" in said
    assert "4/255" in said  # the seventh of the grid
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}956" in said


def test_paper_shows_what_was_folded(open_report) -> None:
    opened = open_report(DESKTOP, unfolded=False)
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("main details:not([open])").count() == 0
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("main details:not([open])").count() > 0


def test_on_a_phone_no_table_is_cut(open_report) -> None:
    """Each box that is wider than the phone says so, with a word and a shadow, until its end is seen."""
    opened = open_report(390, remedies=True, architectures=("darts", "darts-i", "darts-ii", "darts-iii"))
    assert opened.overflow() == 0
    boxes = opened.page.evaluate(
        """[...document.querySelectorAll("main table")].map((table) => {
            const box = table.closest(".scroll") ?? table;
            const cue = box.previousElementSibling.querySelector(".cue").textContent;
            const wide = box.scrollWidth > box.clientWidth + 1;
            const right = table.getBoundingClientRect().right;
            return [wide, cue !== "", box.classList.contains("more"), box.matches(".scroll") || right <= innerWidth];
        })"""
    )
    assert any(wide for wide, *_ in boxes)
    for wide, cue, shadow, kept in boxes:
        assert wide == cue == shadow
        assert kept
    opened.page.evaluate("for (const box of document.querySelectorAll('.scroll')) box.scrollLeft = 1e6")
    opened.page.locator(".scroll.more").first.wait_for(state="detached")


def test_it_is_short_before_anything_is_opened(open_report) -> None:
    opened = open_report(1400, unfolded=False)
    assert opened.page.evaluate("document.documentElement.scrollHeight") < 6 * 900
    # No section is a heading alone: it has something to see, or something to open.
    lengths = opened.page.evaluate(
        "[...document.querySelectorAll('main > section')].map(s => s.textContent.length)"
    )
    assert min(lengths) > 100


def test_a_link_into_a_fold_opens_it(open_report) -> None:
    opened = open_report(DESKTOP, unfolded=False)
    assert not opened.page.locator("#topology table").first.is_visible()
    opened.page.locator("nav a[href='#topology']").click()
    opened.page.locator("#topology table").first.wait_for(state="visible")


def test_a_table_is_saved_with_columns_of_numbers(open_report, tmp_path: Path) -> None:
    opened = open_report(DESKTOP)
    with opened.page.expect_download() as saving:
        opened.page.locator("#verdict .tools button", has_text="CSV").first.click()
    saving.value.save_as(tmp_path / "table.csv")
    table = pd.read_csv(tmp_path / "table.csv")
    assert [column for column in table.columns if column.startswith("DARTS")] == [
        f"DARTS 97.6\N{NO-BREAK SPACE}% accurate{part}".replace("\N{NO-BREAK SPACE}", " ")
        for part in ("", " low", " high", " n")
    ]
    evade = table.iloc[0]
    assert evade["threat"].startswith("Evade")
    low, value, high = (evade.iloc[table.columns.get_loc(evade.index[k])] for k in (3, 2, 4))
    assert 0.38 < low < value < high < 0.45
    assert (opened.complaints, opened.requests) == ([], [])


def test_a_table_is_copied(open_report) -> None:
    opened = open_report(DESKTOP)
    button = opened.page.locator("#verdict .tools button", has_text="Copy").first
    button.click()
    assert opened.page.locator("#verdict .tools button").first.inner_text() == "Copied"


def test_on_a_dark_screen_words_and_lines_stand_out(chromium, make_study, tmp_path: Path) -> None:
    page = chromium.new_page(color_scheme="dark")
    page.goto(write_report(make_study(), tmp_path).as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=60_000)

    def style(selector: str, name: str) -> str:
        text = page.locator(selector).first.evaluate(f"(node) => getComputedStyle(node).{name}")
        return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", text)[:3])

    ground = style("html", "backgroundColor")
    chart = "#figure-threats svg.marks"
    assert (
        page.locator(chart).evaluate("(node) => getComputedStyle(node).backgroundColor") == "rgba(0, 0, 0, 0)"
    )
    for selector, name, least in (
        ("#verdict th", "color", 4.5),
        (f"{chart} .role-axis-label text", "fill", 4.5),
        (f"{chart} .role-axis-title text", "fill", 4.5),
        (f"{chart} .mark-symbol path", "fill", 3),
        ("#verdict .legend line", "stroke", 3),
    ):
        assert contrast(style(selector, name), ground) >= least, selector
    page.close()


def test_a_slider_shows_the_cells_of_an_epoch(chromium, tmp_path) -> None:
    trace = [entry(epoch, with_skips(skips)) for epoch, skips in enumerate((0, 1, 5), start=1)]
    path = write_report(searched_study(trace=trace, last=with_skips(5)), tmp_path)
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-charts=drawn]", timeout=60_000)
    page.evaluate("for (const box of document.querySelectorAll('main details')) box.open = true")
    seen = page.locator(".slides .slide:visible img")
    assert seen.count() == 1
    last = seen.get_attribute("src")
    page.locator(".slides input").fill("0")
    assert page.locator(".slides output").text_content() == "1"
    assert seen.count() == 1
    assert seen.get_attribute("src") != last
    assert complaints == []
    page.close()
