"""What a search is given, and what it gives back. No torch."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import Protocol

from nasaudit.progress import Progress, silent
from nasaudit.spec.genotype import Genotype


class SearchSpace(Protocol):
    """The genotypes that a search chooses among."""

    name: str

    def draw(self, random: Random) -> Genotype:
        """A genotype of the space, at random."""

    def __contains__(self, genotype: Genotype) -> bool:
        """Whether a genotype is of the space."""


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        genotype: of the space.
        provenance: what a reader needs to repeat it, in words: at least `method`, `space` and `seed`.
    """

    genotype: Genotype
    provenance: dict[str, str]


class Search(ABC):
    """A method that chooses a genotype. Subclasses take their settings at construction and are final."""

    @abstractmethod
    def search(self, space: SearchSpace, *, seed: int, progress: Progress = silent) -> Found:
        """Choose a genotype.

        Args:
            space: what to choose among.
            seed: decides every random choice.
            progress: called at least once a second with the share that is done.
        """
