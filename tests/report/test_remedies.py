"""What the report says of remedies: every word against the judgement behind it, with anything absent."""

import itertools
import random
import re
from pathlib import Path

import pytest
from tests.report.hardened import beside, effect, full_study, hardening, remedied, with_remedies

from nasaudit.report import write_figures, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.format import NBSP
from nasaudit.report.parts import Section
from nasaudit.report.remedy_names import hardened_title
from nasaudit.report.sections.remedies import method as remedy_method
from nasaudit.report.sections.remedies import words as remedy_words
from nasaudit.report.sections.remedies.section import section
from nasaudit.results.schema import StudyResults
from nasaudit.results.verdict_models import Remedied
from nasaudit.terminal.verdicts import remedied as listed
from nasaudit.verdicts.advice import advise, unbeaten

STOLEN = effect("extraction", 0.912, -0.051, 0.012)
FOUR = ("darts", "darts-i", "darts-ii", "darts-iii")


def line(one: Remedied, *others: Remedied, seeds: int = 3) -> str:
    return remedy_words.sentence(hardening(one, *others, seeds=seeds), one).replace(NBSP, " ")


def against(*remedies: Remedied) -> str:
    tried = hardening(*remedies)
    (family,) = tried.families
    return remedy_words.threat(tried, family).replace(NBSP, " ")


def shown(results: StudyResults, tmp_path: Path) -> Section:
    found = section(Evidence(results, tmp_path))
    assert found is not None
    return found


@pytest.fixture
def study(make_study) -> StudyResults:
    return full_study(make_study(architectures=FOUR, seeds=(0, 1), attacks=False, histories=False))


# One remedy ------------------------------------------------------------------------------------------------------


def test_a_recommended_remedy_says_its_price_its_gain_and_for_whom() -> None:
    one = remedied(effects=[STOLEN, beside(0.5, 0.1)], recommended=["extraction"])
    assert line(one) == (
        "Deepen (DARTS-i): accuracy -0.3 points [-0.8, +0.2]; harder to steal: agreement of the stolen model "
        "-5.1 points [-6.3, -3.9] (cross entropy of the stolen model +0.5 [+0.4, +0.6]); recommended if extraction "
        "is your threat."
    )


def test_a_recommendation_does_not_hide_what_becomes_worse() -> None:
    harm = effect("evasion", 0.5, 0.03, 0.01)
    said = line(remedied(effects=[STOLEN, harm], recommended=["extraction"]))
    assert "easier to evade: area under the security curve +0.030 [+0.020, +0.040]" in said
    assert said.endswith("recommended if extraction is your threat, but not if evasion is.")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"effects": [STOLEN.model_copy(update={"p_holm": 0.2, "certain": False})], "promising": ["extraction"]},
            "promising against extraction, not certain after correction.",
        ),
        (
            {"effects": [STOLEN.model_copy(update={"p_holm": None, "certain": False})], "promising": ["extraction"]},
            "promising against extraction, not certain after correction.",
        ),
        (
            {"effects": [STOLEN], "promising": ["extraction"], "drop": "unclear"},
            "promising against extraction, not shown to cost at most 1 point of accuracy: more seeds would tell.",
        ),
        (
            {"effects": [STOLEN], "drop": "exceeds", "accuracy": effect("training", 0.976, -0.023, 0.004)},
            "not recommended: the accuracy falls by 2.3 points, more than 1 point.",
        ),
        (
            {
                "effects": [STOLEN],
                "drop": "exceeds",
                "accuracy": effect("training", 0.9, -0.05, 0.01),
                "max_drop": 0.005,
            },
            "not recommended: the accuracy falls by 5.0 points, more than 0.5 points.",
        ),
        (
            {"effects": [STOLEN], "drop": "not measured", "accuracy": None},
            "not recommended: what it costs in accuracy was not measured.",
        ),
        (
            {"effects": [effect("extraction", 0.9, 0.01, 0.02)]},
            "changes nothing that could be seen.",
        ),
        (
            {"effects": [effect("extraction", 0.9, 0.0, 0.0)]},
            "changes none of the figures.",
        ),
        (
            {"effects": [effect("extraction", 0.9, 0.01, 0.02)], "accuracy": effect("training", 0.9, -0.005, 0.002)},
            "helps against nothing that was measured.",
        ),
        (
            {"effects": [effect("extraction", 0.9, 0.04, 0.02)]},
            "not recommended: it helps against nothing that was measured, and makes the model easier to steal.",
        ),
        (
            {"effects": [effect("extraction", 0.9, 0.04, 0.02, p_holm=0.2)]},
            "it helps against nothing that was measured, and seems to make the model easier to steal.",
        ),
        ({"effects": []}, "no attack was measured before and after."),
        ({"effects": [beside(0.5, 0.1)]}, "no attack was measured before and after."),
    ],
    ids=[
        "p", "no-p", "unclear", "exceeds", "half-a-point", "unmeasured", "undecided", "same", "costs", "worse",
        "worse-unsure", "none", "beside",
    ],
)  # fmt: skip
def test_each_verdict_has_its_words(changes: dict[str, object], expected: str) -> None:
    said = line(remedied(**changes))
    assert said.endswith(expected)
    if not changes.get("recommended"):
        assert not re.search(r"(?<!not )recommended", said)
    if not changes.get("promising"):
        assert "promising" not in said


