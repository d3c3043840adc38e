"""The conformance suites of searches: what every one of them must keep, inherited by its test.

    class TestMySearch(OneShotConformance):
        def search(self) -> MySearch:
            return MySearch(MySearchSpec(epochs=2, ...))

Pytest runs the inherited tests.
"""

import contextlib
import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.data.split import Split
from nasaudit.search.base import Child, Found, OneShotSearch, Problem, SampledSearch
from nasaudit.search.cells import Cells, belongs
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.searches.space import SpaceSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.untouched import untouched

# Small enough for a search of seconds.
TINY_SPACE = SpaceSpec(
    name="tiny", primitives=("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3"), nodes=2
)
SIDE = 8
CLASSES = 3


def tiny_split(images: int, seed: int) -> Split:
    """Images of `CLASSES` classes that are learned in a few steps: noise over a bright row of the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % CLASSES
    pixels = torch.randint(0, 100, (images, 1, SIDE, SIDE), generator=generator)
    rows = torch.arange(SIDE).view(1, 1, SIDE, 1)
    pixels += 150 * (rows == 2 * labels.view(-1, 1, 1, 1) + 1)
    return Split(pixels.to(torch.uint8), labels, torch.arange(images), CLASSES)


def tiny_problem(seed: int = 0, **changes: Any) -> Problem:
    """Images for a search of seconds."""
    train, held_out, validation = (tiny_split(24, number) for number in range(3))
    return replace(Problem(train, held_out, validation, seed=seed), **changes)


class Interrupted(BaseException):
    """Ends a search as a killed process would: nothing of the search's own catches it."""


# A search takes seconds, and most rules look at what one of the first seeds finds.
_RESULTS: WeakKeyDictionary[type, dict[tuple[str, int], Found]] = WeakKeyDictionary()


class SearchConformance(ABC):
    """Rules of all searches."""

    seeds = range(3)  # over which a search that draws at all comes to more than one result

    @abstractmethod
    def search(self) -> Any:
        """A new search."""

    @abstractmethod
    def found(self, seed: int = 0, **changes: Any) -> Found:
        """Run a new search; `changes` are fields of its problem, where it has one."""

    def result(self, seed: int) -> Found:
        """What this seed finds: searched once for all rules of the suite that need no search of their own."""
        results = _RESULTS.setdefault(type(self), {})
        key = (repr(self.search().spec), seed)
        if key not in results:
            results[key] = self.found(seed)
        return results[key]

    @property
    @abstractmethod
    def space(self) -> SpaceSpec:
        """What is searched."""

    def test_what_it_finds_is_of_the_space_and_can_be_built(self) -> None:
        """Cells like any others: with a round trip through JSON, and a network."""
        for seed in self.seeds:
            cells = self.result(seed).cells
            assert belongs(self.space, cells)
            _build(cells)

    def test_provenance_says_how_to_find_it_again(self) -> None:
        """Method, space and seed, in words."""
        provenance = self.result(seed=1).provenance
        assert provenance["method"]
        assert provenance["space"] == self.space.name
        assert provenance["seed"] == "1"

    def test_the_seed_decides_everything(self) -> None:
        """The same seed finds the same on the same way, and seeds matter."""
        first = self.result(seed=1)
        torch.rand(5)  # the global generator must not matter
        assert self.found(seed=1) == first
        assert len({str(self.result(seed).trace) for seed in self.seeds}) > 1

    def test_global_generators_are_left_alone(self) -> None:
        """Randomness is an argument."""
        with untouched():
            self.found()


