"""What a remedy did: paired as it should be, corrected, and advised by the rules that were set before."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy import stats

from nasaudit.measure.proportion import proportion
from nasaudit.results.image_values import paired_differences
from nasaudit.results.schema import Row
from nasaudit.spec.study import StudySpec
from nasaudit.stats.holm import holm
from nasaudit.testing.rows import pooled_rows
from nasaudit.verdicts.headlines import find_headlines
from nasaudit.verdicts.remedies import make_remedies

SEEDS, IMAGES = (0, 1, 2), 400
ATTACKS = {
    "curve_area": ("evasion", "pgd", {"norm": "linf", "goal": "untargeted", "images": "common"}),
    "agreement": ("extraction", "knockoff", {"labels": "soft", "pool": "pool", "budget": "500"}),
    "clean_accuracy": ("training", "", {"split": "test"}),
}


@dataclass
class Planned:
    study: StudySpec

    @property
    def architectures(self) -> Any:
        return self.study.architectures


@dataclass
class Values:
    """Stands in for the records of a study."""

    planned: Planned
    rows: list[Row] = field(default_factory=list)
    by_image: dict[tuple[str, str], dict[int, dict[int, float]]] = field(default_factory=dict)

    def accuracy(self, architecture: str) -> Any:
        return self.by_image.get((architecture, "clean_accuracy"), {})

    def of(self, row: Row) -> Any:
        return self.by_image.get((row.architecture, row.metric), {})

    def add(
        self, architecture: str, metric: str, outcomes: np.ndarray, *, by_image: bool = True, **setting: str
    ) -> None:
        """Outcomes [seeds, images] of 0 and 1, as a study's rows and records have them."""
        estimates = {
            seed: proportion(int(one.sum()), len(one)) for seed, one in zip(SEEDS, outcomes, strict=False)
        }
        family, attack, common = ATTACKS[metric]
        self.rows += pooled_rows(
            architecture, metric, estimates, family=family, attack=attack, group="nas", **common, **setting
        )
        if by_image:
            self.by_image[architecture, metric] = {
                seed: dict(enumerate(one.tolist())) for seed, one in zip(SEEDS, outcomes, strict=False)
            }


def study(*architectures: object, **changes: object) -> Values:
    return Values(
        Planned(
            StudySpec.parse(
                {"architectures": architectures or ("darts", "darts-i"), "data": "digits", **changes}
            )
        )
    )


def outcomes(share: float, seeds: int = 3, jitter: float = 0.01) -> np.ndarray:
    """0 and 1: whether each image is broken, the same ones first; seeds differ in the last few."""
    counts = [round(IMAGES * (share + jitter * (k - (seeds - 1) / 2))) for k in range(seeds)]
    return np.stack([(np.arange(IMAGES) < count).astype(float) for count in counts])


def judged(values: Values) -> Any:
    found = make_remedies(values, values.rows, find_headlines(values.rows))  # type: ignore[arg-type]
    assert len(found) == 1
    return found[0]


def test_a_remedy_that_helps_and_costs_nothing_is_recommended() -> None:
    values = study()
    for name, area, right in (("darts", 0.5, 0.95), ("darts-i", 0.3, 0.955)):
        values.add(name, "curve_area", outcomes(area))
        values.add(name, "clean_accuracy", outcomes(right, jitter=0.005))
    found = judged(values)
    assert (found.original, found.variant, found.remedy, found.kind) == (
        "darts",
        "darts-i",
        "deepen",
        "rewiring",
    )
    (effect,) = found.effects
    assert effect.how == "images and seeds"
    assert effect.n == 3 * IMAGES
    assert effect.difference.value == pytest.approx(-0.2, abs=0.01)
    assert effect.difference.value == pytest.approx(effect.after.value - effect.before.value)
    assert effect.finding == "better"
    assert found.drop == "within"
    assert found.recommended == ["evasion"]
    assert found.promising == []


@pytest.mark.parametrize(
    ("right", "jitter", "drop"),
    [(0.90, 0.005, "exceeds"), (0.948, 0.06, "unclear"), (0.955, 0.005, "within")],
)
def test_a_remedy_that_may_cost_too_much_accuracy_is_never_recommended(
    right: float, jitter: float, drop: str
) -> None:
    values = study()
    values.add("darts", "curve_area", outcomes(0.5))
    values.add("darts-i", "curve_area", outcomes(0.2))
    values.add("darts", "clean_accuracy", outcomes(0.95, jitter=0.005))
    values.add("darts-i", "clean_accuracy", outcomes(right, jitter=jitter))
    found = judged(values)
    assert found.drop == drop
    assert found.recommended == (["evasion"] if drop == "within" else [])
    assert found.promising == (["evasion"] if drop == "unclear" else [])


def test_a_fall_of_exactly_the_limit_is_within_it() -> None:
    values = study(mitigation={"max_drop": 0.05})
    values.add("darts", "clean_accuracy", outcomes(0.95, seeds=1))
    values.add("darts-i", "clean_accuracy", outcomes(0.90, seeds=1))
    (found,) = (
        one
        for one in make_remedies(values, values.rows, find_headlines(values.rows))
        if one.variant == "darts-i"
    )  # type: ignore[arg-type]
    assert found.accuracy.difference.value == pytest.approx(-0.05)
    assert found.drop == "unclear"  # not `exceeds`; the interval reaches beyond


