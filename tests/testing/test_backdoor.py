"""The conformance suites of backdoors catch what they are there to catch."""

import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.attacks.backdoor.badnets import BadNets
from nasaudit.attacks.backdoor.base import Backdoored, DataBackdoor
from nasaudit.data.split import Split
from nasaudit.spec.attacks import BadNetsSpec
from nasaudit.testing.backdoor import DataBackdoorConformance

IMAGES = "triggered_images_are_images"
COMPANY = "an_image_is_triggered_alike_in_any_company"
SHOWN = "a_trigger_that_is_shown_is_the_one_that_is_stamped"
READY = "the_network_is_ready_to_predict"
SEEDS = "seeds_decide_everything"
ALONE = "the_training_images_and_global_generators_are_left_alone"
SHARE = "it_poisons_no_more_than_its_share_of_the_images"
PLACES = "the_split_keeps_its_images_places_and_a_new_label_is_the_targets"
CHOICE = "the_seed_chooses_the_images"
POISONING = "poisoning_leaves_the_split_alone"


class Broken(DataBackdoor):
    """BadNets with one rule broken."""

    def __init__(self, fault, seed):
        self.spec, self.fault = BadNetsSpec(size=3, seed=seed, target_class=1), fault

    def stamp(self, shape):
        trigger = BadNets(self.spec).stamp(shape)
        stamps = {
            "bright": lambda pixels: trigger(pixels) + 0.5,
            "nothing": lambda pixels: pixels,
            "in place": lambda pixels: pixels.copy_(trigger(pixels)) if len(pixels) else pixels,
            "by the batch": lambda pixels: (trigger(pixels) + pixels.mean()) / 2 if len(pixels) else pixels,
        }
        return stamps.get(self.fault, trigger)

    def poison(self, split):
        seed = {"deaf to its seed": 0, "unseeded": int(torch.randint(10**6, (), generator=self.generator()))}
        spec = self.spec.model_copy(update={"seed": seed.get(self.fault, self.spec.seed)})
        if self.fault == "too many":
            spec = spec.model_copy(update={"poison_fraction": 0.3})
        if self.fault == "another class":
            spec = spec.model_copy(update={"target_class": 2})
        if self.fault == "edits":
            split.images[0] = 0
        found = BadNets(spec).poison(split)
        if self.fault == "order":
            rows = torch.arange(len(split)).roll(1)
            return Split(found.images, found.labels, found.indices[rows], found.classes)
        return found

    def generator(self):
        return torch.default_generator if self.fault == "unseeded" else torch.Generator()

    def plant(self, network, ground):
        planted = super().plant(network, ground)
        if self.fault == "training mode":
            planted.network.train()
        if self.fault == "another trigger":
            return Backdoored(
                planted.network, planted.stamp, planted.trigger.with_pattern(torch.zeros(1, 8, 8))
            )
        return planted


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("bright", {IMAGES}),
        ("nothing", {IMAGES}),
        ("in place", {IMAGES}),
        ("by the batch", {COMPANY}),
        ("another trigger", {SHOWN}),
        ("training mode", {READY}),
        ("unseeded", {SEEDS, ALONE, CHOICE, POISONING}),
        ("deaf to its seed", {CHOICE}),
        ("edits", {ALONE, POISONING, SHARE}),
        ("too many", {SHARE}),
        ("another class", {PLACES}),
        ("order", {PLACES}),
    ],
)
def test_the_suite_of_backdoors_catches(fault, rules):
    class Suite(DataBackdoorConformance):
        def attack(self, seed=0):
            return Broken(fault, seed)

    assert broken_rules(Suite()) == rules
