"""Defences as a recipe says them: what is refused, and that recipes without them are what they were."""

import pytest

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.spec.attacks import AdaptiveKnockoffSpec, KnockoffSpec
from nasaudit.spec.attacks.base import DataFacts
from nasaudit.spec.recipes import recipe
from nasaudit.spec.remedies.answers import TopSpec
from nasaudit.spec.remedies.defences import PgdTrainingSpec, PrivateSpec, TradesSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.training import TrainingSpec

DEFENDED = TrainingSpec.parse(
    {"epochs": 3, "defences": ["adversarial_training", "dp_sgd"], "label_smoothing": 0.1}
)


def test_what_is_off_leaves_the_digest_as_it_was_before_there_were_defences():
    """A store that is older finds its records again."""
    assert TrainingSpec().digest() == "4f14843d27b33f399995"
    assert recipe("paper", "sound", "cifar10", 3).digest() == "62bc3154468a6ae10d2f"
    assert "defences" not in TrainingSpec().model_dump()
    for spec in (KnockoffSpec(), AdaptiveKnockoffSpec()):
        assert "answers" not in spec.model_dump()


def test_what_is_on_is_in_the_digest():
    said = [
        {},
        {"defences": ["adversarial_training"]},
        {"defences": ["trades"]},
        {"defences": [{"name": "adversarial_training", "steps": 6}]},
        {"defences": ["dp_sgd"]},
        {"defences": [{"name": "dp_sgd", "clip": 2}]},
        {"defences": ["adversarial_training", "dp_sgd"]},
    ]
    assert len({TrainingSpec.parse(one).digest() for one in said}) == 7
    rounded, top = {"name": "rounded_answers", "decimals": 0}, {"name": "top_answers", "k": 1}
    answers = [[], ["rounded_answers"], [rounded], [top], [top, rounded]]
    assert len({KnockoffSpec(answers=one).digest() for one in answers}) == 5


def test_a_defended_recipe_survives_json_and_yaml_writes_epsilon_as_a_fraction():
    assert TrainingSpec.model_validate_json(DEFENDED.canonical_json()) == DEFENDED
    study = {
        "architectures": ["darts"],
        "training": {"defences": [{"name": "Trades", "epsilon": "4/255"}]},
    }
    said = StudySpec.parse(study).training
    assert TrainingSpec().changed(said).defences == (TradesSpec(epsilon=4 / 255),)


def test_the_step_is_the_rule_of_thumb_unless_one_is_given():
    assert TradesSpec(epsilon=8 / 255, steps=5).step == pytest.approx(4 / 255)
    assert PgdTrainingSpec.parse({"step_size": "2/255"}).step == 2 / 255


def test_undefended_takes_the_defences_and_nothing_else():
    assert DEFENDED.undefended() == TrainingSpec(epochs=3, label_smoothing=0.1)
    assert DEFENDED.undefended().digest() == TrainingSpec(epochs=3, label_smoothing=0.1).digest()
    smooth = TrainingSpec(label_smoothing=0.2, keep="best_test", gradient_clip=None)
    assert smooth.undefended() == smooth


def test_an_unknown_defence_is_refused_with_those_that_there_are():
    for values, noun in (
        ({"defences": ["deepen"]}, "defence"),
        ({"defences": ["label_smoothing"]}, "defence"),
    ):
        with pytest.raises(UnknownNameError, match=rf"{noun}.*adversarial_training, trades, dp_sgd"):
            TrainingSpec.parse(values)
    with pytest.raises(UnknownNameError, match=r"limit of the answers.*rounded_answers, top_answers"):
        KnockoffSpec.parse({"answers": ["trades"]})


def test_another_recipe_keeps_the_defences_at_seams_that_it_leaves_alone():
    assert DEFENDED.changed({"epochs": 5}) == DEFENDED.model_copy(update={"epochs": 5})
    stronger = DEFENDED.changed({"defences": ["trades"]})
    assert {defence.name for defence in stronger.defences} == {"dp_sgd", "trades"}
    with pytest.raises(SpecError, match=r"mine\.gradient_clip: expected nothing beside `dp_sgd`"):
        DEFENDED.changed({"gradient_clip": 2.0}, "mine")