def test_without_accuracy_nothing_is_advised() -> None:
    values = study()
    values.add("darts", "curve_area", outcomes(0.5))
    values.add("darts-i", "curve_area", outcomes(0.2))
    found = judged(values)
    assert (found.drop, found.recommended, found.promising) == ("not measured", [], [])


def test_what_is_not_known_by_image_is_paired_by_seed() -> None:
    values = study()
    before, after = outcomes(0.8), outcomes(0.7, jitter=0.03)
    values.add("darts", "agreement", before, by_image=False)
    values.add("darts-i", "agreement", after, by_image=False)
    (effect,) = judged(values).effects
    assert (effect.how, effect.n) == ("seeds", 3)
    expected = stats.ttest_rel(after.mean(axis=1), before.mean(axis=1))
    interval = expected.confidence_interval()
    assert (effect.difference.low, effect.difference.high) == pytest.approx((interval.low, interval.high))
    assert effect.p == pytest.approx(expected.pvalue)


def test_one_seed_is_paired_by_image_or_not_at_all() -> None:
    values = study(seeds=[0])
    values.add("darts", "curve_area", outcomes(0.5, seeds=1))
    values.add("darts-i", "curve_area", outcomes(0.3, seeds=1))
    values.add("darts", "agreement", outcomes(0.8, seeds=1), by_image=False)
    values.add("darts-i", "agreement", outcomes(0.8, seeds=1), by_image=False)
    by_image, alone = judged(values).effects
    assert (by_image.how, by_image.n) == ("images", IMAGES)
    assert (alone.how, alone.finding, alone.p) == ("independent", "undecided", 1.0)


def test_saturated_figures_are_no_certainty() -> None:
    """Both models fall for every image in every training: the true shares may differ a little all the same."""
    values = study()
    for name in ("darts", "darts-i"):
        values.add(name, "agreement", np.ones((3, IMAGES)), by_image=False)
    (effect,) = judged(values).effects
    assert effect.how == "independent"
    assert effect.difference.low < 0 < effect.difference.high
    assert effect.finding == "undecided"


def test_p_is_corrected_over_all_headlines_of_an_original() -> None:
    values = study("darts", "darts-i", "darts-ii", "darts-iii")
    for name, share in (("darts", 0.5), ("darts-i", 0.45), ("darts-ii", 0.49), ("darts-iii", 0.52)):
        values.add(name, "curve_area", outcomes(share, jitter=0.02))
        values.add(name, "agreement", outcomes(1.3 * share, jitter=0.02 + share / 50), by_image=False)
        values.add(name, "clean_accuracy", outcomes(0.95))
    found = make_remedies(values, values.rows, find_headlines(values.rows))  # type: ignore[arg-type]
    effects = [effect for one in found for effect in one.effects]
    assert [one.variant for one in found] == ["darts-i", "darts-ii", "darts-iii"]
    assert [effect.p_holm for effect in effects] == holm([effect.p for effect in effects])
    assert len(effects) == 6


def test_a_theft_with_limited_answers_is_a_remedy_of_the_same_model() -> None:
    attacks = [{"name": "knockoff"}]
    values = study("darts", attacks=attacks, mitigation={"remedies": ["rounded_answers", "top_answers"]})
    limits: list[tuple[dict[str, str], float]] = [
        ({}, 0.9),
        ({"answers": "1 decimal"}, 0.85),
        ({"answers": "top 1"}, 0.7),
    ]
    for limit, share in limits:
        values.add("darts", "agreement", outcomes(share), by_image=False, **limit)
    found = make_remedies(values, values.rows, find_headlines(values.rows))  # type: ignore[arg-type]
    assert [(one.original, one.variant, one.remedy, one.kind) for one in found] == [
        ("darts", "darts", "rounded_answers", "answers"),
        ("darts", "darts", "top_answers", "answers"),
    ]
    assert [one.effects[0].before.value for one in found] == pytest.approx([0.9, 0.9])
    assert [one.effects[0].after.value for one in found] == pytest.approx([0.85, 0.7])
    assert {one.drop for one in found} == {"within"}


def test_a_study_without_hardened_architectures_has_no_remedies() -> None:
    values = study("darts", "resnet")
    values.add("darts", "curve_area", outcomes(0.5))
    assert make_remedies(values, values.rows, find_headlines(values.rows)) == []  # type: ignore[arg-type]


def test_pairs_are_made_of_the_seeds_and_images_that_both_have() -> None:
    before = {0: {1: 0.0, 2: 1.0, 3: 0.0}, 1: {1: 0.0, 2: 0.0, 3: 1.0}, 5: {1: 1.0}}
    after = {1: {3: 0.0, 2: 1.0}, 0: {2: 1.0, 3: 1.0, 9: 1.0}}
    assert paired_differences(before, after).tolist() == [[0.0, 1.0], [1.0, -1.0]]
    assert paired_differences(before, {7: {1: 0.0}}) is None
    assert paired_differences({0: {1: 0.0}}, {0: {2: 0.0}}) is None
