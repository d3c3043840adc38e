"""The factories make rows and results as a runner leaves them."""

import pytest

from nasaudit.measure.catalogue import METRICS
from nasaudit.measure.estimate import Estimate
from nasaudit.measure.pooling import pool_proportions, pool_values
from nasaudit.measure.proportion import proportion
from nasaudit.results.schema import StudyResults
from nasaudit.spec.study import StudySpec
from nasaudit.testing.rows import make_results, make_row, pooled_rows
from nasaudit.verdicts.decide import decide


def test_a_row_knows_the_family_of_its_attack_and_the_group_of_its_architecture():
    row = make_row("darts", "auc", 0.6, half=0.1, n=9, seed=3, attack="lira", mode="online")
    assert (row.family, row.group, row.seed, row.setting) == ("membership", "nas", 3, {"mode": "online"})
    assert (row.value, row.low, row.high, row.n, row.unit) == (0.6, 0.5, 0.7, 9, METRICS["auc"].unit)
    assert make_row("resnet", "clean_accuracy", 0.9).family == "training"
    assert [make_row(name, "flops", 1).group for name in ("resnet", "random", "mine")] == [
        "manual",
        "random",
        "nas",
    ]


def test_an_estimate_is_taken_with_its_unit_and_its_bound():
    row = make_row(
        "darts", "steps_to_accuracy", Estimate(7, 6, 8, 2, "epochs", "lower"), family="convergence"
    )
    assert (row.low, row.high, row.n, row.unit, row.bound) == (6, 8, 2, "epochs", "lower")


def test_a_column_is_not_taken_for_a_key_of_the_setting():
    with pytest.raises(TypeError, match=r"columns that an Estimate has: \['unit'\]"):
        make_row("darts", "auc", 0.6, unit="fraction")


def test_seeds_are_pooled_as_their_metric_says():
    shares = {0: proportion(10, 100), 1: proportion(30, 100)}
    *seeds, pooled = pooled_rows("darts", "asr", shares, attack="pgd")
    assert [row.seed for row in seeds] == [0, 1]
    assert (pooled.seed, pooled.value, pooled.n) == ("all", 0.2, 200)
    assert pooled.low == pool_proportions(list(shares.values())).low
    losses = {0: Estimate(1.0, 0.9, 1.1, 5, "nats"), 1: Estimate(2.0, 1.9, 2.1, 5, "nats")}
    assert pooled_rows("darts", "loss_area", losses)[-1].high == pool_values(list(losses.values())).high


def test_results_can_be_judged_and_read_back():
    study = StudySpec.parse({"architectures": ["darts", "resnet"], "data": "digits", "attacks": ["pgd"]})
    setting = {"norm": "linf", "goal": "untargeted", "images": "common"}
    rows = [
        make_row(name, "curve_area", value, half=0.01, attack="pgd", **setting)
        for name, value in (("darts", 0.4), ("resnet", 0.3))
    ]
    results = decide(make_results(study, rows, class_names=["a", "b"]))
    assert [headline.family for headline in results.headlines] == ["evasion"]
    assert [spec.name for spec in results.architectures] == ["darts", "resnet"]
    assert results.class_names == ["a", "b"]
    assert StudyResults.model_validate_json(results.model_dump_json()).rows == rows
