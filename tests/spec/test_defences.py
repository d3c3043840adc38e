"""Defences as a recipe says them: what is refused, and that recipes without them are what they were."""

import pytest

from nasaudit.errors import SpecError
from nasaudit.spec.attacks import AdaptiveKnockoffSpec, KnockoffSpec
from nasaudit.spec.attacks.base import DataFacts
from nasaudit.spec.defences import AdversarialSpec, PrivateSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import StudySpec
from nasaudit.spec.training import TrainingSpec

DEFENDED = TrainingSpec.parse({"epochs": 3, "adversarial": {}, "private": {}, "label_smoothing": 0.1})


def test_what_is_off_leaves_the_digest_as_it_was_before_there_were_defences():
    """A store that is older finds its records again."""
    assert TrainingSpec().digest() == "4f14843d27b33f399995"
    assert recipe("paper", "paper", "cifar10").digest() == "822a6ffc3dcac8447de9"
    assert KnockoffSpec().digest() == "f149c3c5d28171cff1d8"
    assert AdaptiveKnockoffSpec().digest() == "4c46452007011e7c0905"


def test_what_is_on_is_in_the_digest():
    said = [
        {},
        {"adversarial": {}},
        {"adversarial": {"method": "trades"}},
        {"adversarial": {"steps": 6}},
        {"private": {}},
        {"private": {"clip": 2}},
        {"adversarial": {}, "private": {}},
    ]
    assert len({TrainingSpec.parse(one).digest() for one in said}) == 7
    answers = [{}, {"decimals": 1}, {"decimals": 0}, {"top_k": 1}, {"decimals": 1, "top_k": 1}]
    assert len({KnockoffSpec.parse(one).digest() for one in answers}) == 5


def test_a_defended_recipe_survives_json_and_yaml_writes_epsilon_as_a_fraction():
    assert TrainingSpec.model_validate_json(DEFENDED.canonical_json()) == DEFENDED
    study = {"architectures": ["darts"], "training": {"adversarial": {"method": "trades", "epsilon": "4/255"}}}
    found = StudySpec.parse(study).training.adversarial
    assert found == AdversarialSpec(method="trades", epsilon=4 / 255)


def test_the_step_is_the_rule_of_thumb_unless_one_is_given():
    assert AdversarialSpec(epsilon=8 / 255, steps=5).step == pytest.approx(4 / 255)
    assert AdversarialSpec.parse({"step_size": "2/255"}).step == 2 / 255


def test_undefended_takes_the_defences_and_nothing_else():
    assert DEFENDED.undefended() == TrainingSpec(epochs=3, label_smoothing=0.1)
    assert DEFENDED.undefended().digest() == TrainingSpec(epochs=3, label_smoothing=0.1).digest()
    smooth = TrainingSpec(label_smoothing=0.2, keep="best_test", gradient_clip=None)
    assert smooth.undefended() == smooth


@pytest.mark.parametrize(
    ("spec", "values", "message"),
    [
        (TrainingSpec, {"adversarial": {"epsilon": 8}}, r"adversarial\.epsilon: expected less than or equal to 1"),
        (TrainingSpec, {"adversarial": {"epsilon": 0}}, r"adversarial\.epsilon: expected greater than 0"),
        (TrainingSpec, {"adversarial": {"method": "fgsm"}}, r"adversarial\.method: expected 'pgd' or 'trades'"),
        (TrainingSpec, {"adversarial": {"steps": 0}}, r"adversarial\.steps"),
        (TrainingSpec, {"private": {"clip": 0}}, r"private\.clip: expected greater than 0"),
        (TrainingSpec, {"private": {"epsilon": 1}}, r"private\.epsilon: expected no field of this name"),
        (
            TrainingSpec,
            {"private": {}, "gradient_clip": 1.0},
            "gradient_clip: expected nothing beside `private`, whose `clip` takes its place, got 1.0",
        ),
        (KnockoffSpec, {"labels": "hard", "decimals": 1}, "decimals: expected nothing beside hard labels"),
        (KnockoffSpec, {"labels": "hard", "top_k": 1}, "top_k: expected nothing beside hard labels"),
        (KnockoffSpec, {"decimals": -1}, "decimals"),
        (KnockoffSpec, {"top_k": 0}, "top_k"),
    ],
)
def test_a_wrong_field_is_named(spec, values, message):
    with pytest.raises(SpecError, match=message):
        spec.parse(values)


def test_the_ordinary_clip_and_none_are_both_accepted_beside_a_private_training():
    for clip in (None, TrainingSpec().gradient_clip):
        assert TrainingSpec(private=PrivateSpec(), gradient_clip=clip).private == PrivateSpec()


def test_the_largest_probabilities_must_not_be_all_of_them():
    facts = DataFacts(10, (1, 8, 8), lambda: {"pool": 100, "train": 100})
    KnockoffSpec(top_k=9).check(facts)
    with pytest.raises(SpecError, match="top_k: expected fewer than the 10 classes, got 10"):
        KnockoffSpec(top_k=10, pool="other", budgets=(50,)).check(facts)


def test_a_label_says_what_the_victim_tells():
    def label(**changes):
        return KnockoffSpec.parse(changes).label()

    assert label() == "knockoff (soft labels, pool, surrogate same)"
    assert label(decimals=1) == "knockoff (soft labels rounded to 1 decimal, pool, surrogate same)"
    assert label(top_k=3) == "knockoff (soft labels of the top 3, pool, surrogate same)"
    assert label(top_k=3, decimals=2) == (
        "knockoff (soft labels of the top 3 rounded to 2 decimals, pool, surrogate same)"
    )
