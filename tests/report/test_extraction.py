"""The report's section on extraction, and the flags, from rows that are made up."""

from types import SimpleNamespace

import pytest
from tests.report.parts import blocks, tables

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.measure.estimate import Estimate, exact
from nasaudit.measure.proportion import proportion
from nasaudit.report.evidence import Evidence
from nasaudit.report.page import render
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families import extraction
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.results.flags.extraction import CHECKS
from nasaudit.spec.attacks import KnockoffSpec
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide

ATTACKS = (
    ("knockoff", {"surrogate": "same", "labels": "soft", "pool": "pool"}, ("94", "375", "750")),
    ("knockoff", {"surrogate": "resnet", "labels": "soft", "pool": "pool"}, ("94", "375", "750")),
    ("knockoff", {"surrogate": "resnet", "labels": "hard", "pool": "pool"}, ("750",)),
    ("knockoff_adaptive", {"surrogate": "resnet", "labels": "soft", "pool": "pool"}, ("375",)),
)


def row(architecture, metric, estimate, attack="knockoff", seed="all", family="extraction", **setting):
    return make_row(architecture, metric, estimate, seed=seed, family=family, attack=attack, **setting)


def rows_of(architecture, level, attacks=ATTACKS):
    found = []
    for attack, identity, budgets in attacks:
        where = {"epsilon": "8/255", "images": "correct"}
        found.append(row(architecture, "floor", proportion(2, 190), attack, **identity, **where))
        for budget in budgets:
            share = level * int(budget) / 750
            at = {"budget": budget, **identity}
            found += [
                row(architecture, "queries", exact(int(budget), "images"), attack, **at),
                row(architecture, "agreement", proportion(round(1000 * share), 1000), attack, **at),
                row(architecture, "kl", Estimate(0.11, 0.09, 0.13, 1000, "nats"), attack, **at),
                row(architecture, "cross_entropy", Estimate(0.2, 0.18, 0.22, 1000, "nats"), attack, **at),
                row(architecture, "transfer_asr", proportion(19, 190), attack, **at, **where),
            ]
    return found


@pytest.fixture
def evidence(make_study, tmp_path):
    def make(levels=(("darts", 0.95), ("resnet", 0.85)), attacks=ATTACKS, architectures=None):
        study = make_study(architectures=architectures or [name for name, _ in levels])
        rows = [*study.rows, *(one for name, level in levels for one in rows_of(name, level, attacks))]
        return Evidence(decide(study.model_copy(update={"rows": rows})), tmp_path)

    return make


def test_the_verdict_says_what_a_thief_gets_for_how_many_queries(evidence):
    found = evidence()
    said = extraction.EXTRACTION.quote(found, found.subjects[0]).replace("\N{NO-BREAK SPACE}", " ")
    assert "on 750 images gets a copy (a resnet) that agrees with it on 95.0 % of the test images" in said
    assert "fool it on 10.0 % of the images that it gets right" in said
    assert "random noise of that size fools it on 1.1 %" in said


def test_the_headline_is_the_surrogate_that_is_the_same_for_all(evidence):
    headline = evidence().results.headline("extraction")
    assert headline.rows["darts"].setting["surrogate"] == "resnet"
    assert headline.rows["darts"].setting["budget"] == "750"
    assert headline.rows["darts"].value > headline.rows["resnet"].value
    (finding,) = findings(evidence(), extraction.EXTRACTION)
    assert "DARTS" in finding.title
    assert "easier to steal" in finding.title


def test_without_a_common_surrogate_the_victims_own_architecture_serves(evidence):
    headline = evidence(attacks=ATTACKS[:1]).results.headline("extraction")
    assert headline.rows["darts"].setting["surrogate"] == "same"


ROUNDED = (
    ("knockoff", {**ATTACKS[1][1], "answers": "1 decimal"}, ("94", "375", "750")),
    ("knockoff", {**ATTACKS[1][1], "answers": "top 3, 2 decimals"}, ("750",)),
    ("knockoff", {**ATTACKS[1][1], "answers": "top 1"}, ("750",)),
)


def test_what_a_victim_leaves_out_of_its_answers_is_said_in_words(evidence):
    titles = [theft.title for theft in extraction.Theft.measured(evidence(attacks=ROUNDED))]
    rest = "on images it was not trained on; surrogate: resnet for every victim"
    assert titles == [
        f"knockoff, probabilities (1 decimal) {rest}",
        f"knockoff, probabilities (top 3, 2 decimals) {rest}",
        f"knockoff, probabilities (top 1) {rest}",
    ]
    page = render(evidence(attacks=(*ROUNDED, *ATTACKS))).replace("\N{NO-BREAK SPACE}", " ")
    assert "robabilities (1 decimal)" in page


