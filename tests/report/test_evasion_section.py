"""The section with many attacks: an overview first, then the main blocks open and all others folded."""

import pytest
from tests.report.parts import blocks, tables

from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.report import format, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.parts import figures
from nasaudit.report.sections.families import evasion
from nasaudit.results.schema import Row, StudyResults
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide


def rows(results: StudyResults, attack: str, share: float, **setting: str) -> list[Row]:
    """What one more attack adds, for every architecture."""
    found = []

    def add(architecture: str, metric: str, estimate: Estimate, **where: str) -> None:
        settings = {"norm": "linf", "goal": "untargeted", **setting, **where}
        found.append(make_row(architecture, metric, estimate, attack=attack, **settings))

    for spec in results.architectures:
        for epsilon, factor in (("4/255", 0.5), ("8/255", 1.0), ("16/255", 1.5)):
            estimate = proportion(round(100 * share * factor), 100)
            add(spec.name, "asr", estimate, epsilon=epsilon, images="correct")
        half = Estimate(0.035, 0.03, 0.04, 100, "pixel fraction")
        add(spec.name, "median_minimal_epsilon", half, images="correct")
        if attack == "square":
            for level in (10, 100, 500):
                where = {"epsilon": "8/255", "images": "correct", "within_queries": str(level)}
                add(spec.name, "asr_by_queries", proportion(round(share * level / 5), 100), **where)
            queries = Estimate(59.0, 40.0, 80.0, 45, "queries")
            add(spec.name, "median_queries", queries, epsilon="8/255", images="correct")
    return found


@pytest.fixture
def many(make_study, tmp_path):
    results = make_study()
    extra = [*rows(results, "square", 0.4), *rows(results, "fgsm", 0.2)]
    # In the order in which a user may have named them.
    return Evidence(decide(results.model_copy(update={"rows": [*extra, *results.rows]})), tmp_path)


def test_the_overview_has_a_line_for_every_attack_with_what_it_sees(many):
    overview = tables(evasion.section(many))[0]
    titles = [row[0].text.split(",")[0] for row in overview.rows]
    assert titles == ["PGD", "PGD", "square", "FGSM"]
    square = overview.rows[2]
    assert overview.columns[1:] == ("sees", "DARTS", "ResNet")
    assert square[1].text == "the scores"
    assert square[2].text.replace(format.NBSP, " ") == "40.0 %"
    note = square[2].note.replace(format.NBSP, " ")
    assert "half at 8.9/255" in note
    assert "59 queries" in note
    assert "n = 100" in square[0].note.replace(format.NBSP, " ")
    assert "queries" not in overview.rows[0][2].note


def test_pgd_stays_the_main_threat_whatever_is_named_first(many):
    assert evasion.Threat.judged(many.results.headline("evasion")).attack == "pgd"
    drawn = blocks(evasion.section(many))
    assert [(block.title.split(",")[0], block.folded) for block in drawn] == [
        ("PGD", False), ("PGD", False), ("square", True), ("FGSM", True)
    ]  # fmt: skip


def test_success_over_queries_is_drawn_where_it_was_measured(many):
    drawn = {block.anchor: list(figures(block.parts)) for block in blocks(evasion.section(many))}
    _, figure = drawn["evasion-square-linf-untargeted"]
    assert figure.title == "Success over queries"
    assert [record["x"] for record in figure.records] == [10, 100, 500] * 2
    assert len(drawn["evasion-fgsm-linf-untargeted"]) == 1
    names = [figure.name for figure in evasion.section(many).figures]
    assert len(set(names)) == len(names) == 5


def test_a_study_of_one_attack_has_no_overview(make_study, tmp_path):
    results = make_study()
    only = [row for row in results.rows if row.family != "evasion" or row.setting.get("goal") == "untargeted"]
    section = evasion.section(Evidence(decide(results.model_copy(update={"rows": only})), tmp_path))
    assert [part.kind for part in section.parts] == ["block"]  # what was published is said by the comparison


def test_the_page_folds_what_only_supports(many, tmp_path):
    text = write_report(many.results, tmp_path).read_text(encoding="utf-8")
    assert '<details id="evasion-square-linf-untargeted">' in text
    assert '<h3 id="evasion-pgd-linf-untargeted">' in text
    assert "All attacks at a glance" in text


def test_the_gain_of_favouring_skips_stands_beside_the_skip_share(make_study, tmp_path):
    results = make_study()
    extra = rows(results, "transfer", 0.4, surrogate="same", skip_gamma="0.5")
    for spec, gain in zip(results.architectures, (0.12, 0.03), strict=True):
        where = {"norm": "linf", "goal": "untargeted", "surrogate": "same", "skip_gamma": "0.5"}
        where |= {"epsilon": "8/255", "images": "correct"}
        for metric, estimate in (
            ("plain_asr", proportion(round(40 - 100 * gain), 100)),
            ("skip_gain", Estimate(gain, gain - 0.05, gain + 0.05, 100, "fraction")),
        ):
            extra.append(make_row(spec.name, metric, estimate, attack="transfer", **where))
    evidence = Evidence(decide(results.model_copy(update={"rows": [*extra, *results.rows]})), tmp_path)
    (found,) = [
        table
        for table in tables(evasion.section(evidence))
        if table.caption.startswith("What favouring skips")
    ]
    assert found.columns == (
        "", "skip share", "by plain gradients", "by gradients that favour skips", "gain"
    )  # fmt: skip
    darts, resnet = ([cell.text.replace(format.NBSP, " ") for cell in row] for row in found.rows)
    assert darts == ["DARTS", "31.2 %", "28.0 %", "40.0 %", "12.0 points"]
    assert resnet[1] == "–"