def test_both_doubts_are_said_with_the_number_of_comparisons() -> None:
    one = remedied(
        effects=[STOLEN, effect("evasion", 0.5, -0.02, 0.015, p_holm=0.3)],
        promising=["extraction", "evasion"],
        drop="unclear",
    )
    said = line(one, remedied("both", "darts-iii", effects=[effect("evasion", 0.5, 0.01, 0.02)]))
    assert (
        "promising against extraction and evasion, not certain of evasion after correction for 3 comparisons, and "
        "not shown to cost at most 1 point of accuracy: more seeds would tell" in said
    )


def test_a_figure_beside_the_headline_decides_nothing() -> None:
    said = line(remedied(effects=[effect("extraction", 0.9, 0.01, 0.02), beside(0.5, 0.1)]))
    assert "cross entropy of the stolen model +0.5 [+0.4, +0.6], by which nothing is decided" in said
    assert said.endswith("changes nothing that could be seen.")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "deepen (DARTS-i)"),
        ({"dose": 2, "variant": "darts+deepen-2"}, "deepen 2 of 3 nodes"),
        ({"remedy": "drop_skips", "dose": 1, "most": 2, "variant": "darts+drop_skips-1"}, "drop 1 of 2 skips"),
        ({"remedy": "both", "scope": "all", "variant": "darts+both@all"}, "both rewirings in all cells"),
        ({"remedy": "both", "dose": 1, "variant": "darts+both-1"}, "both rewirings, dose 1 of 3"),
        ({"remedy": "trades", "dose": None, "most": None, "scope": "", "variant": "darts+trades"}, "TRADES"),
        ({"remedy": "dp_sgd", "dose": None, "most": None, "scope": "", "variant": "darts+dp_sgd"},
         "DP-SGD-like training"),
        ({"remedy": "my_trick", "dose": None, "most": None, "scope": "", "variant": "darts+my_trick"}, "my_trick"),
        ({"remedy": "mine", "dose": None, "most": None, "scope": "", "variant": "mine"}, "mine"),
    ],
)  # fmt: skip
def test_remedies_have_plain_names(changes: dict[str, object], name: str) -> None:
    one = remedied(**changes)
    assert hardening(one).names.full(one) == name


def test_a_users_own_remedy_keeps_its_name_even_if_a_known_one_has_it() -> None:
    one = remedied("trades", "darts+trades", kind="training", scope="", dose=None, most=None)
    assert hardening(one, own=("trades",)).names.remedy(one) == "trades"


