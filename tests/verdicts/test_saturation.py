"""A figure at the end of its scale ranks nothing, whatever its interval."""

from itertools import permutations

import numpy as np
import pytest

from nasaudit.measure.estimate import Estimate
from nasaudit.results.schema import Row, StudyResults
from nasaudit.spec.study import StudySpec
from nasaudit.stats.holm import ALPHA
from nasaudit.testing.rows import make_results, make_row
from nasaudit.verdicts.confounders import beyond_the_gap
from nasaudit.verdicts.decide import decide
from nasaudit.verdicts.saturation import find_saturated

CURVE = {"attack": "pgd", "norm": "linf", "goal": "untargeted", "images": "common"}
KNOCKOFF = {"attack": "knockoff", "labels": "soft", "pool": "pool", "budget": "800"}
FLIPS = {"attack": "label_flip", "fraction": "0.4"}
NAMES = ("darts", "enas", "nasnet", "snas", "resnet", "vgg", "bit", "dla")


def judged(rows: list[Row]) -> StudyResults:
    names = tuple(dict.fromkeys(row.architecture for row in rows))
    return decide(
        make_results(StudySpec(data={"name": "digits"}, architectures=names, seeds=(0, 1, 2)), rows)
    )


def figure(metric: str, low: float, high: float, **columns: str) -> dict[str, object]:
    return {"metric": metric, "estimate": Estimate((low + high) / 2, low, high, 500, "fraction"), **columns}


def accuracy(name: str, value: float, metric: str = "clean_accuracy") -> Row:
    return make_row(
        name, metric, value, half=0.01, n=500, split="test" if metric == "clean_accuracy" else "train"
    )


def curve(name: str, area: float, bound: str | None) -> list[Row]:
    median = Estimate(0.03, 0.03, 0.03, 500, "pixel fraction", bound)  # type: ignore[arg-type]
    return [
        make_row(name, "curve_area", area, half=0.001, n=500, **CURVE),
        make_row(name, "median_minimal_epsilon", median, **CURVE),
    ]


@pytest.mark.parametrize(
    ("first", "second", "decided"), [("lower", "lower", False), ("lower", None, True), (None, None, True)]
)
def test_two_curves_that_end_before_the_transition_are_in_no_order(first, second, decided) -> None:
    results = judged([*curve("darts", 0.3, first), *curve("resnet", 0.2, second)])
    (standing,) = results.standings
    assert standing.decided is decided
    assert standing.at_the_end is not decided
    assert standing.agree == decided
    assert {each.architecture for each in standing.saturated} == {
        name for name, bound in (("darts", first), ("resnet", second)) if bound
    }


@pytest.mark.parametrize(
    ("columns", "ends"),
    [
        ({"metric": "asr", "attack": "badnets"}, ((0.995, 1.0), (0.9, 1.0))),
        ({"metric": "asr", "attack": "badnets"}, ((0.0, 0.1), (0.0, 0.001))),
        ({"metric": "auc", "attack": "loss_threshold"}, ((0.49, 0.56), (0.47, 0.51))),
        ({"metric": "agreement", **KNOCKOFF}, ((0.15, 0.17), (0.11, 0.12))),
    ],
)
def test_planted_ends_are_seen_in_each_family(columns, ends) -> None:
    rows = []
    for name, (low, high) in zip(("darts", "resnet"), ends, strict=True):
        made = figure(low=low, high=high, **columns)
        rows.append(make_row(name, made.pop("metric"), made.pop("estimate"), **made))
    (standing,) = judged(rows).standings
    assert len(standing.saturated) == 2
    assert standing.at_the_end
    assert not any(standing.easier_than.values())


def test_a_victim_at_chance_is_compared_with_none() -> None:
    rows = [accuracy("darts", 0.12), accuracy("resnet", 0.9)]
    rows += [
        make_row(name, "cad", lost, half=0.01, n=500, **FLIPS)
        for name, lost in (("darts", 0.0), ("resnet", 0.3))
    ]
    (standing,) = judged(rows).standings
    assert [(each.architecture, each.end) for each in standing.saturated] == [("darts", "chance")]
    assert not standing.decided


@pytest.mark.parametrize("bound", [None, "lower"])
def test_groups_and_claims_draw_nothing_from_it(bound) -> None:
    rows = [row for place, name in enumerate(NAMES) for row in curve(name, 0.9 - 0.1 * place, bound)]
    results = judged(rows)
    (groups,) = results.comparisons
    claims = [claim for claim in results.claims if claim.effect == "evasion"]
    assert claims
    if bound is None:
        assert groups.test is not None
        assert groups.test.p_holm <= ALPHA
    else:
        assert groups.test is None
        assert "end of their scale" in groups.why
        assert all(claim.p is None and "end of their scale" in claim.why for claim in claims)


