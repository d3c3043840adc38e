"""What a policy may say, and what is said of one that may not."""

from collections.abc import Mapping
from typing import Any

import pytest

from nasaudit.errors import InputError, SpecError
from nasaudit.measure.catalogue import worse_direction
from nasaudit.spec.policy import PolicySpec, RuleSpec, same_text
from nasaudit.verdicts.headlines import WISHES


def rule(**fields: Any) -> RuleSpec:
    return RuleSpec.parse({"metric": "asr", "at_most": 0.35, **fields})


def test_every_headline_is_worse_if_higher_as_the_groups_suppose() -> None:
    metrics = {wish.metric for of_family in WISHES.values() for wish in of_family}
    assert {worse_direction(metric) for metric in metrics} == {"higher"}


def test_limits_are_numbers_or_fractions_and_settings_are_text() -> None:
    read = rule(at_most="1/4", setting={"fraction": 0.1, "epsilon": "2/255", "budget": 200})
    assert read.at_most == 0.25
    assert read.setting == {"fraction": "0.1", "epsilon": "2/255", "budget": "200"}
    assert rule(architectures="darts").architectures == ("darts",)


def test_a_rule_is_named_after_what_it_says() -> None:
    read = rule(attack="pgd", setting={"epsilon": "2/255"})
    assert read.title == "pgd asr epsilon=2/255 at most 0.35"
    assert rule(name="pgd holds").title == "pgd holds"


def test_intervals_are_judged_unless_the_value_is_asked_for() -> None:
    assert rule().judge == "bound"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"at_most": None}, "exactly one of"),
        ({"at_least": 0.1}, "exactly one of"),
        ({"not_worse_than_baseline": True}, "exactly one of"),
        ({"at_most": True}, r"at_most: expected .*number"),
        ({"at_most": "x"}, r"at_most: expected .*8/255"),
        ({"at_most": float("nan")}, "at_most"),
        ({"tolerance": 0.1}, "tolerance"),
        ({"judge": "mean"}, "judge"),
        ({"limit": 0.1}, "limit"),
        ({"name": "two\nlines"}, "name"),
        ({"architectures": []}, "architectures"),
        ({"metric": "clean_accuracy"}, "at_most: expected at_least, as clean_accuracy is worse if lower"),
        ({"at_most": None, "at_least": 0.1}, "at_least: expected at_most"),
        ({"metric": "headline"}, "family: expected the family"),
        ({"metric": "headline", "family": "evason"}, "did you mean evasion"),
        ({"metric": "headline", "family": "evasion", "attack": "pgd"}, "attack: expected nothing"),
        (
            {"metric": "headline", "family": "evasion", "at_most": None, "at_least": 0.1},
            "at_least: expected at_most",
        ),
        (
            {"metric": "depth", "at_most": None, "not_worse_than_baseline": True},
            "worse: expected higher or lower",
        ),
        (
            {"at_most": None, "not_worse_than_baseline": True, "judge": "value"},
            "tolerance: expected a number",
        ),
        ({"at_most": None, "not_worse_than_baseline": True, "tolerance": -0.1}, "tolerance"),
        ({"setting": ["epsilon"]}, "setting"),
    ],
)
def test_a_wrong_field_is_named(fields: Mapping[str, Any], expected: str) -> None:
    values = {
        key: value for key, value in {"metric": "asr", "at_most": 0.35, **fields}.items() if value is not None
    }
    with pytest.raises(InputError, match=expected):
        RuleSpec.parse(values)


def test_the_direction_of_a_metric_is_stated_where_it_is_not_known_or_another_is_meant() -> None:
    fields = {"metric": "depth", "not_worse_than_baseline": True, "worse": "lower"}
    assert RuleSpec.parse(fields).direction == "lower"
    assert rule(metric="clean_accuracy", worse="higher").direction == "higher"
    assert RuleSpec.parse({"metric": "robust_accuracy", "not_worse_than_baseline": True}).direction == "lower"


def test_rules_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(SpecError, match=r"rules\[1\]: expected rules that differ in their names"):
        PolicySpec.parse({"rules": [{"metric": "asr", "at_most": 0.1}] * 2})
    with pytest.raises(SpecError, match="rules"):
        PolicySpec.parse({"rules": []})


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [
        ("2/255", "2/255", True),
        ("0.00784", "2/255", True),
        ("0.10", "0.1", True),
        ("2/255", "3/255", False),
        ("soft", "hard", False),
        ("1/0", "0", False),
        ("inf", "inf", True),
    ],
)
def test_settings_say_the_same_by_text_or_by_number(wanted: str, got: str, same: bool) -> None:
    assert same_text(wanted, got) is same