def test_hardened_architectures_have_readable_titles(make_study, tmp_path: Path) -> None:
    results = make_study(attacks=False)
    made = results.architectures[0].model_copy(update={"name": "darts+deepen", "group": "hardened"})
    own = results.architectures[0].model_copy(update={"name": "a+b", "group": "custom"})
    results = results.model_copy(update={"architectures": [*results.architectures, made, own]})
    titles = Evidence(results, tmp_path).titles
    assert (titles["darts+deepen"], titles["a+b"]) == ("DARTS + deepen", "a+b")
    assert hardened_title("pdarts+label_smoothing") == "P-DARTS + label smoothing"
    assert (
        hardened_title("pdarts+both@reduction-2") == "P-DARTS + both rewirings in the reduction cells, dose 2"
    )


# One threat ------------------------------------------------------------------------------------------------------


def test_no_remedy_helps_is_said_with_what_the_intervals_leave_open() -> None:
    silent = [
        remedied(name, f"darts+{name}", effects=[effect("membership", 0.55, change, 0.012)])
        for name, change in (("deepen", -0.004), ("drop_skips", 0.004), ("both", 0.0))
    ]
    assert against(*silent) == (
        "Against membership inference no remedy helps here: none of the 3 intervals of the difference excludes 0; "
        "together they reach from -0.016 to +0.016."
    )
    assert against(silent[0]) == (
        "Against membership inference no remedy helps here: its interval holds 0 (the AUC of finding members changes "
        "by -0.004 [-0.016, +0.008])."
    )


def test_what_makes_it_worse_is_said() -> None:
    worse = remedied(effects=[effect("evasion", 0.5, 0.03, 0.01)])
    silent = remedied("both", "darts-iii", effects=[effect("evasion", 0.5, 0.0, 0.01)])
    assert against(worse, silent) == (
        "Against evasion no remedy helps here: of the 2 intervals of the difference, 1 is on the wrong side of 0 and "
        "the others hold it. Worse: deepen (DARTS-i) +0.030 [+0.020, +0.040]."
    )


def test_the_recommended_come_first_by_what_they_gain() -> None:
    small = remedied(effects=[effect("extraction", 0.9, -0.02, 0.01)], recommended=["extraction"])
    large = remedied("both", "darts-iii", effects=[STOLEN], recommended=["extraction"])
    seems = remedied("drop_skips", "darts-ii", effects=[STOLEN], promising=["extraction"], drop="unclear")
    costly = remedied(
        "trades", "darts+trades", kind="training", effects=[STOLEN], drop="exceeds", dose=None, most=None,
        scope="", accuracy=effect("training", 0.976, -0.04, 0.01),
    )  # fmt: skip
    said = against(small, large, seems, costly)
    assert said.startswith(
        "Against extraction 2 remedies are recommended, by the agreement of the stolen model: both rewirings "
        "(DARTS-iii) -5.1 points [-6.3, -3.9]; deepen (DARTS-i) -2.0 points [-3.0, -1.0]. Promising: drop skips"
    )
    assert (
        "Not recommended: TRADES helps, -5.1 points [-6.3, -3.9], but the accuracy falls by 4.0 points"
        in said
    )
    assert "Against extraction deepen (DARTS-i) is recommended: agreement" in against(small)


def test_a_remedy_that_helps_and_costs_too_much_is_no_recommendation() -> None:
    costly = remedied(effects=[STOLEN], drop="exceeds", accuracy=effect("training", 0.976, -0.04, 0.01))
    said = against(costly)
    assert said.startswith("Against extraction no remedy can be recommended: deepen (DARTS-i) helps")
    assert "no remedy helps" not in said


# The talk, the method, the summary -------------------------------------------------------------------------------


def talk(*remedies: Remedied) -> str:
    return " ".join(remedy_method.talk(hardening(*remedies)))


