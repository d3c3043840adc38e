"""What the report says of membership inference, from rows and curves that were made up."""

from pathlib import Path

import pytest
from tests.report.parts import blocks, tables

from nasaudit.measure.estimate import Estimate, exact
from nasaudit.report.evidence import Evidence
from nasaudit.report.format import NBSP
from nasaudit.report.page import render
from nasaudit.report.parts import ABSENT
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families.all import FAMILIES
from nasaudit.report.sections.families.membership import MEMBERSHIP, Inference
from nasaudit.results.schema import Curve, StudyResults
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide

FAMILY = "membership"
# AUC by attack and mode; loss_threshold is the highest on purpose.
AUCS = {
    ("loss_threshold", ""): 0.70,
    ("gap", ""): 0.51,
    ("rmia", "offline"): 0.60,
    ("lira", "offline"): 0.58,
    ("lira", "online"): 0.62,
}


def rows_of(name, aucs=AUCS, shift=0.0, half=0.02):
    made = []
    for (attack, mode), value in aucs.items():
        setting = {"mode": mode} if mode else {}
        figures = [
            ("auc", {}, Estimate(value + shift, value + shift - half, value + shift + half, 2000, "auc")),
            ("tpr_at_fpr", {"fpr": "0.001"}, Estimate(0.004, 0.0, 0.02, 1000, "fraction")),
            ("tpr_at_fpr", {"fpr": "0.01"}, Estimate(0.031, 0.012, 0.06, 1000, "fraction")),
            ("queries", {}, exact(1, "queries", 2000)),
        ]
        if mode:
            figures.append(("shadow_models", {}, exact(8, "models")))
        made += [
            make_row(name, metric, estimate, attack=attack, **extra, **setting)
            for metric, extra, estimate in figures
        ]
    return made


def curves_of(name, seeds=(0, 1)):
    return [
        Curve(
            architecture=name, seed=seed, family=FAMILY, attack="lira", setting={"mode": "online"},
            name="roc", x=[0.0, 0.001, 0.01, 0.1, 1.0], y=[0.0, 0.002, 0.03, 0.2, 1.0],
        )
        for seed in seeds
    ]  # fmt: skip


@pytest.fixture
def evidence(make_study, tmp_path: Path):
    def make(aucs=AUCS, shift=0.0, half=0.02, without=(), curves=True, **study) -> Evidence:
        made: StudyResults = make_study(**study)
        names = [spec.name for spec in made.architectures if spec.name not in without]
        rows = [
            row
            for position, name in enumerate(names)
            for row in rows_of(name, aucs, shift if position == 0 else 0.0, half)
        ]
        drawn = [curve for name in names for curve in curves_of(name)] if curves else []
        return Evidence(decide(made.model_copy(update={"rows": made.rows + rows, "curves": drawn})), tmp_path)

    return make


def said(text: str) -> str:
    return text.replace(NBSP, " ")


def test_a_study_without_the_family_says_nothing(make_study, tmp_path):
    plain = Evidence(make_study(), tmp_path)
    assert MEMBERSHIP.section(plain) is None
    assert plain.results.headline("membership") is None
    assert MEMBERSHIP.quote(plain, plain.subjects[0]) == ""
    assert MEMBERSHIP in FAMILIES


def test_the_verdict_names_what_is_learned_and_what_it_costs(evidence):
    found = evidence()
    text = said(MEMBERSHIP.quote(found, found.subjects[0]))
    assert text == (
        "An attacker who sees the model's scores, asks one query an image and trains 8 models of its own tells its "
        "training images from others with an AUC of 0.620 [0.600, 0.640; n = 2,000] (LiRA, online; 0.5 is guessing), "
        "and finds 3.1 % of the members [1.2, 6.0; n = 1,000] at 1 % false alarms. It is 0.0 points more accurate on "
        "its training images than on others."
    )


@pytest.mark.parametrize(
    ("shift", "words"), [(-0.12, "not told apart from guessing"), (-0.2, "worse than guessing")]
)
def test_an_auc_that_is_no_better_than_guessing_is_called_so(evidence, shift, words):
    found = evidence(shift=shift)
    assert words in MEMBERSHIP.quote(found, found.subjects[0])


