"""Names of strangers at the terminal: nothing that they hold is obeyed, taken as markup, or forges a line of ours."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasaudit.errors import InputError
from nasaudit.results.schema import StudyResults
from nasaudit.terminal.plain import MOST, PlainFormatter, plain, plain_lines
from nasaudit.terminal.tables import table

Run = Callable[..., tuple[Any, str, str]]
NAMES = {
    "escape": "\x1b[31mred\x1b]0;title\x07",
    "break": "darts\nnasaudit all 1 rules hold",
    "return": "darts\rall rules hold",
    "markup": "[bold red]darts",
    "closing markup": "[/bold]darts",
    "link": "[link=/etc/passwd]darts[/link]",
    "emoji": ":smiley: darts",
    "bidi": "darts\u202estrad",
    "c1": "darts\x9b31m",
    "separator": "darts\u2028next",
    "long": "d" * 100_000,
}


def printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_one_line_of_printable_letters(name: str) -> None:
    assert plain(name).isprintable()
    assert len(plain(name)) < 2 * MOST
    assert printable(plain_lines(f"a\n{name}"))


def test_words_of_ours_stay_as_they_are() -> None:
    assert plain("5 \N{RIGHTWARDS ARROW} 7\N{NO-BREAK SPACE}% [0.1, 0.2], K\u00f6ln") == (
        "5 \N{RIGHTWARDS ARROW} 7 % [0.1, 0.2], K\u00f6ln"
    )


def test_a_table_takes_no_markup_and_keeps_its_own_lines() -> None:
    shown = table("things", [{"name": "[bold red]x[/]", "two": ["one\x1b", "two"]}])
    assert "[bold red]x[/]" in shown
    assert "one\\x1b" in shown
    assert len(shown.splitlines()) == 5


def test_warnings_are_plain_too() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "the record of %s", ("a\x1b\nb",), None)
    assert PlainFormatter().format(record) == "nasaudit: the record of a\\x1b\\nb"


@pytest.fixture
def renamed(pgd_study: Callable[..., StudyResults], tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a study whose architecture `darts` has another name, to a folder."""

    def write(folder: str, name: str) -> None:
        text = pgd_study(failed=1).model_dump_json().replace('"darts"', json.dumps(name))
        text = text.replace("train darts", json.dumps(f"train {name}")[1:-1])
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "results.json").write_text(text, encoding="utf-8")

    return write


RULES = (
    "failed_tasks: allow\nrules: [{family: evasion, metric: headline, at_most: 0.001, architectures: [%s]}]\n"
)


@pytest.mark.parametrize("name", [name for name in NAMES.values() if ":" not in name and len(name) < 80])
def test_gate_compare_and_report_show_a_hostile_name_harmlessly(
    name: str, renamed: Callable[[str, str], None], command: Run, tmp_path: Path
) -> None:
    renamed("one", name)
    renamed("two", name)
    (tmp_path / "all.yaml").write_text(RULES % "all")
    (tmp_path / "absent.yaml").write_text(RULES % "absent")
    for words, expected in (
        (("gate", "one", "--policy", "all.yaml"), 1),
        (("gate", "one", "--policy", "absent.yaml"), 2),
        (("compare", "one", "two"), 0),
        (("compare", "one", "two", "--all"), 0),
        (("report", "one"), 0),
    ):
        code, out, err = command(*words)
        assert code == expected, err
        assert printable(out)
        assert printable(err)
        assert "Traceback" not in err
        assert not any(line.startswith(("nasaudit all", "next")) for line in (out + err).splitlines())


def test_a_message_of_several_lines_cannot_pass_for_another(
    command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nasaudit import api

    def refuse(*_: object) -> None:
        raise InputError("no such thing as darts\nnasaudit: all is well\x1b[0m")

    monkeypatch.setattr(api, "compare", refuse)
    code, _, err = command("compare", "a", "b")
    assert code == 2
    assert err == "nasaudit: no such thing as darts\n  nasaudit: all is well\\x1b[0m\n"