def test_the_talk_is_contradicted_in_plain_words() -> None:
    said = talk(remedied(effects=[effect("evasion", 0.5, 0.03, 0.01), STOLEN]))
    assert "As it expects: DARTS-i is harder to steal." in said
    assert "This contradicts it: DARTS-i is easier to evade." in said
    unsure = talk(remedied(effects=[effect("evasion", 0.5, 0.03, 0.01, p_holm=0.4)]))
    assert "Points the other way, not certain after correction: DARTS-i is easier to evade." in unsure
    assert "contradicts it:" not in unsure


def test_more_accuracy_lost_to_poison_is_what_was_published() -> None:
    said = talk(remedied(effects=[effect("poisoning", 0.2, 0.05, 0.02)]))
    assert "expects rewired cells to lose more accuracy to poison" in said
    assert "As it expects: DARTS-i is easier to poison." in said


def test_the_talk_says_nothing_of_other_remedies_or_of_parts_of_one() -> None:
    trained = remedied("trades", "darts+trades", kind="training", dose=None, most=None, effects=[STOLEN])
    own = remedied("mine", "mine", dose=None, most=None, effects=[STOLEN])
    assert talk(trained, own, remedied(dose=1, effects=[STOLEN])) == ""
    assert "its only comparison is undecided" in talk(remedied(effects=[effect("evasion", 0.5, 0.0, 0.01)]))


def method(*remedies: Remedied, seeds: int) -> str:
    return " ".join(remedy_method.method(hardening(*remedies, seeds=seeds))).replace(NBSP, " ")


def test_the_method_says_how_it_was_paired_and_corrected() -> None:
    accuracy = effect("training", 0.97, 0.0, 0.01, how="images and seeds", n=3000)
    other = effect("backdoor", 0.97, 0.0, 0.01, how="independent", n=600)
    said = method(remedied(accuracy=accuracy, effects=[STOLEN, other]), seeds=3)
    assert (
        "accuracy by image and training seed, for other images and other trainings (n = 3,000 pairs)" in said
    )
    assert "extraction by training seed, for other trainings (n = 3 pairs)" in said
    assert "backdoors not at all, as if the two were independent, which is wider (n = 600)" in said
    assert "2 comparisons were made on DARTS" in said
    assert "these trainings alone; others" not in said


def test_one_seed_tells_of_these_trainings_alone() -> None:
    one = remedied(effects=[STOLEN], recommended=["extraction"])
    assert "With one training of each, all of this is about these trainings alone" in method(one, seeds=1)
    assert "about one training of each alone" in remedy_words.summary([hardening(one, seeds=1)])


def test_the_summary_is_one_of_three() -> None:
    recommended = hardening(remedied(effects=[STOLEN], recommended=["extraction"]))
    promising = hardening(remedied(effects=[STOLEN], promising=["extraction"], drop="unclear"))
    silent = hardening(remedied(original="enas", effects=[effect("evasion", 0.5, 0.0, 0.01)]))
    assert (
        remedy_words.summary([recommended, silent])
        == "Remedies recommended for DARTS: deepen against extraction; for enas: none."
    )
    assert remedy_words.summary([promising, silent]) == (
        "No remedy that was tried is recommended. Promising, and not certain: deepen against extraction (DARTS)."
    )
    assert remedy_words.summary([silent]) == "No remedy that was tried is recommended."
    assert remedy_words.summary([]) == ""
    assert "no attack was measured" in remedy_words.summary([hardening(remedied())])
    many = [
        hardening(remedied(original=f"cell-{k}", effects=[STOLEN], recommended=["extraction"]))
        for k in range(5)
    ]
    assert "for 5 of 6 architectures" in remedy_words.summary([*many, silent])