def test_no_order_ever_rests_on_two_figures_at_one_end() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows = []
        for name in NAMES:
            rows.append(accuracy(name, rng.choice([0.1, 0.9], p=[0.2, 0.8])))
            rows += curve(name, rng.uniform(0.1, 0.9), rng.choice([None, "lower"]))
            ends = np.sort(rng.choice([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 2, replace=False))
            estimate = Estimate(float(ends.mean()), float(ends[0]), float(ends[1]), 500, "fraction")
            rows.append(make_row(name, "asr", estimate, attack="badnets"))
        results = judged(rows)
        saturated = find_saturated(results.headlines, rows, results.architectures)
        assert results.standings
        for standing in results.standings:
            ends = {name: each.end for name, each in saturated[standing.family].items()}
            for first, second in permutations(NAMES, 2):
                if second in standing.easier_than[first]:
                    assert "chance" not in (ends.get(first), ends.get(second))
                    assert ends.get(first) is None or ends.get(first) != ends.get(second)


def test_an_order_that_the_gap_explains_does_not_stay() -> None:
    rows = []
    for name, train, auc in (("darts", 0.99, 0.60), ("resnet", 0.89, 0.55)):  # both are the gap attack's own
        rows += [accuracy(name, 0.79), accuracy(name, train, "train_accuracy")]
        rows.append(make_row(name, "auc", auc, half=0.01, n=1000, attack="loss_threshold"))
    results = judged(rows)
    (standing,), (adjustment,) = results.standings, results.adjustments
    assert standing.decided
    assert adjustment.finding == "unclear"
    assert [value.adjusted.value for value in adjustment.values] == pytest.approx([0, 0])
    assert adjustment.difference.value == pytest.approx(0)


def test_where_only_the_gap_matters_the_interval_beyond_it_holds_zero() -> None:
    """A victim is right on members with p, on others with q, and the attack sees nothing else."""
    rng, n, draws, covered = np.random.default_rng(1), 1000, 1000, 0
    for _ in range(draws):
        sides = []
        for p, q in ((0.95, 0.7), (0.8, 0.7)):
            right, other = rng.binomial(n, [p, q]) / n
            error = np.sqrt(p * (1 - p) / n + q * (1 - q) / n)
            # The gap is measured on one sample, the attack on another: the case without correlation.
            again = np.diff(rng.binomial(n, [q, p]) / n)[0]
            gap = Estimate(
                right - other, right - other - 1.96 * error, right - other + 1.96 * error, n, "fraction"
            )
            auc = Estimate(
                (1 + again) / 2, (1 + again - 1.96 * error) / 2, (1 + again + 1.96 * error) / 2, n, "AUC"
            )
            sides.append(beyond_the_gap(auc, gap))
        difference = sides[0].value - sides[1].value
        half = np.hypot(*((side.high - side.low) / 2 for side in sides))
        covered += abs(difference) <= half
    assert covered / draws == pytest.approx(0.95, abs=0.025)


def test_a_theft_of_a_more_accurate_victim_is_told_from_a_better_theft() -> None:
    """Two thefts that copied nothing agree more with the victim that is right more often."""
    rows = []
    for name, accuracy, copied in (("darts", 0.9, 0.9), ("resnet", 0.6, 0.6)):
        agreement = accuracy * copied + (1 - accuracy) * (1 - copied) / 9
        setting = {"labels": "soft", "pool": "pool"}
        rows += [
            make_row(name, "agreement", agreement, half=0.02, n=1000, attack="knockoff", **setting),
            make_row(name, "surrogate_accuracy", copied, half=0.02, n=1000, attack="knockoff", **setting),
            make_row(name, "clean_accuracy", accuracy, half=0.02, n=1000, split="test"),
        ]
    study = StudySpec.parse({"architectures": ["darts", "resnet"], "data": "digits", "attacks": ["knockoff"]})
    results = decide(make_results(study, rows))
    (standing,), (adjustment,) = results.standings, results.adjustments
    assert standing.easier_than["darts"] == ["resnet"]
    assert [value.adjusted.value for value in adjustment.values] == pytest.approx([0, 0], abs=1e-12)
    assert adjustment.finding == "unclear"


def test_robustness_is_shown_beside_that_on_the_images_which_all_get_right() -> None:
    rows = []
    for name, own, common, accuracy in (("darts", 0.7, 0.4, 0.6), ("resnet", 0.5, 0.5, 0.95)):
        threat = {"norm": "linf", "goal": "untargeted"}
        rows += [
            make_row(name, "curve_area", own, half=0.01, n=500, attack="pgd", images="correct", **threat),
            make_row(name, "curve_area", common, half=0.01, n=300, attack="pgd", images="common", **threat),
            make_row(name, "clean_accuracy", accuracy, half=0.01, n=500, split="test"),
        ]
    study = StudySpec.parse({"architectures": ["darts", "resnet"], "data": "digits", "attacks": ["pgd"]})
    (adjustment,) = decide(make_results(study, rows)).adjustments
    first, last = adjustment.values
    assert [first.architecture, last.architecture] == ["resnet", "darts"]
    assert (first.raw.value, first.adjusted.value, first.confounder.value) == (0.5, 0.5, 0.95)
    assert (last.raw.value, last.adjusted.value, last.confounder.value) == (0.7, 0.4, 0.6)