def test_verdicts_quote_the_theft_from_a_victim_that_tells_all_where_there_is_one(evidence):
    found = evidence(attacks=(*ROUNDED, ATTACKS[0]))
    assert "answers" not in extraction.Theft.judged(found.results.headline("extraction")).setting
    assert "asks for its probabilities on 750" in _verdict(found)
    assert "asks for its probabilities (1 decimal) on 750" in _verdict(evidence(attacks=ROUNDED))


def _verdict(found):
    return extraction.EXTRACTION.quote(found, found.subjects[0]).replace("\N{NO-BREAK SPACE}", " ")


def test_the_section_has_a_curve_for_each_sweep_and_tables_for_the_others(evidence):
    section = extraction.section(evidence())
    assert [len(figure.records) for figure in section.figures] == [6, 6]
    assert {record["x"] for record in section.figures[0].records} == {94, 375, 750}
    others = blocks(section)[-1]
    assert others.anchor == "extraction-variants"
    (_, adaptive) = tables(others)
    assert adaptive.caption.startswith("Knockoff adaptive")
    assert adaptive.caption.endswith("375 queries")


def test_the_page_shows_every_number_of_the_rows(evidence):
    page = render(evidence()).replace("\N{NO-BREAK SPACE}", " ")
    for shown in ("95.0 %", "85.0 %", "47.5 %", "KL divergence", "Other ways to ask", "fooled by noise"):
        assert shown in page


def test_a_study_without_extraction_has_no_such_section(evidence):
    found = evidence(levels=(), architectures=["darts", "resnet"])
    assert extraction.section(found) is None
    assert extraction.EXTRACTION.quote(found, found.subjects[0]) == ""
    assert found.results.headline("extraction") is None


def test_a_victim_whose_task_failed_leaves_a_gap_and_nothing_else(evidence):
    found = evidence(levels=(("darts", 0.9),), architectures=["darts", "resnet"])
    assert extraction.EXTRACTION.quote(found, found.subjects[1]) == ""
    assert render(found)


def test_a_budget_of_nothing_is_in_the_table_and_not_on_the_logarithmic_axis(evidence):
    attacks = (("knockoff", ATTACKS[0][1], ("0", "94", "750")),)
    section = extraction.section(evidence(attacks=attacks))
    assert {record["x"] for record in section.figures[0].records} == {94, 750}
    assert tables(blocks(section)[0])[-1].columns[1] == "0 queries"


def findings_of(rows, attacks=()):
    architectures = (resolve(choose("darts"), "mini", 10, (1, 28, 28)),)
    planned = SimpleNamespace(architectures=architectures, study=SimpleNamespace(attacks=attacks))
    return Facts(planned, {}, rows, [], 0)


def kinds(rows, attacks=()):
    return [flag.kind for flag in flags_of(findings_of(rows, attacks), CHECKS)]


def test_a_sound_theft_raises_no_flag():
    assert kinds(rows_of("darts", 0.95), [KnockoffSpec()]) == []


def test_an_agreement_near_chance_at_the_largest_budget_is_flagged_and_at_a_small_one_is_not():
    # 12 % at 94 queries is no reason; 15 % at 750 is one.
    assert kinds(rows_of("darts", 0.96, ATTACKS[:1])) == []
    assert kinds(rows_of("darts", 0.15, ATTACKS[:1])) == ["surrogate_near_chance"]


def test_a_victim_that_guesses_is_flagged():
    guess = row("darts", "clean_accuracy", proportion(110, 1000), "", family="training", split="test")
    assert kinds([*rows_of("darts", 0.95), guess]) == ["nothing_to_steal"]


def test_fewer_answers_than_the_budget_are_flagged():
    at = {"budget": "750", "surrogate": "same", "labels": "soft", "pool": "pool"}
    short = row("darts", "queries", exact(600, "images"), seed=0, **at)
    assert kinds([*rows_of("darts", 0.95), short]) == ["queries_not_the_budget"]


def test_questions_about_the_victims_own_training_images_are_flagged():
    assert kinds([], [KnockoffSpec(pool="train")]) == ["pool_overlaps_training"]
