"""When a membership figure cannot be trusted: each flag is raised by what it is for, and by nothing else."""

from types import SimpleNamespace

import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.measure.proportion import proportion
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.results.flags.membership import CHECKS
from nasaudit.results.pooled import derived
from nasaudit.results.replicates import Replicates
from nasaudit.spec.attacks import LiraSpec, LossThresholdSpec
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.testing.rows import make_row


def row(metric, estimate, seed="all", family="membership", attack="lira", **setting):
    return make_row("darts", metric, estimate, seed=seed, family=family, attack=attack, **setting)


def raised(auc=0.6, train=1.0, test=0.95, fpr="0.01", n=1000, models=64, rows=None):
    study = StudySpec(architectures=("darts",), attacks=(LiraSpec(models=models),))
    spec = resolve(ArchChoice(name="darts"), "mini", 10, (1, 28, 28))
    found = [
        row("auc", Estimate(auc, auc - 0.02, auc + 0.02, 2 * n, "auc"), mode="online"),
        row("tpr_at_fpr", proportion(30, n), seed=0, mode="online", fpr=fpr),
        row("train_accuracy", proportion(round(3000 * train), 3000), family="training", attack=""),
        row("clean_accuracy", proportion(round(1000 * test), 1000), family="training", attack=""),
    ]
    planned = SimpleNamespace(study=study, architectures=(spec,))
    findings = Facts(planned, {}, found if rows is None else rows, [], 900)
    return {flag.kind: flag.message for flag in flags_of(findings, CHECKS)}


def test_a_good_measurement_raises_no_flag():
    assert raised() == {}
    assert raised(rows=[]) == {}


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"auc": 0.45}, "wrong_sign", "lira (online) on darts has an AUC of 0.450 [0.430, 0.470]"),
        ({"train": 0.955}, "no_generalisation_gap", "darts is as accurate on test images (95.0%)"),
        ({"test": 0.11, "train": 0.3}, "nothing_to_infer", "guessing among 10 classes"),
        ({"models": 8}, "few_shadow_models", "had 8 shadow models"),
        (
            {"fpr": "0.001"},
            "few_false_positives",
            "1000 non-members give 1 false positives at a rate of 0.1 %",
        ),
        ({"n": 359}, "few_false_positives", "359 non-members give 3.6 false positives at a rate of 1 %"),
    ],
)
def test_each_flag_is_raised_by_its_cause_alone(change, kind, words):
    found = raised(**change)
    assert list(found) == [kind]
    assert words in found[kind]


def test_an_auc_below_one_half_by_chance_is_no_wrong_sign():
    assert raised(auc=0.49) == {}


def test_pooled_rates_stay_between_zero_and_one():
    rare = Measurement("tpr_at_fpr", Estimate(0.001, 0.0, 0.02, 1000, "fraction"), (("fpr", "0.001"),))
    sure = Measurement("auc", Estimate(0.999, 0.99, 1.0, 2000, "auc"))
    record = SimpleNamespace(measurements=(rare, sure))
    replicates = Replicates(None, "membership", LossThresholdSpec(), dict.fromkeys(range(3), (record, None)))
    pooled = {found.metric: found.estimate for seed, found in derived(replicates, []) if seed == "all"}
    assert pooled["tpr_at_fpr"].low == 0
    assert pooled["tpr_at_fpr"].high >= 0.02
    assert pooled["auc"].high == 1
    assert pooled["auc"].n == 6000