def test_no_verdict_word_goes_further_than_the_results() -> None:
    """Whatever is measured: recommended and promising are said of what the results name, and of nothing else."""
    dice = random.Random(5)
    for _ in range(200):
        remedies = advise(
            [
                remedied(
                    remedy, f"darts+{remedy}", drop=drop,
                    accuracy=effect("training", 0.97, -0.03 if drop == "exceeds" else -0.004, 0.005),
                    effects=[effect(family, 0.5, dice.uniform(-0.03, 0.03), dice.uniform(0.001, 0.03))
                             for family in ("evasion", "extraction")],
                )
                for remedy in ("deepen", "drop_skips", "both")
                for drop in [dice.choice(("within", "unclear", "exceeds"))]
            ]
        )  # fmt: skip
        of_one = hardening(*remedies)
        for one in remedies:
            said = remedy_words.sentence(of_one, one)
            assert ("; recommended if" in said) == bool(one.recommended)
            assert ("promising against" in said) == bool(one.promising)
        for family in of_one.families:
            said = remedy_words.threat(of_one, family)
            any_sure = any(family in one.recommended for one in remedies)
            assert (
                bool(re.search(r"(is|are) recommended[:,]", said.replace("no remedy is recommended", "")))
                == any_sure
            )
            helped = any(figure.finding == "better" for _, figure in of_one.headlines(family))
            assert ("no remedy helps here" in said) == (not helped)


# The section -----------------------------------------------------------------------------------------------------


def test_the_front_is_what_brute_force_finds() -> None:
    dice = random.Random(1)
    for _ in range(300):
        points = [(dice.randint(0, 6) / 6, dice.randint(0, 6) / 6) for _ in range(dice.randint(1, 9))]
        expected = [True] * len(points)
        for (i, mine), (j, other) in itertools.product(enumerate(points), repeat=2):
            as_good = other[0] >= mine[0] and other[1] <= mine[1]
            better = other[0] > mine[0] or other[1] < mine[1]
            if i != j and as_good and better:
                expected[i] = False
        assert list(unbeaten(points)) == expected
        assert any(expected)


def test_the_table_shows_before_and_after_with_a_word_for_each(study: StudyResults, tmp_path: Path) -> None:
    (block,) = shown(study, tmp_path).content["blocks"]
    first = block.lines[0]
    assert [family for family, _ in block.columns] == [
        "evasion", "poisoning", "backdoors", "extraction", "extraction", "membership inference",
    ]  # fmt: skip
    assert (first.name, first.note, first.advice) == ("deepen", "DARTS-i", "recommended")
    assert first.reason == "if extraction is your threat, but not if evasion or poisoning is"
    stolen = first.changes[4]
    assert (stolen.text.replace(NBSP, " "), stolen.finding) == ("91.2 → 86.1 %", "better")
    assert stolen.notes[0].replace(NBSP, " ") == "-5.1 points [-6.3, -3.9]"
    assert [change.text for change in block.lines[1].changes[2:4]] == ["–", "–"]
    answers = block.lines[-1]
    assert (answers.name, answers.changes[0].text) == ("rounded answers", "as it was")


def test_costs_are_sizes_and_wall_time(study: StudyResults, tmp_path: Path) -> None:
    (block,) = shown(study, tmp_path).content["blocks"]
    rows = {row[0].text: [cell.text.replace(NBSP, " ") for cell in row[1:]] for row in block.costs.rows}
    assert rows["deepen"] == ["169,402 → 182,930", "14.1 M → 15.0 M", "1 min 23 s → 1 min 32 s"]
    assert rows["both rewirings"][:2] == ["–", "–"]
    assert "rounded answers" not in rows
    assert block.costs.rows[0][3].note.replace(NBSP, " ") == "+11 % · mean of 2 trainings"


