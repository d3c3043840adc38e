"""The conformance suite of extraction attacks: what every one of them must keep, inherited by its test.

    class TestMyThief(ExtractionConformance):
        def attack(self) -> ExtractionAttack:
            return MyThief(MyThiefSpec())

Override `output` for a thief that is told classes alone.
"""

from abc import ABC, abstractmethod

import torch

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import Network, build
from nasaudit.attacks.extraction.base import ExtractionAttack, Stolen, TransferSet
from nasaudit.data.split import Split
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.untouched import counted, untouched
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle, Output

SHAPE = (1, 8, 8)
CLASSES = 4
SURROGATE = resolve(choose("vgg"), "mini", CLASSES, SHAPE)


class ExtractionConformance(ABC):
    """Rules of `ExtractionAttack`, with a small trained victim and a surrogate of another kind."""

    output: Output = "probabilities"
    budget = 40  # of the 96 images of the pool

    @abstractmethod
    def attack(self) -> ExtractionAttack:
        """A new attack."""

    def victim(self) -> Classifier:
        """The victim as a white box, which the thief never gets."""
        return Classifier(trained_conv_net(SHAPE, CLASSES), CLASSES, input_shape=SHAPE)

    def oracle(self, victim: Classifier | None = None, budget: int | None = None) -> Oracle:
        """The victim as the thief sees it."""
        return Oracle(self.victim() if victim is None else victim, budget, self.output)

    def pool(self) -> Split:
        """The thief's images."""
        return synthetic_split(96, CLASSES, SHAPE, seed=21)

    def network(self) -> Network:
        """A fresh surrogate."""
        return build(SURROGATE, 1)

    def query(self, oracle: Oracle, budget: int | None = None, seed: int = 5) -> TransferSet:
        """Ask, with a new attack."""
        most = self.budget if budget is None else budget
        return self.attack().query(oracle, self.pool(), most, self.network(), seed=seed)

    def steal(self, budget: int | None = None, transfer: TransferSet | None = None) -> Stolen:
        """Ask and train, with a new attack; or train on what was asked before, with a pool whose labels are wrong."""
        attack, pool = self.attack(), self.pool()
        if transfer is not None:
            attack.query = lambda *_, **__: transfer  # type: ignore[method-assign]
            pool = Split(pool.images, (pool.labels + 1) % CLASSES, pool.indices, CLASSES)
        recipe = TrainingSpec(epochs=2, batch_size=16, crop=0)
        most = self.budget if budget is None else budget
        return attack.steal(self.oracle(), pool, most, self.network(), recipe, seed=5)

    def test_the_budget_holds_and_every_query_goes_through_the_oracle(self) -> None:
        """What the victim's network has seen is what the Oracle has counted, one query for each answer."""
        for budget in (2, self.budget):
            victim = self.victim()
            oracle = self.oracle(victim)
            with counted(victim) as seen:
                transfer = self.query(oracle, budget)
            assert sum(seen) == oracle.queries == len(transfer) <= budget

    def test_an_oracle_that_stops_answering_ends_the_queries(self) -> None:
        """No error reaches the caller, and what was answered is kept."""
        oracle = self.oracle(budget=self.budget // 2 + 1)
        assert len(self.query(oracle)) == oracle.queries == self.budget // 2 + 1

    def test_no_image_is_asked_about_twice(self) -> None:
        """And each is of the pool."""
        positions = self.query(self.oracle()).positions
        assert len(set(positions.tolist())) == len(positions)
        assert ((positions >= 0) & (positions < len(self.pool()))).all()

    def test_a_smaller_budget_asks_the_first_of_a_larger_ones_questions(self) -> None:
        """Or else a curve over budgets would compare different thefts."""
        small, large = (self.query(self.oracle(), budget).positions for budget in (15, self.budget))
        assert torch.equal(small, large[: len(small)])

    def test_answers_are_the_victims_in_the_order_of_asking(self) -> None:
        """Asked again here; in other batches float32 rounds otherwise."""
        transfer = self.query(self.oracle())
        asked = self.pool().pixels(transfer.positions)
        torch.testing.assert_close(transfer.answers, self.oracle()(asked), atol=1e-5, rtol=0)

    def test_the_surrogate_learns_from_the_answers_and_from_no_label_of_the_pool(self) -> None:
        """The same questions and answers make the same surrogate, whatever the labels say."""
        stolen = self.steal()
        lied_to = self.steal(transfer=stolen.transfer)
        assert _same(stolen.surrogate, lied_to.surrogate)
        assert not _same(stolen.surrogate, self.network())
        assert not stolen.surrogate.training

    def test_a_budget_of_nothing_leaves_the_surrogate_as_it_was_built(self) -> None:
        """The first point of a curve over budgets."""
        assert _same(self.steal(budget=0).surrogate, self.network())

    def test_the_seed_decides_everything(self) -> None:
        """The same seed asks the same questions; another one asks others."""
        first = self.query(self.oracle(), seed=3)
        torch.rand(5)  # the global generator must not matter
        assert torch.equal(self.query(self.oracle(), seed=3).positions, first.positions)
        assert not torch.equal(self.query(self.oracle(), seed=4).positions, first.positions)
        assert _same(self.steal().surrogate, self.steal().surrogate)

    def test_querying_leaves_all_that_is_not_its_own_alone(self) -> None:
        """The victim, the pool, the surrogate that is trained later, and global generators."""
        victim, pool, network = self.victim(), self.pool(), self.network()
        with untouched(victim.network, pool, network):
            self.attack().query(self.oracle(victim), pool, self.budget, network, seed=5)


def _same(first: Network, second: Network) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(tensor, theirs[name]) for name, tensor in first.state_dict().items())
