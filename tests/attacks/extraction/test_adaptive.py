"""The policy against formulas by hand, and in a world where only one class is worth asking about."""

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import build
from nasaudit.attacks.extraction.adaptive import (
    AdaptiveKnockoff,
    Baseline,
    TreePolicy,
    group_labels,
    rewards,
)
from nasaudit.data.split import Split
from nasaudit.spec.attacks import AdaptiveKnockoffSpec
from nasaudit.testing.extraction import ExtractionConformance
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

SHAPE, CLASSES = (1, 8, 8), 4
SURROGATE = resolve(choose("vgg"), "mini", CLASSES, SHAPE)
ALL_OPEN = np.ones(4, dtype=bool)


class TestSoft(ExtractionConformance):
    def attack(self):
        return AdaptiveKnockoff(AdaptiveKnockoffSpec())


class TestHard(ExtractionConformance):
    output = "label"

    def attack(self):
        return AdaptiveKnockoff(AdaptiveKnockoffSpec(labels="hard"))


class Rigged(nn.Module):
    """Sure of images whose first pixel is bright, and undecided about all others."""

    def forward(self, pixels):
        bright = (pixels[:, :, 0, 0].mean(1) > 0.5).float()
        return torch.stack([8 * bright, *[torch.zeros_like(bright)] * (CLASSES - 1)], dim=1)


def rigged_pool(images=800, informative=2):
    labels = torch.arange(images) % CLASSES
    pixels = torch.randint(0, 100, (images, *SHAPE), generator=torch.Generator().manual_seed(0))
    pixels[:, :, 0, 0] = torch.where(labels == informative, 255, 0)[:, None]
    return Split(pixels.to(torch.uint8), labels, torch.arange(images), CLASSES)


def query(spec, pool, budget, seed=0, oracle=None):
    oracle = oracle or Oracle(Classifier(Rigged(), CLASSES, input_shape=SHAPE, folding=False), budget)
    return AdaptiveKnockoff(spec).query(oracle, pool, budget, build(SURROGATE, 1), seed=seed)


def share_of_informative(spec, seeds=5):
    pool = rigged_pool()
    asked = [pool.labels[query(spec, pool, 300, seed).positions] for seed in range(seeds)]
    return float((torch.cat(asked) == 2).float().mean())


def test_the_policy_prefers_the_one_class_that_the_victim_is_sure_of():
    """By chance the class gets a quarter. A policy that is never updated, below, does get a quarter."""
    spec = AdaptiveKnockoffSpec(rewards=("certainty",), images_per_action=4)
    assert share_of_informative(spec) > 0.35


def test_a_policy_that_learns_nothing_asks_about_all_classes_alike(monkeypatch):
    monkeypatch.setattr(TreePolicy, "update", lambda *_: None)
    spec = AdaptiveKnockoffSpec(rewards=("certainty",), images_per_action=4)
    assert share_of_informative(spec) == pytest.approx(0.25, abs=0.05)


def test_every_label_is_as_probable_at_first_however_the_groups_are():
    groups, labels = TreePolicy(np.array([0, 1, 1, 1])).probabilities(ALL_OPEN)
    np.testing.assert_allclose(groups[[0, 1, 1, 1]] * labels, 0.25)


def test_an_update_is_the_gradient_bandits_written_out():
    policy = TreePolicy(np.array([0, 0, 1, 1]))
    policy.update((1, 2), 0.5, ALL_OPEN)  # pi = 1/2 at the root and in the group; alpha = 1
    h_root, h_labels = policy.preference
    np.testing.assert_allclose(h_root - np.log(2), [-0.25, 0.25])
    np.testing.assert_allclose(h_labels, [0, 0, 0.25, -0.25])
    pi = np.exp(0.25) / (np.exp(0.25) + np.exp(-0.25))
    policy.update((1, 2), -1.0, ALL_OPEN)  # alpha = 1/2
    np.testing.assert_allclose(
        h_labels, [0, 0, 0.25 - 0.5 * (1 - pi), -0.25 + 0.5 * (1 - pi)]
    )  # the sibling has 1 - pi


def test_the_update_is_the_gradient_of_the_log_probability():
    """REINFORCE by finite differences: d log pi(z) / dH, times alpha and the advantage."""
    policy = TreePolicy(np.array([0, 0, 0, 0]))
    policy.preference[1][:] = [0.3, -0.2, 0.7, 0.1]
    before = policy.preference[1].copy()

    def log_pi(h):
        return h[1] - np.log(np.exp(h).sum())

    gradient = [(log_pi(before + 1e-6 * e) - log_pi(before - 1e-6 * e)) / 2e-6 for e in np.eye(4)]
    policy.update((0, 1), 0.8, ALL_OPEN)
    np.testing.assert_allclose(policy.preference[1] - before, 0.8 * np.array(gradient), atol=1e-8)


def test_a_label_without_images_is_never_drawn():
    policy, rng = TreePolicy(np.array([0, 0, 1, 1])), np.random.default_rng(0)
    allowed = np.array([False, True, False, False])
    assert {policy.sample(allowed, rng) for _ in range(50)} == {(0, 1)}


def test_rewards_are_those_of_the_paper_computed_by_hand():
    answers = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])
    found = rewards(answers, [torch.tensor([0.6, 0.2, 0.2])], torch.zeros(2, 3))
    assert found["certainty"] == pytest.approx((0.5 + 0.0) / 2)
    assert found["diversity"] == pytest.approx((0.1 + 0.3) / 2)
    assert found["loss"] == pytest.approx(1 - 1 / 3)  # the loss of an undecided surrogate is log 3


def test_the_baseline_is_the_mean_of_the_window():
    baseline = Baseline(2)
    assert [baseline.advantage(r) for r in (0.5, 0.7, 0.1, 0.9)] == pytest.approx([0, 0.2, -0.5, 0.5])


def test_labels_that_look_alike_share_a_group():
    images = torch.zeros(8, 1, 8, 8, dtype=torch.uint8)
    labels = torch.arange(8) % 4
    for label, grey in enumerate((10, 200, 14, 210)):
        images[labels == label] = grey
    groups = group_labels(Split(images, labels, torch.arange(8), 4), None)
    assert groups[0] == groups[2] != groups[1] == groups[3]