def test_a_cost_that_rounds_to_nothing_has_no_sign(study: StudyResults, tmp_path: Path) -> None:
    slightly = study.seconds["train darts (seed 0)"] - 0.1
    seconds = {**study.seconds, "train darts-ii (seed 0)": slightly, "train darts-ii (seed 1)": slightly}
    (block,) = shown(study.model_copy(update={"seconds": seconds}), tmp_path).content["blocks"]
    notes = {row[0].text: row[3].note.replace(NBSP, " ") for row in block.costs.rows}
    assert notes["drop skips"] == "0 % · mean of 2 trainings"


def test_a_trade_off_is_drawn_for_each_threat(study: StudyResults, tmp_path: Path) -> None:
    found = shown(study, tmp_path)
    (block,) = found.content["blocks"]
    assert [figure.name for figure in block.trade_offs] == [
        f"remedies-0-trade-off-{family}"
        for family in ("evasion", "poisoning", "backdoor", "extraction", "membership")
    ]
    stolen = {record["remedy"]: record for record in block.trade_offs[3].records}
    assert stolen["none: the original"]["accuracy"] == stolen["rounded answers"]["accuracy"] == 0.976
    assert stolen["none: the original"]["value"] == 0.912
    assert stolen["deepen"]["value"] == pytest.approx(0.861)
    assert {name for name, record in stolen.items() if record["front"]} == {
        "deepen", "drop skips", "both rewirings", "rounded answers",
    }  # fmt: skip
    assert stolen["deepen"]["accuracy_low"] < stolen["deepen"]["accuracy"] < stolen["deepen"]["accuracy_high"]


def test_doses_are_drawn_from_none_to_all(study: StudyResults, tmp_path: Path) -> None:
    (block,) = shown(study, tmp_path).content["blocks"]
    assert [figure.name.rpartition("-")[2] for figure in block.doses] == ["accuracy", "evasion", "extraction"]
    drawn = [(record["line"], record["dose"], round(record["value"], 3)) for record in block.doses[2].records]
    assert drawn == [("deepen", 0, 0.912), ("deepen", 1, 0.891), ("deepen", 2, 0.873), ("deepen", 3, 0.861)]
    one = [remedy for remedy in study.remedies if remedy.full]
    (block,) = shown(with_remedies(study, *one), tmp_path).content["blocks"]
    assert block.doses == ()


