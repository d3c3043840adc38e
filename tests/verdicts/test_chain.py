"""Which rows each measure of the chain is made of."""

import pytest

from nasaudit.results.schema import Row
from nasaudit.results.verdict_models import Variable
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.chain import CONTROLS, DEFINITIONS, make_variables
from nasaudit.verdicts.headlines import DIRECTIONS, find_headlines


def row(
    family: str,
    metric: str,
    value: float,
    seed: int | str = "all",
    *,
    architecture: str = "darts",
    attack: str = "",
    setting: dict[str, str] | None = None,
) -> Row:
    return make_row(
        architecture, metric, value, seed=seed, family=family, attack=attack, group="nas", **setting or {}
    )


def only(*rows: Row) -> Variable:
    (measure,) = make_variables(rows, find_headlines(rows))
    return measure


ROWS = (
    *(row("topology", metric, 1.0, setting={"cell": "normal"}) for metric in ("depth", "width", "skip_share")),
    row("convergence", "loss_area", 1.0),
    row("convergence", "early_accuracy", 1.0, setting={"share": "0.25"}),
    row("gradients", "gradient_std_sum", 1.0, setting={"checkpoint": "initial", "images": "validation"}),
    *(
        row("gradients", metric, 1.0, setting={"checkpoint": "initial"})
        for metric in ("gradient_variance", "relative_gradient_variance")
    ),
    *(row("smoothness", "gradient_lipschitz", 1.0, setting={"space": space}) for space in ("parameters", "input")),
    row("smoothness", "hessian_top", 1.0, setting={"space": "parameters"}),
    row("poisoning", "cad", 1.0, attack="label_flip", setting={"fraction": "0.4"}),
    row("training", "clean_accuracy", 1.0, setting={"split": "test"}),
    row("topology", "flops", 1.0),
)  # fmt: skip


def test_a_study_with_every_analysis_has_every_measure_in_the_order_of_the_chain() -> None:
    keys = [measure.key for measure in make_variables(ROWS, find_headlines(ROWS))]
    chain, controls = (
        [definition.key for definition in DEFINITIONS],
        [definition.key for definition in CONTROLS],
    )
    assert keys == [*chain, "poisoning", *controls]
    assert len(set(keys)) == len(keys)


def test_every_measure_has_a_direction_and_families_the_published_one() -> None:
    favoured = {variable.key: variable.favoured for variable in make_variables(ROWS, find_headlines(ROWS))}
    assert favoured["poisoning"] == DIRECTIONS["poisoning"].sign == "lower"
    assert None not in favoured.values()
    expected = {"depth": "lower", "width": "higher", "skip_share": "higher", "loss_area": "lower",
                "early_accuracy": "higher", "gradient_std_sum": "lower", "lipschitz_input": "lower"}  # fmt: skip
    assert {key: favoured[key] for key in expected} == expected


@pytest.mark.parametrize("position", range(len(ROWS)))
def test_rows_of_another_setting_are_not_taken(position: int) -> None:
    """Of the reduction cell, at the end of training, of an attack: no measure of the chain."""
    one = ROWS[position]
    if one.setting and one.family != "poisoning":
        changed = {key: "other" for key in one.setting if key != "images"}
        assert make_variables([one.model_copy(update={"setting": {**one.setting, **changed}})], []) == []
    if one.family != "poisoning":
        assert make_variables([one.model_copy(update={"attack": "pgd"})], []) == []
    assert make_variables([one.model_copy(update={"family": "other"})], []) == []


def test_validation_images_are_preferred_and_all_architectures_get_the_same() -> None:
    def std_sum(value: float, images: str, name: str) -> Row:
        setting = {"checkpoint": "initial", "images": images}
        return row("gradients", "gradient_std_sum", value, setting=setting, architecture=name)

    rows = [std_sum(1, "test", "darts"), std_sum(2, "validation", "darts"), std_sum(3, "test", "vgg")]
    assert only(*rows).values == {"darts": 2}
    assert only(rows[0], rows[2]).values == {"darts": 1, "vgg": 3}


def test_the_pooled_row_counts_or_that_of_the_only_seed() -> None:
    def area(value: float, seed: int | str, name: str = "darts") -> Row:
        return row("convergence", "loss_area", value, seed, architecture=name)

    rows = [area(1, 0), area(3, 1), area(2, "all"), area(5, 7, "vgg"), area(1, 0, "bit"), area(2, 1, "bit")]
    assert only(*rows).values == {"darts": 2, "vgg": 5}


def test_what_is_not_finite_is_left_out() -> None:
    rows = [row("convergence", "loss_area", value, architecture=name)
            for name, value in (("darts", float("nan")), ("vgg", 1.0), ("bit", float("inf")))]  # fmt: skip
    assert only(*rows).values == {"vgg": 1}
    assert make_variables(rows[:1], find_headlines(rows[:1])) == []


def test_a_family_is_measured_by_its_headline() -> None:
    rows = [row("poisoning", "cad", value, attack="label_flip", setting={"fraction": fraction})
            for value, fraction in ((0.1, "0.1"), (0.3, "0.4"))]  # fmt: skip
    measure = only(*rows)
    assert (measure.key, measure.part, measure.values) == ("poisoning", "vulnerability", {"darts": 0.3})
    assert (measure.title, measure.metric) == ("accuracy lost to wrong labels", "cad")
