"""What two studies have in common, and by how much they differ in it."""

from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats

from nasaudit.errors import InputError
from nasaudit.gate.compare import Difference, compare_studies
from nasaudit.results.schema import StudyResults
from nasaudit.spec.attacks import PgdSpec

Make = Callable[..., StudyResults]


def only(before: StudyResults, after: StudyResults, **wanted: Any) -> Difference:
    found = [
        one
        for one in compare_studies(before, after).differences
        if all(getattr(one, key, one.setting.get(key)) == value for key, value in wanted.items())
    ]
    assert len(found) == 1, found
    return found[0]


def by_seed(results: StudyResults, **wanted: Any) -> list[float]:
    return [row.value for row in results.select(**wanted) if row.seed != "all"]


def test_differences_are_paired_by_seed(pgd_study: Make) -> None:
    before, after = pgd_study({"darts": 0.2}), pgd_study({"darts": 0.3}, spread=0.03)
    wanted = {"metric": "asr", "epsilon": "4/255", "images": "correct"}
    one = only(before, after, **wanted)
    expected = stats.ttest_rel(by_seed(after, **wanted), by_seed(before, **wanted)).confidence_interval(0.95)
    assert (one.difference.low, one.difference.high) == pytest.approx((expected.low, expected.high))
    assert (one.how, one.n, one.seeds, one.finding) == ("seeds", 3, [0, 1, 2], "worse")
    assert one.difference.value == pytest.approx(one.after.value - one.before.value)
    back = only(after, before, **wanted)
    assert (back.finding, back.difference.value) == ("better", pytest.approx(-one.difference.value))


def test_a_loss_of_robust_accuracy_is_worse_and_a_depth_has_no_direction(pgd_study: Make) -> None:
    before, after = pgd_study({"darts": 0.2}), pgd_study({"darts": 0.4}, spread=0.03)
    assert only(before, after, metric="robust_accuracy", epsilon="4/255").finding == "worse"
    depth = only(before, after, metric="depth")
    assert (depth.how, depth.finding, depth.worse) == ("exact", "same", None)
    rows = [
        row.model_copy(update={"value": 5, "low": 5, "high": 5}) if row.metric == "depth" else row
        for row in after.rows
    ]
    assert only(before, after.model_copy(update={"rows": rows}), metric="depth").finding == "higher"


def test_seeds_that_only_one_study_has_are_in_no_pair(pgd_study: Make) -> None:
    before, after = pgd_study({"darts": 0.2}), pgd_study({"darts": 0.3}, seeds=(1, 2, 5), spread=0.03)
    one = only(before, after, metric="curve_area")
    assert one.seeds == [1, 2]
    assert any("pairs are made of 2" in warning for warning in compare_studies(before, after).warnings)
    apart = pgd_study({"darts": 0.3}, seeds=(7, 8, 9))
    assert only(before, apart, metric="curve_area").how == "independent"
    assert any(
        "as if they were independent" in warning for warning in compare_studies(before, apart).warnings
    )


def test_a_study_differs_from_itself_in_nothing(pgd_study: Make) -> None:
    compared = compare_studies(pgd_study(), pgd_study())
    assert {one.difference.value for one in compared.differences} == {0.0}
    assert {one.finding for one in compared.differences} == {"undecided", "same"}
    assert compared.warnings == []


def test_images_that_are_others_in_every_study_are_left_out(pgd_study: Make) -> None:
    compared = compare_studies(pgd_study(), pgd_study())
    assert {one.setting.get("images") for one in compared.differences} == {None, "all", "correct"}
    headlines = [(one.metric, one.setting.get("images")) for one in compared.differences if one.headline]
    assert sorted(set(headlines), key=str) == [("clean_accuracy", None), ("curve_area", "correct")]


def test_a_least_value_is_named_on_its_side(pgd_study: Make) -> None:
    one = only(
        pgd_study({"darts": 0.2}),
        pgd_study({"darts": 0.2}, bounded=["darts"]),
        metric="median_minimal_epsilon",
    )
    assert one.bounds == {"after": "lower"}


def test_an_attack_that_ran_otherwise_is_left_out_and_named(pgd_study: Make) -> None:
    before, after = pgd_study({"darts": 0.2}), pgd_study({"darts": 0.2}, attacks=[PgdSpec(steps=40)])
    compared = compare_studies(before, after)
    assert {one.family for one in compared.differences} == {"training", "topology"}
    assert any("figures are left out: pgd differs in steps (20 and 40)" in text for text in compared.warnings)


def test_two_attacks_of_one_name_are_told_apart(pgd_study: Make) -> None:
    both = [PgdSpec(), PgdSpec(goal="least_likely")]
    before, after = pgd_study({"darts": 0.2}, attacks=both), pgd_study({"darts": 0.2}, attacks=both)
    assert {one.setting["goal"] for one in compare_studies(before, after).differences if one.attack} == {
        "untargeted",
        "least_likely",
    }


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"scale": "paper"}, "scale ('mini' and 'paper')"),
        ({"protocol": "paper"}, "protocol ('sound' and 'paper')"),
        ({"data": {"name": "mnist5k"}}, "data.name ('digits' and 'mnist5k')"),
        ({"rates": {"vgg": 0.2}}, "the first is of darts, resnet, the second of vgg"),
    ],
)
def test_studies_without_a_common_ground_are_refused(other: Any, expected: str, pgd_study: Make) -> None:
    with pytest.raises(InputError) as caught:
        compare_studies(pgd_study(), pgd_study(**other))
    assert expected in str(caught.value)


def test_what_else_differs_is_said(pgd_study: Make) -> None:
    before, after = pgd_study(), pgd_study({"darts": 0.3}, failed=1)
    spec = after.architectures[0].model_copy(update={"init_channels": 16})
    changed = after.model_copy(
        update={
            "architectures": [spec],
            "training": after.training.model_copy(update={"epochs": 99}),
            "environment": {"nasaudit": "9", "torch": "2.6"},
        }
    )
    said = "\n".join(compare_studies(before, changed).warnings)
    assert "recipes differ in epochs" in said
    assert "darts: another network under the same name" in said
    assert "other versions of nasaudit: 0.1.0 and 9" in said
    assert "tasks failed: 0 of the first study, 1 of the second" in said
    assert "figures are in the first study alone" in said