class OneShotConformance(SearchConformance):
    """Rules of `OneShotSearch.search`, on a small space."""

    seeds = range(2)  # the losses of a trace tell them apart

    @abstractmethod
    def search(self) -> OneShotSearch[Any]:
        """A new search of at least two epochs, of batches of at most 24 images."""

    @property
    def space(self) -> SpaceSpec:  # noqa: D102
        space: SpaceSpec = self.search().spec.space
        return space

    def found(self, seed: int = 0, **changes: Any) -> Found:  # noqa: D102
        return self.search().search(tiny_problem(seed, **changes))

    def test_progress_rises(self) -> None:
        """Shares of the work, of which none is taken back."""
        shares: list[float] = []
        self.found(progress=lambda done, text="": shares.append(done))
        assert shares
        assert shares == sorted(shares)
        assert all(0 <= share <= 1 for share in shares)

    def test_an_interrupted_search_goes_on_to_the_same_cells(self) -> None:
        """From the checkpoint, and on the way that the undisturbed one went."""
        undisturbed = self.result(seed=0)
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoint"
            shares: list[float] = []

            def interrupt(done: float, text: str = "") -> None:
                shares.append(done)
                if done > 0.6:
                    raise Interrupted

            with contextlib.suppress(Interrupted):
                self.found(checkpoint=checkpoint, progress=interrupt)
            assert checkpoint.is_file(), "no checkpoint after 0.6 of the search"
            begun: list[float] = []
            assert (
                self.found(checkpoint=checkpoint, progress=lambda done, text="": begun.append(done))
                == undisturbed
            )
            assert begun[0] > shares[0], "it began anew"

    def test_the_images_are_left_alone(self) -> None:
        """Splits are shared with whatever else runs in the process."""
        problem = tiny_problem()
        before = [split.images.clone() for split in (problem.train, problem.held_out, problem.validation)]
        self.search().search(problem)
        after = [problem.train.images, problem.held_out.images, problem.validation.images]
        assert all(map(torch.equal, before, after))


class SampledConformance(SearchConformance):
    """Rules of `SampledSearch.rounds`; its children are judged by the number of their skips."""

    fails: frozenset[int] = frozenset()  # numbers of the children that fail

    @abstractmethod
    def search(self) -> SampledSearch[Any]:
        """A new search, of a few children."""

    @property
    def space(self) -> SpaceSpec:  # noqa: D102
        space: SpaceSpec = self.search().spec.space
        return space

    def found(self, seed: int = 0, **changes: Any) -> Found:  # noqa: D102
        return self._run(seed, frozenset())[0]

    def _run(self, seed: int, fails: frozenset[int]) -> tuple[Found, list[Cells]]:
        search, asked, children = self.search(), list[Cells](), None
        rounds, waiting = search.rounds(seed), list[Child]()
        while True:
            try:
                cells = next(rounds) if children is None else rounds.send(children)
            except StopIteration as end:
                return end.value, asked
            waiting += [
                Child(each, None if len(asked) + k in fails else dict.fromkeys(self.objectives, _skips(each)))
                for k, each in enumerate(cells)
            ]
            asked += cells
            told = max(0, len(waiting) - search.behind) if cells else len(waiting)
            children, waiting = waiting[:told], waiting[told:]

    @property
    def objectives(self) -> tuple[str, ...]:
        """What children are judged by."""
        return ("accuracy",)

    def test_it_asks_about_cells_of_the_space(self) -> None:
        """And about some at all."""
        _, asked = self._run(0, frozenset())
        assert asked
        assert all(belongs(self.space, cells) for cells in asked)

    def test_children_may_fail(self) -> None:
        """A child without a result is no reason to end, and is not what is found."""
        _, asked = self._run(0, frozenset())
        found, again = self._run(0, frozenset({0}))
        assert len(again) == len(asked)
        assert found.cells != again[0] or again.count(again[0]) > 1


def _skips(cells: Cells) -> float:
    if isinstance(cells, str):
        return float(cells.count("skip_connect"))
    return float(
        sum(edge.op == "skip_connect" for cell in (cells.normal, cells.reduction) for edge in cell.edges)
    )


def _build(cells: Cells) -> None:
    if isinstance(cells, Genotype):
        assert Genotype.model_validate_json(cells.model_dump_json()) == cells
        choice = ArchChoice(name="found", genotype=cells)
    else:
        choice = ArchChoice.parse({"name": "found", "model": cells})
    network = build(resolve(choice, "mini", CLASSES, (1, SIDE, SIDE)), 0).eval()
    assert network(torch.rand(2, 1, SIDE, SIDE)).shape == (2, CLASSES)
