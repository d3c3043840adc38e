"""Which rows a rule judges, by which end of the interval, and what is said when it judges nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nasaudit.errors import InputError
from nasaudit.gate.judge import FAILED_TASKS, Gate, Verdict, judge
from nasaudit.gate.policies import parse_policy
from nasaudit.gate.rule_rows import Step
from nasaudit.results.schema import Flag, Row, StudyResults
from nasaudit.results.selection import Key
from nasaudit.spec.attacks import NesSpec, PgdSpec

Make = Callable[..., StudyResults]
AT_2 = "attack: pgd, metric: asr, setting: {epsilon: 2/255, images: correct}"
AREA = "metric: curve_area, not_worse_than_baseline: true"
MEDIAN = "metric: median_minimal_epsilon, setting: {images: correct}"


def gate(rules: str, results: StudyResults, baseline: StudyResults | None = None, top: str = "") -> Gate:
    text = f"{top}\nrules:\n" + "".join(f"- {{{rule}}}\n" for rule in rules.strip().splitlines())
    return judge(parse_policy(text, Path("policy.yaml")), results, baseline)


def verdicts(rule: str, results: StudyResults, baseline: StudyResults | None = None) -> dict[str, Verdict]:
    judged = gate(rule, results, baseline).verdicts
    return {verdict.architecture: verdict for verdict in judged if verdict.rule != FAILED_TASKS}


def refusal(rules: str, results: StudyResults, baseline: StudyResults | None = None) -> str:
    with pytest.raises(InputError) as caught:
        gate(rules, results, baseline)
    return str(caught.value)


def pooled(results: StudyResults, **wanted: Any) -> Row:
    (row,) = results.select(seed="all", **wanted)
    return row


# Limits -----------------------------------------------------------------------------------------------------------


def test_a_limit_holds_if_the_whole_interval_keeps_to_it(pgd_study: Make) -> None:
    results = pgd_study({"darts": 0.3, "resnet": 0.2})
    row = pooled(results, architecture="darts", metric="asr", epsilon="2/255", images="correct")
    assert row.value < 0.33 < row.high
    judged = verdicts(f"{AT_2}, at_most: 0.33", results)
    assert (judged["darts"].holds, judged["resnet"].holds) == (False, True)
    assert "not shown" in judged["darts"].message
    assert verdicts(f"{AT_2}, at_most: {row.high}", results)["darts"].holds
    assert verdicts(f"{AT_2}, at_most: 0.33, judge: value", results)["darts"].holds
    assert not verdicts(f"{AT_2}, at_most: 0.29, judge: value", results)["darts"].holds


def test_a_limit_from_below_is_judged_by_the_lower_end(pgd_study: Make) -> None:
    results = pgd_study({"darts": 0.3})
    row = pooled(results, metric="clean_accuracy")
    rule = "family: training, metric: clean_accuracy, at_least: {}"
    assert verdicts(rule.format(row.low), results)["darts"].holds
    assert not verdicts(rule.format(row.low + 1e-6), results)["darts"].holds
    assert verdicts(rule.format(row.value) + ", judge: value", results)["darts"].holds


def test_a_least_value_shows_nothing_about_the_most(pgd_study: Make) -> None:
    results = pgd_study({"darts": 0.3}, bounded=["darts"])
    assert verdicts(f"{MEDIAN}, at_least: 0.01", results)["darts"].holds
    for judged in ("bound", "value"):
        verdict = verdicts(f"{MEDIAN}, at_most: 1, worse: higher, judge: {judged}", results)["darts"]
        assert not verdict.holds
        assert "the least that it can be" in verdict.message


def test_a_value_known_from_above_shows_nothing_about_the_least(pgd_study: Make) -> None:
    free = pgd_study({"darts": 0.3})
    rows = [
        row.model_copy(update={"bound": "upper"}) if row.metric == "median_minimal_epsilon" else row
        for row in free.rows
    ]
    capped = free.model_copy(update={"rows": rows})
    verdict = verdicts(f"{MEDIAN}, at_least: 0.0001", capped)["darts"]
    assert not verdict.holds
    assert "the most that it can be" in verdict.message
    assert verdicts(f"{MEDIAN}, at_most: 1, worse: higher", capped)["darts"].holds
    rule = f"{MEDIAN}, not_worse_than_baseline: true, tolerance: 0.5"
    assert not verdicts(rule, capped, free)["darts"].holds  # it may be lower, which is worse
    assert verdicts(rule, free, capped)["darts"].holds


def test_a_figure_that_is_no_number_keeps_to_no_limit(pgd_study: Make) -> None:
    results = pgd_study({"darts": 0.3})
    rows = [row.model_copy(update={"value": float("nan"), "high": float("nan")}) for row in results.rows]
    assert not verdicts(f"{AT_2}, at_most: 1", results.model_copy(update={"rows": rows}))["darts"].holds


def test_every_row_that_a_rule_selects_is_judged(pgd_study: Make) -> None:
    judged = gate("attack: pgd, metric: asr, at_most: 1", pgd_study({"darts": 0.3}))
    assert len(judged.verdicts) == 1 + 3 * 3  # epsilons x which images count
    assert judged.holds
    named = gate(f"{AT_2.replace('pgd', 'P-GD')}, architectures: [ResNet], at_most: 1", pgd_study())
    assert [verdict.architecture for verdict in named.verdicts] == ["", "resnet"]


def test_the_headline_of_a_family_is_the_row_that_groups_are_compared_by(pgd_study: Make) -> None:
    judged = verdicts("metric: headline, family: evasion, at_most: 0.9", pgd_study())
    assert {name: (one.metric, one.setting["images"]) for name, one in judged.items()} == {
        "darts": ("curve_area", "common"),
        "resnet": ("curve_area", "common"),
    }


def test_a_study_some_of_whose_tasks_failed_does_not_pass_unless_that_is_allowed(pgd_study: Make) -> None:
    results = pgd_study(failed=2)
    (broken,) = gate(f"{AT_2}, at_most: 1", results).broken
    assert broken.rule == FAILED_TASKS
    assert "2 tasks failed" in broken.message
    assert gate(f"{AT_2}, at_most: 1", results, top="failed_tasks: allow").holds
    assert gate(f"{AT_2}, at_most: 1", pgd_study()).holds


# Nothing selected -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("attack: pdg, metric: asr, at_most: 1", "no attack pdg; did you mean pgd?"),
        ("family: evason, metric: asr, at_most: 1", "no family evason; did you mean evasion?"),
        ("metric: curve_are, at_most: 1", "no metric curve_are; did you mean curve_area?"),
        ("attack: pgd, metric: cad, at_most: 1", "no metric cad of attack pgd; it has asr, robust_accuracy"),
        (
            "attack: pgd, metric: asr, setting: {epsilon: 3/255}, at_most: 1",
            "epsilon=3/255 of attack pgd, metric asr; the nearest that it has: 4/255, 2/255, 8/255",
        ),
        (
            "attack: pgd, metric: asr, setting: {epsilom: 2/255}, at_most: 1",
            "no figure of attack pgd, metric asr has setting epsilom; did you mean epsilon?",
        ),
        (
            "metric: asr, architectures: restnet, at_most: 1",
            "no architecture 'restnet'; did you mean resnet?",
        ),
        ("metric: depth, at_most: 9", "no such figure of resnet, but of darts; name the architectures"),
        ("metric: headline, family: backdoor, at_most: 1", "no headline of backdoor (asr of any attack)"),
    ],
)
def test_a_rule_that_selects_nothing_is_told_what_is_near(rule: str, expected: str, pgd_study: Make) -> None:
    message = refusal(rule, pgd_study())
    assert expected in message
    assert message.startswith("policy.yaml:3: ")


def test_names_are_forgiving_and_numbers_are_not() -> None:
    key = Key("darts", "membership", "lira", "tpr_at_fpr", ())
    assert Step("attack", "L-I-R-A", lambda key: key.attack).holds(key)
    assert Step("setting fpr", "1e-3", lambda _: "0.001").holds(key)
    assert not Step("setting fpr", "1e-3", lambda _: "1e3").holds(key)


def test_all_rules_are_matched_before_any_is_judged(pgd_study: Make) -> None:
    message = refusal(f"{AT_2}, at_most: 0\nmetric: cat, at_most: 1\nmetric: dog, at_most: 1", pgd_study())
    assert [line.split(": ")[0] for line in message.splitlines()] == ["policy.yaml:4", "policy.yaml:5"]


def test_a_figure_that_one_seed_lacks_is_none(pgd_study: Make) -> None:
    results = pgd_study({"darts": 0.3})
    rows = [row for row in results.rows if row.metric != "curve_area" or row.seed in (0, 2)]
    assert "metric curve_area" in refusal(
        "metric: curve_area, at_most: 1", results.model_copy(update={"rows": rows})
    )


# Baselines --------------------------------------------------------------------------------------------------------


def test_a_study_is_worse_where_the_interval_of_the_paired_difference_says_so(pgd_study: Make) -> None:
    baseline = pgd_study({"darts": 0.2, "resnet": 0.2}, spread=0.02)
    results = pgd_study({"darts": 0.3, "resnet": 0.205}, spread=0.03)
    judged = verdicts(AREA, results, baseline)
    assert (judged["darts"].holds, judged["resnet"].holds) == (False, True)
    assert {one.how for one in judged.values()} == {"seeds"}
    assert judged["darts"].difference is not None
    assert judged["darts"].difference.value == pytest.approx(0.1)
    assert verdicts(AREA, baseline, results)["darts"].holds


def test_where_lower_is_worse_the_difference_is_turned(pgd_study: Make) -> None:
    weak, strong = pgd_study({"darts": 0.5}, spread=0.03), pgd_study({"darts": 0.2})
    rule = "metric: robust_accuracy, setting: {epsilon: 2/255}, not_worse_than_baseline: true"
    assert not verdicts(rule, weak, strong)["darts"].holds
    assert verdicts(rule, strong, weak)["darts"].holds
    assert verdicts(f"{rule}, worse: higher", weak, strong)["darts"].holds


def test_within_a_tolerance_is_what_is_shown_to_be_within_it(pgd_study: Make) -> None:
    baseline, results = pgd_study({"darts": 0.2}), pgd_study({"darts": 0.21}, spread=0.021)
    difference = verdicts(AREA, results, baseline)["darts"].difference
    assert difference is not None
    assert difference.value == pytest.approx(0.01)
    assert verdicts(f"{AREA}, tolerance: {difference.high}", results, baseline)["darts"].holds
    narrow = verdicts(f"{AREA}, tolerance: {difference.high - 1e-4}", results, baseline)["darts"]
    assert not narrow.holds
    assert "not shown" in narrow.message
    assert verdicts(f"{AREA}, tolerance: 0.011, judge: value", results, baseline)["darts"].holds
    assert not verdicts(f"{AREA}, tolerance: 0.009, judge: value", results, baseline)["darts"].holds


@pytest.mark.parametrize("judged", ["bound", "value"])
def test_a_baseline_known_only_from_below_shows_nothing_within_a_tolerance(
    judged: str, pgd_study: Make
) -> None:
    free, bounded = pgd_study({"darts": 0.2}), pgd_study({"darts": 0.2}, bounded=["darts"])
    rule = f"{MEDIAN}, not_worse_than_baseline: true, tolerance: 0.5, judge: {judged}"
    assert not verdicts(rule, free, bounded)["darts"].holds
    assert verdicts(rule, bounded, free)["darts"].holds  # the true median is no lower than this


def test_baselines_are_compared_on_images_that_both_studies_have(pgd_study: Make) -> None:
    judged = gate("metric: asr, not_worse_than_baseline: true", pgd_study(), pgd_study())
    assert {verdict.setting.get("images") for verdict in judged.verdicts} == {None, "all", "correct"}
    headline = verdicts(
        "metric: headline, family: evasion, not_worse_than_baseline: true", pgd_study(), pgd_study()
    )
    assert headline["darts"].setting["images"] == "correct"
    rule = "metric: asr, setting: {images: common}, not_worse_than_baseline: true"
    assert "other images in every study" in refusal(rule, pgd_study(), pgd_study())


def test_one_seed_is_compared_as_if_independent(pgd_study: Make) -> None:
    results = pgd_study({"darts": 0.3}, seeds=[0])
    verdict = verdicts(AREA, results, pgd_study({"darts": 0.25}, seeds=[0]))["darts"]
    assert verdict.how == "independent"
    assert verdict.difference is not None
    assert verdict.difference.low == pytest.approx(0.05 - 0.02 * 2**0.5)


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ({"scale": "paper"}, "scale ('paper' and 'mini')"),
        ({"protocol": "paper"}, "protocol ('paper' and 'sound')"),
        ({"data": {"name": "digits", "seed": 3}}, "data.seed (3 and 0)"),
        ({"rates": {"vgg": 0.2}}, "the baseline has no darts pgd curve_area"),
        ({"attacks": [PgdSpec(steps=40)]}, "pgd differs in steps (40 and 20)"),
        ({"attacks": [NesSpec()]}, "the baseline has no darts pgd curve_area"),
        (None, "give --baseline DIR"),
    ],
)
def test_a_baseline_that_measured_something_else_is_refused(
    baseline: Any, expected: str, pgd_study: Make
) -> None:
    other = None if baseline is None else pgd_study(**baseline)
    assert expected in refusal(AREA, pgd_study(), other)


def test_flags_and_what_else_differs_from_the_baseline_are_said(pgd_study: Make) -> None:
    flag = Flag(kind="zero_gradients", architectures=("darts",), message="darts hides its gradients")
    results = pgd_study().model_copy(
        update={"flags": [flag], "environment": {"nasaudit": "9", "torch": "2.6"}}
    )
    baseline = pgd_study(seeds=(0, 1, 2, 3))
    assert gate(f"{AT_2}, at_most: 1", results).notes == ("darts hides its gradients",)
    said = gate(AREA, results, baseline).notes
    assert said[1:] == (
        "baseline: made with other versions of nasaudit: 0.1.0 and 9",
        "baseline: the seeds differ, so pairs are made of 3 of them",
    )
    assert "no rule compares with the baseline" in gate(f"{AT_2}, at_most: 1", results, baseline).notes
