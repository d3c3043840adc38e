"""The conformance suites of poisoning catch what they are there to catch."""

from dataclasses import replace

import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.attacks.poisoning.base import DataPoisoning, ModelPoisoning, Poison
from nasaudit.attacks.poisoning.gradient_matching import GradientMatching
from nasaudit.attacks.poisoning.label_flip import LabelFlip
from nasaudit.spec.attacks import GradientMatchingSpec, LabelFlipSpec
from nasaudit.testing.poisoning import DataPoisoningConformance, ModelPoisoningConformance

SHARE = "it_changes_no_more_than_its_share_and_each_image_once"
VALID = "what_images_become_is_valid_and_not_what_they_were"
NESTED = "a_smaller_fraction_is_part_of_a_larger_one"
SEED = "the_seed_decides_everything"
ALONE = "the_training_images_and_global_generators_are_left_alone"
NOTHING = "a_fraction_of_nothing_leaves_the_clean_split"
ALIKE = "an_image_becomes_the_same_at_every_fraction"


class Broken(DataPoisoning):
    """Label flips with one rule broken."""

    def __init__(self, fault, seed):
        self.spec, self.fault = LabelFlipSpec(seed=seed), fault

    def poison(self, train, fraction):
        wanted = fraction
        if self.fault == "too many":
            wanted += 0.05
        if self.fault == "never nothing":
            wanted = max(wanted, 0.01)
        spec = self.spec.model_copy(
            update={"seed": 0 if self.fault == "deaf to its seed" else self.spec.seed}
        )
        if self.fault == "another draw":
            spec = spec.model_copy(update={"seed": 1000 * spec.seed + round(100 * fraction)})
        if self.fault == "unseeded":
            spec = spec.model_copy(update={"seed": int(torch.randint(10**6, ()))})
        found = LabelFlip(spec).poison(train, wanted)
        labels = found.labels
        if self.fault == "no class":
            labels = labels + train.classes
        if self.fault == "true labels":
            labels = train.labels[train.find(found.indices)]
        if self.fault == "other labels":
            labels = (labels + round(10 * fraction)) % train.classes
        if self.fault == "edits":
            train.labels[:2] = train.labels[:2].flip(0)
        if self.fault == "one twice" and len(labels) > 1:
            return Poison(torch.cat([found.indices[:-1], found.indices[:1]]), labels)
        return Poison(found.indices, labels)


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("too many", {SHARE, NOTHING}),
        ("one twice", {SHARE}),
        ("never nothing", {NOTHING}),
        ("no class", {VALID, SEED, ALIKE}),
        ("true labels", {VALID, SEED}),
        ("another draw", {NESTED, ALIKE}),
        ("other labels", {ALIKE}),
        ("deaf to its seed", {SEED}),
        ("unseeded", {NESTED, SEED, ALONE, ALIKE}),
        ("edits", {ALONE}),
    ],
)
def test_the_suite_of_data_poisons_catches(fault, rules):
    class Suite(DataPoisoningConformance):
        def attack(self, seed=0):
            return Broken(fault, seed)

    assert broken_rules(Suite()) == rules


class BrokenBrew(ModelPoisoning):
    """Gradient matching with one rule broken."""

    def __init__(self, fault, seed):
        self.spec, self.fault = GradientMatchingSpec(targets=2, steps=2, epsilon=16 / 255, seed=seed), fault

    def brew(self, train, aims, surrogate, recipe, fraction, *, seed, **options):
        if self.fault == "trains":
            next(surrogate.parameters()).data.add_(1e-7)
        if self.fault == "eval mode":
            surrogate.eval()
        brew = GradientMatching(self.spec).brew(
            train, aims, surrogate, recipe, fraction, seed=seed, **options
        )
        if self.fault == "far":
            return replace(brew, poison=replace(brew.poison, images=brew.poison.images + 40))
        if self.fault == "no aim":
            return replace(brew, aims=brew.aims + 1)
        if self.fault == "no loss":
            return replace(brew, after=brew.after * torch.nan)
        return brew


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("trains", {"the_surrogate_is_left_bit_identical"}),
        ("eval mode", {"the_surrogate_is_left_bit_identical"}),
        ("far", {"changed_pixels_stay_within_the_specs_epsilon"}),
        ("no aim", {"every_poison_serves_an_aim_and_the_losses_are_numbers"}),
        ("no loss", {"every_poison_serves_an_aim_and_the_losses_are_numbers"}),
    ],
)
def test_the_suite_of_model_poisons_catches(fault, rules):
    class Suite(ModelPoisoningConformance):
        def attack(self, seed=0):
            return BrokenBrew(fault, seed)

    assert broken_rules(Suite()) == rules
