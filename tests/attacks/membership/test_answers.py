"""The attacks that need no shadow models keep the rules of their family."""

import pytest
import torch
from torch import nn

from nasaudit.attacks.evasion.black_box.hop_skip_jump import _Walk
from nasaudit.attacks.membership.base import Knowledge
from nasaudit.attacks.membership.boundary_distance import BoundaryDistance
from nasaudit.attacks.membership.gap import Gap
from nasaudit.attacks.membership.loss_threshold import LossThreshold
from nasaudit.spec.attacks import BoundaryDistanceSpec, GapSpec, LossThresholdSpec
from nasaudit.spec.attacks.membership import paper_boundary_distance
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.membership import MembershipConformance
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


class TestGap(MembershipConformance):
    def attack(self):
        return Gap(GapSpec())


class TestLossThreshold(MembershipConformance):
    def attack(self):
        return LossThreshold(LossThresholdSpec())


class TestBoundaryDistance(MembershipConformance):
    def attack(self):
        return BoundaryDistance(BoundaryDistanceSpec(iterations=2, evaluations=20, query_budget=200))


class TestPaperBoundaryDistance(MembershipConformance):
    def attack(self):
        return BoundaryDistance(
            paper_boundary_distance().model_copy(update={"iterations": 2, "query_budget": 200})
        )


class Halves(nn.Module):
    """Class 1 where the mean of the pixels is above one half."""

    def forward(self, x):
        mean = x.flatten(1).mean(1)
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)


def scores(spec, images):
    victim = Oracle(Classifier(Halves(), 2), output="label")
    return BoundaryDistance(spec).score(victim, images, Knowledge.__new__(Knowledge), seed=0), victim


def test_published_setting_559_evaluations_from_the_own_prediction_scored_in_linf(monkeypatch):
    """Trusted-AI/adversarial-robustness-toolbox, art/attacks/evasion/hop_skip_jump.py:420: num_eval =
    min(int(init_eval * sqrt(curr_iter + 1)), max_eval), with 25, 100, 10 iterations of projects/membership.py:37-41;
    :134 takes the predictions for y=None; membership.py:71 takes the distance with ord=np.inf.
    """
    spent = []
    direction = _Walk._direction

    def spy(walk, rows, delta, evaluations, t):
        spent.append(int(evaluations[0]))
        return direction(walk, rows, delta, evaluations, t)

    monkeypatch.setattr(_Walk, "_direction", spy)
    images = synthetic_split(12, 2, (1, 6, 6), seed=0)
    means = images.images.flatten(1).float().mean(1) / 255
    images = images.changed(images.indices, (means <= 0.5).long())  # every label is wrong
    found, victim = scores(paper_boundary_distance(), images)
    assert spent == [25, 35, 43, 50, 55, 61, 66, 70, 75, 79]
    assert sum(spent) == 559
    assert victim.queries == found.queries.sum()
    # The nearest change, of all pixels alike, has this linf norm; in l2 it would be six times as large.
    least = (means - 0.5).abs().double().numpy()
    assert (found.score >= least - 1e-6).all()
    assert (found.score < 4 * least + 0.02).all()
    by_label, _ = scores(paper_boundary_distance().model_copy(update={"leave": "label"}), images)
    assert by_label.score.tolist() == pytest.approx([0.0] * 12)