def test_a_defended_training_takes_the_time_of_its_inner_steps_views_and_microbatches():
    assert TrainingSpec().expected_time == 1
    assert TrainingSpec(defences=[{"name": "adversarial_training", "steps": 4}]).expected_time == 1 + 0.65 * 4
    assert TrainingSpec(defences=["trades", "dp_sgd"]).expected_time == 1 + 0.65 * 5 + 1 + 2


@pytest.mark.parametrize(
    ("spec", "values", "message"),
    [
        (
            TrainingSpec,
            {"defences": [{"name": "trades", "epsilon": 8}]},
            r"defences\[0\]\.epsilon: expected less than or equal to 1",
        ),
        (
            TrainingSpec,
            {"defences": ["dp_sgd", {"name": "trades", "epsilon": 0}]},
            r"defences\[1\]\.epsilon: expected greater than 0",
        ),
        (TrainingSpec, {"defences": [{"name": "trades", "steps": 0}]}, r"defences\[0\]\.steps"),
        (
            TrainingSpec,
            {"defences": [{"name": "dp_sgd", "epsilon": 1}]},
            r"defences\[0\]\.epsilon: expected no field of this name",
        ),
        (
            TrainingSpec,
            {"defences": [{"beta": 1}]},
            r"defences\[0\]\.name: expected one of adversarial_training",
        ),
        (
            TrainingSpec,
            {"defences": ["trades", "adversarial_training"]},
            r"defences: expected one defence of the batch at most, got \['trades', 'adversarial_training'\]",
        ),
        (
            TrainingSpec,
            {"defences": ["dp_sgd"], "gradient_clip": 1.0},
            "gradient_clip: expected nothing beside `dp_sgd`, which takes its place, got 1.0",
        ),
        (
            KnockoffSpec,
            {"labels": "hard", "answers": ["rounded_answers"]},
            "answers: expected nothing beside hard labels, which have no probabilities, got 'rounded_answers'",
        ),
        (KnockoffSpec, {"answers": ["top_answers", "top_answers"]}, "answers: expected each limit once"),
        (KnockoffSpec, {"answers": [{"name": "rounded_answers", "decimals": -1}]}, r"answers\[0\]\.decimals"),
        (KnockoffSpec, {"answers": [{"name": "top_answers", "k": 0}]}, r"answers\[0\]\.k"),
    ],
)
def test_a_wrong_field_is_named(spec, values, message):
    with pytest.raises(SpecError, match=message):
        spec.parse(values)


def test_the_ordinary_clip_and_none_are_both_accepted_beside_a_private_training():
    for clip in (None, TrainingSpec().gradient_clip):
        assert TrainingSpec(defences=["dp_sgd"], gradient_clip=clip).defences == (PrivateSpec(),)


def test_the_largest_probabilities_must_not_be_all_of_them():
    facts = DataFacts(10, (1, 8, 8), lambda: {"pool": 100, "train": 100})
    KnockoffSpec(answers=(TopSpec(k=9),)).check(facts)
    with pytest.raises(SpecError, match=r"answers\[0\]\.k: expected fewer than the 10 classes, got 10"):
        KnockoffSpec(answers=(TopSpec(k=10),), pool="other", budgets=(50,)).check(facts)


def test_a_label_says_what_the_victim_tells():
    def label(*answers):
        return KnockoffSpec.parse({"answers": answers}).label()

    assert label() == "knockoff (soft labels, pool, surrogate same)"
    assert label("rounded_answers") == "knockoff (soft labels: 1 decimal; pool, surrogate same)"
    assert label({"name": "top_answers", "k": 3}, {"name": "rounded_answers", "decimals": 2}) == (
        "knockoff (soft labels: top 3, 2 decimals; pool, surrogate same)"
    )