ABSENT = {
    "accuracy": remedied(accuracy=None, drop="not measured", effects=[STOLEN]),
    "effects": remedied(),
    "everything": remedied(accuracy=None, drop="not measured"),
    "p": remedied(effects=[STOLEN.model_copy(update={"p_holm": None, "certain": False})], promising=["extraction"]),
    "architecture": remedied("mine", "gone", original="nowhere", effects=[STOLEN], recommended=["extraction"]),
    "answers": remedied(
        "top_answers", "darts", kind="answers", scope="", dose=None, most=None, accuracy=None, effects=[STOLEN],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ABSENT)
def test_whatever_is_missing_the_page_and_the_terminal_say_the_rest(
    make_study, tmp_path: Path, what: str
) -> None:
    results = make_study(architectures=FOUR, seeds=(0,), attacks=False, histories=False)
    results = with_remedies(results.model_copy(update={"rows": [], "seconds": {}}), ABSENT[what])
    page = write_report(results, tmp_path).read_text()
    found = shown(results, tmp_path)
    (block,) = found.content["blocks"]
    assert block.remedies[0][:-1] in page.replace("&#39;", "'")
    assert block.costs is None
    assert bool(block.trade_offs) == (what in ("p", "architecture"))
    assert listed(results).count("\n") > 3


def test_a_remedy_without_accuracy_is_named_where_it_cannot_be_drawn(make_study, tmp_path: Path) -> None:
    results = make_study(architectures=FOUR, attacks=False, histories=False)
    both = remedied("both", "darts-iii", effects=[STOLEN], accuracy=None, drop="not measured")
    (block,) = shown(with_remedies(results, remedied(effects=[STOLEN]), both), tmp_path).content["blocks"]
    assert block.left_out == ("both rewirings (DARTS-iii)",)
    assert [record["label"] for record in block.trade_offs[0].records] == ["DARTS", "DARTS-i"]


def test_answers_alone_are_told_apart_and_stand_above_the_originals_accuracy(
    make_study, tmp_path: Path
) -> None:
    fields = {"kind": "answers", "scope": "", "dose": None, "most": None, "accuracy": None}
    told = [
        ({"answers": "1 decimal"}, "rounded answers (1 decimal)"),
        ({"answers": "top 3, 2 decimals"}, "top answers (top 3, 2 decimals)"),
    ]
    some = [
        remedied(name.partition(" (")[0].replace(" ", "_"), "darts", **fields,
                 effects=[STOLEN.model_copy(update={"setting": setting})])
        for setting, name in told
    ]  # fmt: skip
    results = with_remedies(make_study(attacks=False, histories=False), *some)
    (block,) = shown(results, tmp_path).content["blocks"]
    assert [line.name for line in block.lines] == [name for _, name in told]
    accuracy = next(row for row in results.select(architecture="darts", metric="clean_accuracy", seed="all"))
    drawn = block.trade_offs[0].records
    assert [record["remedy"] for record in drawn] == ["none: the original", *(name for _, name in told)]
    assert {record["accuracy"] for record in drawn} == {accuracy.value}
    assert block.costs is None


def test_a_study_without_remedies_has_no_such_section(make_study, tmp_path: Path) -> None:
    results = make_study(attacks=False, histories=False)
    assert section(Evidence(results, tmp_path)) is None
    assert "remedies" not in re.findall(r'<section id="(\w+)"', write_report(results, tmp_path).read_text())
    assert listed(results) == "no remedies in this study"


def test_the_page_has_it_at_the_top_and_in_its_place(study: StudyResults, tmp_path: Path) -> None:
    page = write_report(study, tmp_path).read_text()
    assert re.findall(r'<section id="(\w+)"', page)[:3] == ["verdict", "remedies", "accuracy"]
    verdict = page.split('<section id="remedies"')[0]
    assert "Remedies recommended for DARTS: deepen, deepen 2 of 3 nodes" in verdict
    names = {path.stem for path in write_figures(study, tmp_path, tmp_path / "png")}
    assert {"remedies-0-trade-off-evasion", "remedies-0-dose-extraction"} <= names


def test_a_block_for_each_original_and_no_pictures_in_a_crowd(study: StudyResults, tmp_path: Path) -> None:
    more = [*study.remedies, remedied(original="darts-ii", variant="darts-iii", effects=[STOLEN])]
    two = with_remedies(study, *more)
    found = shown(two, tmp_path)
    assert [block.anchor for block in found.content["blocks"]] == ["remedies-0", "remedies-1"]
    assert len({figure.name for figure in found.figures}) == len(found.figures)
    copies = [two.architectures[0].model_copy(update={"name": f"copy-{k}"}) for k in range(30)]
    crowd = two.model_copy(update={"architectures": [*two.architectures, *copies]})
    found = shown(crowd, tmp_path)
    assert found.figures == ()
    assert found.content["folded"]


# The terminal ----------------------------------------------------------------------------------------------------


def test_the_terminal_says_the_same_in_100_columns(study: StudyResults) -> None:
    said = listed(study)
    assert max(len(one) for one in said.splitlines()) <= 100
    assert NBSP not in said
    flat = " ".join(said.split())
    assert "Deepen (DARTS-i): accuracy -0.3 points [-0.8, +0.2]; harder to steal" in flat
    assert "Against backdoors no remedy helps here" in flat
    row = next(one for one in said.splitlines() if re.search(r"extraction \(%\) +91.2 → 86.1", one))
    assert row.split() == [
        "extraction",
        "(%)",
        "91.2",
        "→",
        "86.1",
        "-5.1",
        "[-6.3,",
        "-3.9]",
        "<0.001",
        "better",
    ]
    assert "22 comparisons were made on DARTS" in flat
