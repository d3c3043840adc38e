"""The attacks that need no shadow models keep the rules of their family."""

from nasaudit.attacks.membership.boundary_distance import BoundaryDistance
from nasaudit.attacks.membership.gap import Gap
from nasaudit.attacks.membership.loss_threshold import LossThreshold
from nasaudit.spec.attacks import BoundaryDistanceSpec, GapSpec, LossThresholdSpec
from nasaudit.testing.membership import MembershipConformance


class TestGap(MembershipConformance):
    def attack(self):
        return Gap(GapSpec())


class TestLossThreshold(MembershipConformance):
    def attack(self):
        return LossThreshold(LossThresholdSpec())


class TestBoundaryDistance(MembershipConformance):
    def attack(self):
        return BoundaryDistance(BoundaryDistanceSpec(iterations=2, evaluations=20, query_budget=200))
