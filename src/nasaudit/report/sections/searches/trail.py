"""A search's trace as the page reads it. It may be a stranger's, or a plugin's: what cannot be read is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

from nasaudit.errors import NasauditError
from nasaudit.results.base import LARGEST
from nasaudit.results.flags.searches import STOPPING_SKIPS, has_collapsed, normal_skips
from nasaudit.results.schema import Searched, StudyResults
from nasaudit.search.cells import Cells
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.nasbench201 import parse_201
from nasaudit.spec.searches.space import SpaceSpec

COUNTERS = ("epoch", "round")  # what entries are counted by


@dataclass(frozen=True)
class Trail:
    """One search.

    Attributes:
        searched: what it found, and its trace.
        space: that it searched.
    """

    searched: Searched
    space: SpaceSpec

    @property
    def name(self) -> str:
        """Of the found architecture."""
        return self.searched.architecture

    @cached_property
    def counted(self) -> str:
        """What its entries are: epochs or rounds."""
        first = self.searched.trace[0] if self.searched.trace else {}
        return next((word for word in COUNTERS if word in first), "round")

    @cached_property
    def entries(self) -> list[tuple[float, Mapping[str, Any]]]:
        """Number and content of each entry."""
        return [
            (number(entry.get(self.counted)) or place, entry)
            for place, entry in enumerate(self.searched.trace, start=1)
        ]

    @cached_property
    def cells(self) -> list[tuple[float, Cells]]:
        """The cells that it stood for, by entry; the found ones alone where it says none."""
        known = [(x, cells) for x, entry in self.entries if (cells := _cells(entry.get("cells"))) is not None]
        return known or [(len(self.entries) or 1, self.searched.genotype)]

    @cached_property
    def skips(self) -> list[tuple[float, int]]:
        """Of the normal cell, by entry."""
        return [(x, normal_skips(cells)) for x, cells in self.cells]

    @property
    def stop(self) -> float | None:
        """Where the rule of DARTS+ would have ended it."""
        if len(self.cells) < 2:
            return None
        return next((x for x, skips in self.skips if skips >= STOPPING_SKIPS), None)

    @property
    def collapse(self) -> float | None:
        """From where on to its end it was collapsed; None: its end is not."""
        start = None
        for x, skips in reversed(self.skips):
            if not has_collapsed(self.space, skips):
                break
            start = x
        return start

    def weights(self, kind: str) -> list[tuple[float, list[list[float]]]]:
        """Weights [edges][primitives] of a kind of cell, by entry; of an edge each at least 0."""
        return [
            (x, table)
            for x, entry in self.entries
            if (table := self._table(entry.get("weights"), kind)) is not None
        ]

    def edges(self, kind: str) -> list[float] | None:
        """What the last entry says of the weight of each edge; most methods have none."""
        said = self.entries[-1][1].get("edges") if self.entries else None
        values = said.get(kind) if isinstance(said, Mapping) else None
        return _numbers(values, len(self.space.sources))

    def numbers(self) -> dict[str, list[tuple[float, float]]]:
        """Whatever else its entries count, by name and entry."""
        found: dict[str, list[tuple[float, float]]] = {}
        for x, entry in self.entries:
            for name, value in entry.items():
                if name not in COUNTERS and (known := number(value)) is not None:
                    found.setdefault(str(name), []).append((x, known))
        return found

    def _table(self, weights: Any, kind: str) -> list[list[float]] | None:
        rows = weights.get(kind) if isinstance(weights, Mapping) else None
        if not isinstance(rows, Sequence) or len(rows) != len(self.space.sources):
            return None
        table = [_numbers(row, len(self.searched.primitives)) for row in rows]
        known = [row for row in table if row is not None]
        return known if len(known) == len(table) and any(map(sum, known)) else None


def trails(results: StudyResults) -> list[Trail]:
    """Of all searches of a study; of one that found several cells there is one."""
    specs = results.searched
    firsts = {one.search or one.architecture: one for one in reversed(results.searches)}
    return [
        Trail(searched, specs[searched.architecture].space)
        for searched in results.searches
        if searched.architecture in specs and firsts[searched.search or searched.architecture] is searched
    ]


def number(value: Any) -> float | None:
    """A finite number; None of anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if isfinite(value) and abs(value) <= LARGEST else None


def _numbers(values: Any, count: int) -> list[float] | None:
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        return None
    known = [found for value in values if (found := number(value)) is not None and found >= 0]
    return known if len(known) == count else None


def _cells(value: Any) -> Cells | None:
    try:
        if isinstance(value, str):
            parse_201(value)
            return value
        return Genotype.from_json(value)
    except NasauditError:
        return None
