"""What a search is given, and what it gives back. No torch: plans ask sampled methods."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nasaudit.progress import Progress, silent
from nasaudit.search.cells import Cells
from nasaudit.spec.searches import SearchSpec

if TYPE_CHECKING:
    from torch import Tensor

    from nasaudit.data.split import Split


@dataclass(frozen=True)
class Problem:
    """The images that a search may see, and where it runs.

    Attributes:
        train: what the weights learn from.
        held_out: what the mixture, or a controller, learns from. A method of one level takes both parts for both.
        validation: images of neither, by which a method chooses among its candidates.
        seed: decides every random choice.
        crop: pixels of padding of the random crops of training images.
        flip: whether they are mirrored at random.
        device: where to compute.
        progress: called at least once a second with the share that is done.
        checkpoint: a file that outlives an interrupted search; None: it begins anew.
        earlier: seconds that earlier attempts took; a search appends what its checkpoint says.
    """

    train: "Split"
    held_out: "Split"
    validation: "Split"
    seed: int = 0
    crop: int = 0
    flip: bool = False
    device: str = "cpu"
    progress: Progress = silent
    checkpoint: Path | None = None
    earlier: list[float] = field(default_factory=list)

    @property
    def moments(self) -> "tuple[Tensor, Tensor]":
        """Of the training pixels."""
        return self.train.joined(self.held_out).moments


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        cells: of the space.
        provenance: what a reader needs to repeat it, in words: at least `method`, `space` and `seed`.
        trace: what it went through, an entry an epoch or round: numbers and texts under names, the same in each.
        front: of a sampled method the children that are audited, `cells` the first of them; none: `cells` alone.
    """

    cells: Cells
    provenance: dict[str, str]
    trace: list[dict[str, Any]] = field(default_factory=list)
    front: "tuple[Child, ...]" = ()


S = TypeVar("S", bound=SearchSpec)


class Search(ABC, Generic[S]):
    """A method with its settings. A one-shot method does it all in one task."""

    def __init__(self, spec: S):
        self.spec = spec

    def provenance(self, seed: int, **more: object) -> dict[str, str]:
        """Method, space, seed, and whatever else is said of this search."""
        said = {"method": self.spec.name, "space": self.spec.space.name, "seed": seed, **more}
        return {name: str(value) for name, value in said.items()}


class OneShotSearch(Search[S]):
    """Root of the methods that own their networks."""

    @abstractmethod
    def search(self, problem: Problem) -> Found:
        """Choose cells.

        Raises:
            NonFiniteError: a loss became NaN or infinite.
            InputError: the space, the images or the memory do not allow it.
        """


@dataclass(frozen=True)
class Child:
    """What became of cells that a sampled method asked about.

    Attributes:
        cells: as asked.
        objectives: what is to be minimised, by name; None: its training or an attack on it failed.
    """

    cells: Cells
    objectives: Mapping[str, float] | None


# Yields the cells that it asks about, is sent what became of the oldest of all that it asked about, in the order in
# which it did, and returns what it found.
Rounds = Generator[list[Cells], list[Child], Found]


class SampledSearch(Search[S]):
    """Root of the methods whose children are trained and attacked as tasks of the study."""

    @abstractmethod
    def rounds(self, seed: int) -> Rounds:
        """Ask and be told. Nothing but the seed and the answers may decide what it does."""

    @property
    def behind(self) -> int:
        """How many of the youngest children it does not wait for, so that all workers are busy.

        It is told of them later, whatever the order in which they end; asking about nothing it is told of all.
        """
        return 0
