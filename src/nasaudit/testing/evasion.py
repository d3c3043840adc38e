"""The conformance suites of evasion attacks: what every one of them must keep, inherited by its test.

    class TestMyAttack(EvasionConformance):
        def attack(self) -> EvasionAttack[Classifier]:
            return MyAttack(MyAttackSpec())

Pytest runs the inherited tests. Which suite is the attack's own follows from its types:

    EvasionConformance              EvasionAttack[Classifier]
    OracleConformance               EvasionAttack[Oracle]
    MinimalConformance              MinimalAttack[Classifier]
    MinimalOracleConformance        MinimalAttack[Oracle]

Override `epsilon` for another norm's scale, `images` where an attack is slow, and `output` for the Oracle's answers.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nasaudit.attacks.evasion.base import EvasionAttack, MinimalAttack, Nearest, Perturbed
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.data.split import Split
from nasaudit.errors import DataError
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.untouched import untouched
from nasaudit.testing.victims import trained_conv_net
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle, Output

SHAPE = (1, 8, 8)
CLASSES = 4
ALL = slice(None)
BATCHES = 12  # of one size, of which verdicts are compared


@dataclass(frozen=True, eq=False)
class _Claim:
    """What both kinds of attack say of N images."""

    images: Tensor
    broken: Tensor
    steps: Tensor
    queries: Tensor | None


class _Conformance(ABC):
    """Rules of all evasion attacks, on a small trained network with batch normalisation."""

    images = 48  # how many are attacked
    epsilon = 0.1  # in the attack's norm: large enough to break some images, and small enough to leave some
    sizes = (1, 7, 20)  # of the batches that must not matter

    @abstractmethod
    def attack(self) -> Any:
        """A new attack."""

    @abstractmethod
    def claim(self, victim: Classifier | Oracle, split: Split, seed: int = 0) -> _Claim:
        """Run a new attack on these images, to leave their labels."""

    def access(self, victim: Classifier) -> Classifier | Oracle:
        """What the attack is given of the victim."""
        return victim

    def split(self, rows: slice = ALL) -> Split:
        """The images, or part of them."""
        whole = synthetic_split(self.images, CLASSES, SHAPE, seed=5)
        return whole.take(torch.arange(self.images)[rows])

    @pytest.fixture
    def network(self) -> nn.Module:
        """The user's own network: in training mode and with gradients, as one may hand it over."""
        network = trained_conv_net(SHAPE, CLASSES)
        network.train()
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, 0.25)
        return network

    @pytest.fixture
    def victim(self, network: nn.Module) -> Classifier:
        """A Classifier of that network."""
        return Classifier(network, CLASSES, input_shape=SHAPE)

    def test_what_it_calls_broken_is_broken(self, victim: Classifier) -> None:
        """A fresh forward pass agrees with every claim."""
        claim = self.claim(self.access(victim), self.split())
        wrong = victim(claim.images).argmax(1) != self.split().labels
        assert claim.broken.any()
        assert wrong[claim.broken].all()

    def test_the_network_is_left_bit_identical(self, network: nn.Module, victim: Classifier) -> None:
        """Weights, gradients, BN statistics and training flags: the user's own and the Classifier's."""
        with untouched(network, victim.network):
            self.claim(self.access(victim), self.split())

    def test_examples_stay_in_the_range_of_pixels(self, victim: Classifier) -> None:
        """Within [0,1], to the last bit."""
        images = self.claim(self.access(victim), self.split()).images
        assert images.dtype == torch.float32
        assert images.min() >= 0
        assert images.max() <= 1

    @pytest.mark.parametrize("position", range(3))
    def test_verdicts_do_not_depend_on_the_batch(self, victim: Classifier, position: int) -> None:
        """Images are attacked alike in batches of any size: randomness hangs on their indices."""
        size = self.sizes[position]
        whole = self.claim(self.access(victim), self.split())
        batches = [slice(start, start + size) for start in range(0, self.images, size)]
        # Some of the very small ones, from all over the images.
        for rows in batches[:: max(1, len(batches) // BATCHES)]:
            part = self.claim(self.access(victim), self.split(rows))
            assert torch.equal(part.broken, whole.broken[rows])
            assert torch.equal(part.steps, whole.steps[rows])

    def test_a_seed_decides_everything(self, victim: Classifier) -> None:
        """Twice the same seed, twice the same examples."""
        first = self.claim(self.access(victim), self.split(), seed=3)
        torch.rand(5)  # the global generator must not matter
        again = self.claim(self.access(victim), self.split(), seed=3)
        assert torch.equal(first.images, again.images)
        assert torch.equal(first.steps, again.steps)

    def test_the_global_generator_is_left_alone(self, victim: Classifier) -> None:
        """Randomness is an argument: no seed is set, and no number drawn, behind the back of others."""
        with untouched():
            self.claim(self.access(victim), self.split())

    def test_the_images_handed_in_are_left_alone(self, victim: Classifier) -> None:
        """No in-place edit of the clean images."""
        split = self.split(slice(0, 8))
        pixels = split.pixels()
        before = pixels.clone()
        self._run(self.access(victim), pixels, split)
        assert torch.equal(pixels, before)

    def test_an_empty_batch_is_fine(self, victim: Classifier) -> None:
        """No image: an empty result of the right shape."""
        claim = self.claim(self.access(victim), self.split(slice(0, 0)))
        assert claim.images.shape == (0, *SHAPE)
        assert len(claim.steps) == len(claim.broken) == 0

    @pytest.mark.parametrize("bad", [1.5, -0.1, float("nan")])
    def test_images_outside_of_the_range_are_refused(self, victim: Classifier, bad: float) -> None:
        """The first bad image is named."""
        split = self.split(slice(0, 4))
        pixels = split.pixels()
        pixels[2, 0, 3, 3] = bad
        with pytest.raises(DataError, match="image 2"):
            self._run(self.access(victim), pixels, split)

    @abstractmethod
    def _run(self, victim: Classifier | Oracle, pixels: Tensor, split: Split, seed: int = 0) -> object:
        """Run a new attack on these pixels."""


class EvasionConformance(_Conformance):
    """Rules of `EvasionAttack.perturb` with a Classifier."""

    @abstractmethod
    def attack(self) -> EvasionAttack[Any]:
        """A new attack."""

    def perturb(
        self,
        victim: Classifier | Oracle,
        rows: slice = ALL,
        seed: int = 0,
        epsilon: float | None = None,
    ) -> Perturbed:
        """Run the attack on part of the images."""
        split = self.split(rows)
        radius = self.epsilon if epsilon is None else epsilon
        return self.attack().perturb(
            victim, split.pixels(), Objective(split.labels), radius, seed=seed, indices=split.indices
        )

    def claim(self, victim: Classifier | Oracle, split: Split, seed: int = 0) -> _Claim:
        """See `_Conformance.claim`."""
        found = self._run(victim, split.pixels(), split, seed)
        return _Claim(found.images, found.broken, found.steps, found.queries)

    def _run(self, victim: Classifier | Oracle, pixels: Tensor, split: Split, seed: int = 0) -> Perturbed:
        return self.attack().perturb(
            victim, pixels, Objective(split.labels), self.epsilon, seed=seed, indices=split.indices
        )

    def test_it_breaks_some_images_and_not_all(self, victim: Classifier) -> None:
        """Otherwise the other tests would prove little."""
        broken = self.perturb(self.access(victim)).broken
        assert 0 < int(broken.sum()) < len(broken)

    def test_what_it_gives_up_is_not_broken(self, victim: Classifier) -> None:
        """The verdicts of the attack are those of a fresh forward pass, both ways."""
        result = self.perturb(self.access(victim))
        assert torch.equal(victim(result.images).argmax(1) != self.split().labels, result.broken)

    def test_examples_stay_in_the_ball(self, victim: Classifier) -> None:
        """At most epsilon away, to the last bit of float32."""
        result, clean = self.perturb(self.access(victim)), self.split().pixels()
        change = (result.images - clean).flatten(1)
        size = change.abs().amax(1) if self.attack().spec.norm == "linf" else change.norm(dim=1)
        assert (size <= self.epsilon).all()

    def test_epsilon_zero_returns_the_images(self, victim: Classifier) -> None:
        """Bit by bit."""
        result = self.perturb(self.access(victim), epsilon=0.0)
        assert torch.equal(result.images, self.split().pixels())


class MinimalConformance(_Conformance):
    """Rules of `MinimalAttack.minimise` with a Classifier."""

    @abstractmethod
    def attack(self) -> MinimalAttack[Any]:
        """A new attack."""

    def claim(self, victim: Classifier | Oracle, split: Split, seed: int = 0) -> _Claim:
        """See `_Conformance.claim`."""
        found = self._run(victim, split.pixels(), split, seed)
        return _Claim(found.images, found.distance.isfinite(), found.steps, found.queries)

    def _run(self, victim: Classifier | Oracle, pixels: Tensor, split: Split, seed: int = 0) -> Nearest:
        return self.attack().minimise(
            victim, pixels, Objective(split.labels), seed=seed, indices=split.indices
        )

    def test_distances_are_those_of_the_examples(self, victim: Classifier) -> None:
        """Measured here in float64; and nothing is claimed where nothing was changed."""
        split = self.split()
        found = self._run(self.access(victim), split.pixels(), split)
        change = (found.images.double() - split.pixels().double()).flatten(1)
        size = change.abs().amax(1) if self.attack().spec.norm == "linf" else change.norm(dim=1)
        claimed = found.distance.isfinite()
        torch.testing.assert_close(found.distance[claimed], size[claimed], rtol=1e-5, atol=1e-6)
        assert (size[~claimed] == 0).all()

    def test_an_image_that_needs_no_change_is_at_distance_zero(self, victim: Classifier) -> None:
        """It comes back bit by bit."""
        split = self.split(slice(0, 8))
        pixels = split.pixels()
        wrong = (victim(pixels).argmax(1) + 1) % CLASSES
        found = self.attack().minimise(
            self.access(victim), pixels, Objective(wrong), seed=0, indices=split.indices
        )
        assert (found.distance == 0).all()
        assert torch.equal(found.images, pixels)


class _CountsQueries(_Conformance):
    """Rules of attacks on an Oracle."""

    output: Output = "probabilities"

    def access(self, victim: Classifier) -> Oracle:
        """An Oracle without a budget."""
        return Oracle(victim, output=self.output)

    def test_every_query_is_counted_to_its_image(self, victim: Classifier) -> None:
        """What the images cost adds up to what the Oracle has answered."""
        oracle = self.access(victim)
        queries = self.claim(oracle, self.split()).queries
        assert queries is not None
        assert int(queries.sum()) == oracle.queries > 0

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
    def test_a_budget_that_runs_out_ends_the_attack_with_what_it_has(
        self, victim: Classifier, share: float
    ) -> None:
        """No error reaches the caller, the budget holds, and what is claimed is true."""
        free = self.access(victim)
        self.claim(free, self.split())
        oracle = Oracle(victim, int(share * free.queries), self.output)
        claim = self.claim(oracle, self.split())
        assert claim.queries is not None
        assert int(claim.queries.sum()) == oracle.queries <= int(share * free.queries)
        wrong = victim(claim.images).argmax(1) != self.split().labels
        assert wrong[claim.broken].all()
        assert claim.images.min() >= 0
        assert claim.images.max() <= 1


class OracleConformance(_CountsQueries, EvasionConformance):
    """Rules of `EvasionAttack.perturb` with an Oracle."""


class MinimalOracleConformance(_CountsQueries, MinimalConformance):
    """Rules of `MinimalAttack.minimise` with an Oracle."""
