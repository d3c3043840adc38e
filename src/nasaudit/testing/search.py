"""The conformance suite of searches: what every one of them must keep, inherited by its test.

    class TestMySearch(SearchConformance):
        def search(self) -> Search:
            return MySearch(MySearchSpec(epochs=1))

Pytest runs the inherited tests.
"""

from abc import ABC, abstractmethod
from random import Random

import torch

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import build
from nasaudit.arch.space import draw
from nasaudit.search.base import Found, Search, SearchSpace
from nasaudit.spec.genotype import Cell, Edge, Genotype
from nasaudit.testing.untouched import untouched


class TwoOps:
    """Cells of the DARTS space that are made of two ops, small enough for a search of seconds."""

    name = "two ops"
    ops = ("skip_connect", "max_pool_3x3")

    def draw(self, random: Random) -> Genotype:
        """A genotype of the DARTS space, each op replaced by one of the two."""
        genotype = draw(random)
        return Genotype(
            normal=self._few(genotype.normal, random), reduction=self._few(genotype.reduction, random)
        )

    def _few(self, cell: Cell, random: Random) -> Cell:
        nodes = (tuple(Edge(random.choice(self.ops), edge.source) for edge in node) for node in cell.nodes)
        return Cell(nodes=tuple(nodes), concat=cell.concat)

    def __contains__(self, genotype: Genotype) -> bool:
        cells = (genotype.normal, genotype.reduction)
        return all(edge.op in self.ops for cell in cells for node in cell.nodes for edge in node)


class SearchConformance(ABC):
    """Rules of `Search.search`, on a small space."""

    seeds = range(5)  # over which a search that draws at all comes to more than one genotype

    @abstractmethod
    def search(self) -> Search:
        """A new search."""

    def space(self) -> SearchSpace:
        """What is searched."""
        return TwoOps()

    def found(self, seed: int = 0) -> Found:
        """Run a new search."""
        return self.search().search(self.space(), seed=seed)

    def test_what_it_finds_is_of_the_space_and_can_be_built(self) -> None:
        """A genotype like any other: with a round trip through JSON, and a network."""
        space = self.space()
        for seed in self.seeds:
            genotype = self.found(seed).genotype
            assert genotype in space
            assert Genotype.model_validate_json(genotype.model_dump_json()) == genotype
        darts = resolve(choose("darts"), "mini", 10, (1, 8, 8))
        network = build(darts.model_copy(update={"genotype": genotype}), 0).eval()
        assert network(torch.rand(2, 1, 8, 8)).shape == (2, 10)

    def test_provenance_says_how_to_find_it_again(self) -> None:
        """Method, space and seed, in words."""
        provenance = self.found(seed=3).provenance
        assert provenance["method"]
        assert provenance["space"] == self.space().name
        assert provenance["seed"] == "3"

    def test_the_seed_decides_everything(self) -> None:
        """The same seed finds the same, and seeds matter."""
        first = self.found(seed=3)
        torch.rand(5)  # the global generator must not matter
        assert self.found(seed=3) == first
        assert len({self.found(seed).genotype for seed in self.seeds}) > 1

    def test_progress_rises(self) -> None:
        """Shares of the work, of which none is taken back."""
        shares: list[float] = []
        self.search().search(self.space(), seed=0, progress=lambda done, text="": shares.append(done))
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)

    def test_global_generators_are_left_alone(self) -> None:
        """Randomness is an argument."""
        with untouched():
            self.found()
