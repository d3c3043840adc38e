"""Tables for papers and programs: LaTeX that parses, Markdown, numbers that are numbers."""

import io
import re

import pandas as pd
import pytest

from nasaudit.errors import InputError
from nasaudit.measure.proportion import proportion
from nasaudit.report.export import numbers, paper_table, to_csv, to_latex, to_markdown, to_parquet
from nasaudit.spec.study import StudySpec
from nasaudit.testing.rows import make_results, pooled_rows
from nasaudit.verdicts.decide import decide


@pytest.fixture
def results():
    spec = StudySpec.parse(
        {
            "architectures": ["darts", "resnet"],
            "data": "digits",
            "seeds": [0, 1],
            "attacks": ["badnets", "pgd"],
        }
    )
    rows = []
    for name, hits in (("darts", 400), ("resnet", 100)):
        rows += pooled_rows(name, "clean_accuracy", dict.fromkeys((0, 1), proportion(480, 500)), split="test")
        rows += pooled_rows(
            name,
            "asr",
            dict.fromkeys((0, 1), proportion(hits, 500)),
            attack="badnets",
            images="other classes",
        )
        rows += pooled_rows(
            name, "asr", dict.fromkeys((0, 1), proportion(hits, 500)), attack="pgd", norm="linf", goal="untargeted",
            epsilon="8/255", images="correct",
        )  # fmt: skip
    return decide(make_results(spec, rows))


def test_the_best_of_a_column_is_bold_and_a_tie_is_nobodys(results):
    table = paper_table(results)
    assert table.columns == ("architecture", "accuracy", "evasion", "backdoors")
    assert table.best == ((False, False, False, False), (False, False, True, True))
    assert "2 training seeds" in table.caption
    assert "(n = 1,000)" in table.caption


def test_latex_has_booktabs_rules_balanced_braces_and_no_bare_percent(results):
    text = to_latex(results)
    for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\caption{", "\\label{"):
        assert rule in text
    assert text.count("{") == text.count("}")
    body = text.partition("\n")[2]
    assert not re.search(r"(?<!\\)%", body)
    rows = [line for line in body.splitlines() if line.endswith("\\\\")]
    assert {line.count("&") for line in rows} == {3}
    assert "\\textbf{20.0 \\%" in text


def test_markdown_is_a_table_with_the_same_cells(results):
    lines = [line for line in to_markdown(results).splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {5}
    assert "**20.0 %" in lines[3]


def test_settings_that_are_numbers_are_numbers(results):
    frame = numbers(results)
    assert frame["setting.epsilon"].dropna().unique().tolist() == [8 / 255]
    assert frame["setting.images"].dropna().unique().tolist() == ["other classes", "correct"]
    again = pd.read_csv(io.StringIO(to_csv(numbers(results))))
    assert len(again) == len(results.rows)
    assert again["value"].tolist() == [row.value for row in results.rows]


def test_parquet_is_read_back_or_says_what_it_needs(results, tmp_path):
    path = tmp_path / "figures.parquet"
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"nasaudit\[parquet\]"):
            to_parquet(numbers(results), path)
        return
    to_parquet(numbers(results), path)
    assert pd.read_parquet(path)["value"].tolist() == [row.value for row in results.rows]


def test_latex_is_parsed_to_the_last_brace(results):
    """By a parser of LaTeX: each environment is closed, each row of the table has its cells, each macro is known."""
    walker = pytest.importorskip("pylatexenc.latexwalker")
    nodes, *_ = walker.LatexWalker(to_latex(results), tolerant_parsing=False).get_latex_nodes()
    (table,) = [node for node in nodes if node.isNodeType(walker.LatexEnvironmentNode)]
    assert table.environmentname == "table"
    (tabular,) = [node for node in table.nodelist if node.isNodeType(walker.LatexEnvironmentNode)]
    assert tabular.environmentname == "tabular"
    cells = [node.specials_chars for node in tabular.nodelist if node.isNodeType(walker.LatexSpecialsNode)]
    assert cells == ["&"] * 9  # a head and two rows of four cells
    macros = {node.macroname for node in tabular.nodelist if node.isNodeType(walker.LatexMacroNode)}
    assert macros == {"toprule", "midrule", "bottomrule", "textbf", "%", "\\"}
    with pytest.raises(walker.LatexWalkerParseError):
        walker.LatexWalker(
            to_latex(results).replace("\\end{tabular}", ""), tolerant_parsing=False
        ).get_latex_nodes()


def test_rows_say_where_public_lists_have_their_family(results):
    frame = numbers(results)
    assert set(frame[frame["family"] == "evasion"]["atlas"]) == {"AML.T0043 AML.T0015"}
    assert set(frame[frame["family"] == "backdoor"]["owasp"]) == {"ML10:2023"}
    assert set(frame[frame["family"] == "training"]["owasp"]) == {""}
