"""The report in a real browser: charts drawn, nothing asked of the network, nothing wider than a phone."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.report.hardened import full_study

from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.report import write_report
from nasaudit.spec.attacks import LINF_GRID

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `dev`)")

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
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


@pytest.fixture(scope="module")
def chromium() -> Iterator["playwright.Browser"]:
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield launched
        launched.close()


@pytest.fixture
def open_report(chromium, make_study, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    context = chromium.new_context()

    def open_at(width: int, remedies: bool = False, **changes: object) -> Opened:
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
        ({"architectures": tuple(CATALOGUE), "seeds": (0,)}, 6),
        ({"renamed": {"darts": HOSTILE}}, 6),
        ({"architectures": ("resnet",), "attacks": False, "histories": False}, 0),
    ],
    ids=["catalogue", "hostile", "bare"],
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
    opened = open_report(DESKTOP)
    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert opened.page.locator("main details:not([open])").count() == 0
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("main details:not([open])").count() > 0
