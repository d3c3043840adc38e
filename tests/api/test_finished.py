"""What a finished audit says of itself, on a terminal and in a notebook, and its charts."""

import html
import re

import altair
import pytest
import vl_convert

from nasaudit.api import Audit
from nasaudit.errors import UnknownNameError
from nasaudit.terminal.verdicts import threatened


@pytest.fixture
def audit(pgd_study, tmp_path):
    return Audit(tmp_path, pgd_study())


def test_it_prints_the_threats_on_one_screen(audit):
    text = repr(audit)
    assert threatened(audit.results) in text
    assert str(audit.report) in text
    assert len(text.splitlines()) <= 30


def test_in_a_crowd_it_says_what_is_left_out(audit, monkeypatch):
    from nasaudit.terminal import verdicts

    monkeypatch.setattr(verdicts, "threatened", lambda _: "\n".join(f"line {n}" for n in range(50)))
    lines = repr(audit).splitlines()
    assert len(lines) == 30
    assert lines[-2] == "[... 23 more lines in the report]"
    assert lines[-3] == "line 26"  # 50 lines and the title are 51: 28 shown, 23 left


def test_a_notebook_gets_the_first_screen_in_a_frame_of_its_own(audit):
    frame = audit._repr_html_()
    assert re.fullmatch(r'<iframe srcdoc="[^"]*" sandbox="" title="nasaudit" style="[^"]*"></iframe>', frame)
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1])
    assert "<script" not in page
    assert 'href="#' not in page
    assert "Evade" in page
    assert '<figure><img src="data:image/svg+xml;base64,' in page
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org/\S+", "", page)


def test_the_charts_are_those_that_the_study_has(audit):
    assert set(dir(audit.plot)) >= {"accuracy", "evasion", "security_curve", "threats"}
    assert "membership" not in dir(audit.plot)
    with pytest.raises(AttributeError, match="no figures of 'membership'; it has: accuracy"):
        audit.plot.membership()
    assert not hasattr(audit.plot, "_ipython_display_")
    for name in dir(audit.plot):
        assert isinstance(getattr(audit.plot, name)(), altair.TopLevelMixin)
    for name in audit.plot:
        assert audit.plot[name].to_dict()["datasets"]["records"]
    with pytest.raises(UnknownNameError, match="figure of this study"):
        audit.plot["nothing"]
    with pytest.raises(UnknownNameError, match="figure of evasion"):
        audit.plot.evasion("nothing")


def test_a_curve_names_its_lines(audit):
    svg = vl_convert.vegalite_to_svg(audit.plot.security_curve().to_dict())
    assert svg.count("role-legend-symbol") > 1