def test_the_headline_is_chosen_by_a_fixed_order_and_not_by_the_result(evidence):
    expected = ["LiRA, online", "LiRA, offline", "RMIA, offline", "loss threshold"]
    aucs = dict(AUCS)
    for title in expected:
        found = evidence(aucs=aucs)
        headline = found.results.headline("membership")
        wording = MEMBERSHIP.wording(found, headline)
        assert title in wording.measure
        assert set(headline.rows) == set(wording.illustration) == {"darts", "resnet"}
        attack, mode = {
            "LiRA, online": ("lira", "online"),
            "LiRA, offline": ("lira", "offline"),
            "RMIA, offline": ("rmia", "offline"),
            "loss threshold": ("loss_threshold", ""),
        }[title]
        del aucs[attack, mode]
    # Only the gap baseline is left.
    last = evidence(aucs=aucs)
    assert last.results.headline("membership").attack == "gap"
    assert "gap baseline" in MEMBERSHIP.quote(last, last.subjects[0])


def test_two_architectures_are_compared_by_it(evidence):
    (finding,) = findings(evidence(shift=0.1, seeds=(0, 1, 2)), MEMBERSHIP)
    text = said(" ".join(finding.sentences))
    assert finding.title == "DARTS is easier to infer members from than ResNet."
    assert "At 1 % false alarms, 3.1 % [1.2, 6.0; n = 1,000] of the members are found with DARTS" in text
    assert "this agrees with the published direction" in text


def test_each_attack_has_its_table_and_the_quoted_one_comes_first(evidence):
    section = MEMBERSHIP.section(evidence())
    attacks = blocks(section)
    assert [block.title for block in attacks] == [
        "LiRA, online", "Loss threshold", "Gap baseline", "RMIA, offline", "LiRA, offline",
    ]  # fmt: skip
    (first,), (second,) = tables(attacks[0]), tables(attacks[1])
    assert [said(column) for column in first.columns] == [
        "", "AUC", "found at 1 % false alarms", "found at 0.1 % false alarms", "queries an image", "own models",
    ]  # fmt: skip
    assert [said(cell.text) for cell in first.rows[0]] == ["DARTS", "0.620", "3.1 %", "0.4 %", "1", "8"]
    assert first.rows[0][-1].note == ""
    assert "own models" not in second.columns
    overview = tables(section)[0]
    assert [said(cell.text) for cell in overview.rows[0]][:3] == ["DARTS", "0.700", "0.510"]
    assert len({block.anchor for block in attacks}) == 5


def test_the_roc_is_drawn_from_the_lowest_rate_measured(evidence):
    section = MEMBERSHIP.section(evidence())
    (figure,) = section.figures  # only one attack left curves
    assert figure.name == "membership-lira-online"
    assert {(record["label"], record["seed"]) for record in figure.records} == {
        (title, seed) for title in ("DARTS", "ResNet") for seed in (0, 1)
    }
    # A logarithmic axis has no 0.
    assert min(record["fpr"] for record in figure.records) == 0.001
    assert min(record["tpr"] for record in figure.records) == 0.001
    assert figure.for_file()


def test_an_architecture_without_rows_gets_dashes(evidence):
    found = evidence(without=("resnet",))
    section = MEMBERSHIP.section(found)
    row = tables(section)[0].rows[1]
    assert [cell.text for cell in row][:3] == ["ResNet", ABSENT, ABSENT]
    assert MEMBERSHIP.quote(found, found.subjects[1]) == ""


def test_two_uses_of_one_attack_are_told_apart(make_study, tmp_path):
    study = make_study(architectures=("darts",))
    both = [
        row.model_copy(update={"setting": {**row.setting, "models": str(models)}})
        for models in (8, 64)
        for row in rows_of("darts", {("lira", "online"): 0.6})
    ]
    found = Evidence(decide(study.model_copy(update={"rows": study.rows + both})), tmp_path)
    assert [inference.title for inference in Inference.measured(found)] == [
        "LiRA, online, models 8",
        "LiRA, online, models 64",
    ]
    assert MEMBERSHIP.quote(found, found.subjects[0])


@pytest.mark.parametrize("architectures", [("darts",), ("darts", "enas", "vgg", "resnet", "random")])
def test_the_page_has_the_section(evidence, architectures):
    page = render(evidence(architectures=architectures, histories=False))
    assert "Membership inference" in page
    assert "AUC of telling members from others" in page
    assert 'id="membership-lira-online"' in page
