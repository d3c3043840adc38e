"""The conformance suite of membership attacks: what every one of them must keep, inherited by its test.

class TestMyAttack(MembershipConformance):
    def attack(self) -> MembershipAttack:
        return MyAttack(MyAttackSpec(models=6))

Pytest runs the inherited tests.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from nasaudit.attacks.membership.base import Knowledge, MembershipAttack, Scores, ShadowModels
from nasaudit.data.shadows import Mask
from nasaudit.data.split import Split
from nasaudit.errors import QueryBudgetError
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.untouched import counted, untouched
from nasaudit.testing.victims import TinyConvNet, trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

SHAPE = (1, 8, 8)
CLASSES = 4


class MembershipConformance(ABC):
    """Rules of `MembershipAttack.score`, with a small trained victim and shadow models of its kind."""

    models = 6  # shadow models; each image was seen by two thirds of them

    @abstractmethod
    def attack(self) -> MembershipAttack:
        """A new attack."""

    def images(self) -> Split:
        """What is asked about: a quarter is labelled as a class that it does not look like."""
        split = synthetic_split(40, CLASSES, SHAPE, seed=1, first_index=500)
        return split.changed(split.indices[::4].contiguous(), (split.labels[::4] + 1) % CLASSES)

    def victim(self) -> Classifier:
        """The victim."""
        return self._classifier(trained_conv_net(SHAPE, CLASSES))

    def knowledge(self) -> Knowledge:
        """What the attacker has besides the victim's answers."""

        def trained_on(indices: Tensor) -> Mask:
            ranks = np.random.default_rng(0).random((self.models, 2000)).argsort(axis=0).argsort(axis=0)
            return np.asarray((3 * ranks < 2 * self.models)[:, indices.numpy()])

        shadows = [
            lambda k=k: self._classifier(TinyConvNet(SHAPE, CLASSES, seed=10 + k).eval())
            for k in range(self.models)
        ]
        pool = synthetic_split(30, CLASSES, SHAPE, seed=3, first_index=1000)
        return Knowledge(ShadowModels(shadows, trained_on), pool, TrainingSpec(crop=0))

    def score(
        self, images: Split | None = None, victim: Classifier | None = None, seed: int = 7
    ) -> tuple[Scores, Oracle]:
        """Run a new attack; its scores, and the Oracle that it asked."""
        attack = self.attack()
        oracle = Oracle(self.victim() if victim is None else victim, output=attack.output)
        asked = self.images() if images is None else images
        return attack.score(oracle, asked, self.knowledge(), seed=seed), oracle

    def test_every_image_gets_a_finite_score_and_not_all_the_same(self) -> None:
        """float64 [N]."""
        score = self.score()[0].score
        assert score.dtype == np.float64
        assert score.shape == (len(self.images()),)
        assert np.isfinite(score).all()
        assert len(np.unique(score)) > 1

    def test_the_place_of_an_image_tells_nothing(self) -> None:
        """Members are no secret of the order: images in another order get their own scores, in that order."""
        order = torch.randperm(len(self.images()), generator=torch.Generator().manual_seed(0))
        score, mixed = self.score()[0].score, self.score(self.images().take(order))[0].score
        np.testing.assert_allclose(mixed, score[order.numpy()], rtol=1e-4, atol=1e-5)

    def test_every_query_goes_through_the_oracle_and_is_counted_to_its_image(self) -> None:
        """What the victim's network has seen is what the Oracle has counted."""
        victim = self.victim()
        with counted(victim) as seen:
            scores, oracle = self.score(victim=victim)
        assert sum(seen) == oracle.queries > 0
        assert scores.queries is None or int(scores.queries.sum()) == oracle.queries

    def test_a_budget_that_runs_out_is_said_or_leaves_scores(self) -> None:
        """Either the Oracle's error reaches the caller, or every image has a finite score all the same."""
        attack = self.attack()
        oracle = Oracle(self.victim(), self.score()[1].queries // 2, attack.output)
        try:
            scores = attack.score(oracle, self.images(), self.knowledge(), seed=7)
        except QueryBudgetError:
            return
        assert np.isfinite(scores.score).all()

    def test_a_seed_decides_everything(self) -> None:
        """Twice the same seed, twice the same scores."""
        first = self.score(seed=3)[0]
        torch.rand(5)  # the global generator must not matter
        np.testing.assert_array_equal(self.score(seed=3)[0].score, first.score)

    def test_victim_images_and_global_generators_are_left_alone(self) -> None:
        """An attack reads."""
        victim, images = self.victim(), self.images()
        with untouched(victim.network, images):
            self.score(images, victim)

    def _classifier(self, network: nn.Module) -> Classifier:
        return Classifier(network, CLASSES, input_shape=SHAPE)
