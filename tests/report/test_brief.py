"""Two pages for who decides: what is in them without a browser, and that they are two with one."""

import shutil
import sys

import pytest

from nasaudit.errors import InputError
from nasaudit.report.brief import methods, render_brief, write_brief
from nasaudit.report.evidence import Evidence
from nasaudit.results.schema import Flag

MANY = [Flag(kind=f"kind{k}", architectures=(), message=f"caveat number {k}. " * 40) for k in range(30)]


def test_it_says_threats_advice_caveats_and_methods_once(make_study, tmp_path):
    results = make_study(flags=[Flag(kind="few_seeds", architectures=(), message="few seeds;")])
    page = render_brief(Evidence(results, tmp_path))
    assert page.count("What to do first") == page.count("Few seeds;") == 1
    assert page.count("Train it adversarially") == 1
    assert "<script" not in page
    assert "These DARTS models are easier to evade" in page
    assert [sentence.count(". ") for sentence in methods(Evidence(results, tmp_path))] == [0, 0, 0]


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("flags", [(), MANY], ids=["few", "many"])
def test_it_is_two_pages_that_can_be_read(make_study, tmp_path, flags):
    pytest.importorskip("playwright")
    pypdf = pytest.importorskip("pypdf")
    results = make_study(flags=flags, architectures=("darts", "resnet", "vgg", "enas"))
    pages = pypdf.PdfReader(write_brief(results, tmp_path, tmp_path / "brief.pdf")).pages
    first, second = (" ".join(page.extract_text().split()) for page in pages)
    assert "Evade" in first
    assert "41.3 %" in first
    assert "All threats at a glance" in first
    assert "How it was measured" in second
    assert "trained on mnist5k with 2 seeds each" in second
    assert ("21 more in the report" in second) is bool(flags)


def test_without_playwright_the_error_says_what_to_install(make_study, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(InputError, match=r"nasaudit\[pdf\].*playwright install chromium"):
        write_brief(make_study(), tmp_path, tmp_path / "brief.pdf")
    assert not (tmp_path / "brief.pdf").exists()
