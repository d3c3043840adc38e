"""What the methods have in common whose children are trained one by one. No torch."""

import math
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from nasaudit.errors import MeasurementError
from nasaudit.search.base import Child, Found, SampledSearch
from nasaudit.search.cells import Cells, written
from nasaudit.spec.searches import SampledSpec
from nasaudit.spec.searches.objectives import ACCURACY
from nasaudit.stats.fronts import spread, standing

ENTRIES = 100  # of a trace, roughly

S = TypeVar("S", bound=SampledSpec)


def accuracy(child: Child) -> float | None:
    """The share of images that a child gets right; None where it failed."""
    return None if child.objectives is None else 1 - child.objectives[ACCURACY]


def point(child: Child, objectives: Sequence[str]) -> tuple[float, ...]:
    """What is to be minimised, in the order of the objectives; infinite where the child failed."""
    if child.objectives is None:
        return (math.inf,) * len(objectives)
    return tuple(child.objectives[name] for name in objectives)


def excess(points: Sequence[tuple[float, ...]], spec: SampledSpec) -> list[float]:
    """By how much each child is less accurate than the best one, beyond what the spec allows; 0 of one objective.

    A network that has learned little is safe from most attacks: it would be on every front.
    """
    if not spec.secure:
        return [0.0] * len(points)
    errors = [reached[spec.objectives.index(ACCURACY)] for reached in points]
    return [max(0.0, error - min(errors) - spec.accuracy_drop) for error in errors]


class Ledger(Generic[S]):
    """The children that a search was told of, and the trace that it leaves.

    Args:
        search: whose.

    Attributes:
        best: the most accurate of all children, the first of equals; None: none has a result yet.
        known: every one with a result, the same cells once.
        trace: an entry a round: how many children there are by now, the accuracy of the best, that of each child of
            the round (None: it failed) and their mean, and the best cells so far; of several objectives also those of
            each child, how many children no other one beats so far, and their numbers, counted over all rounds.
    """

    def __init__(self, search: SampledSearch[S]) -> None:
        self.search = search
        self.best: Child | None = None
        self.known: dict[Cells, Child] = {}
        self.numbers: dict[Cells, int] = {}  # of these, as they came
        self.children = 0
        self.trace: list[dict[str, Any]] = []

    def add(self, children: Sequence[Child], **more: float) -> None:
        """A round's children, and what else is said of the round."""
        for number, child in enumerate(children, start=self.children):
            if child.objectives is None:
                continue
            self.known.setdefault(child.cells, child)
            self.numbers.setdefault(child.cells, number)
            if self.best is None or accuracy(child) > accuracy(self.best):  # type: ignore[operator]
                self.best = child
        self.children += len(children)
        reached = [accuracy(child) for child in children]
        known = [value for value in reached if value is not None]
        self.trace.append(
            {
                "round": len(self.trace) + 1,
                "children": self.children,
                "best_accuracy": None if self.best is None else accuracy(self.best),
                "mean_accuracy": sum(known) / len(known) if known else None,
                "accuracies": reached,
                **(self._objectives(children) if self.search.spec.secure else {}),
                **more,
                "cells": None if self.best is None else written(self.best.cells),
            }
        )

    def _objectives(self, children: Sequence[Child]) -> dict[str, Any]:
        names, front = self.search.spec.objectives, self.unbeaten()
        return {
            "objectives": [
                None if child.objectives is None else {name: child.objectives[name] for name in names}
                for child in children
            ],
            "on_the_front": len(front),
            "front": [self.numbers[child.cells] for child in front],
        }

    def unbeaten(self) -> list[Child]:
        """The children of an allowed accuracy that no other one beats, the most accurate first."""
        spec, children = self.search.spec, list(self.known.values())
        points = [point(child, spec.objectives) for child in children]
        standings = standing(points, excess(points, spec)) if points else []
        free = [child for child, (rank, _) in zip(children, standings, strict=True) if rank == 0]
        return sorted(free, key=lambda child: -(accuracy(child) or 0.0))

    def found(self, seed: int) -> Found:
        """The best cells; of several objectives those that stand for the front.

        Raises:
            MeasurementError: no child has a result.
        """
        search, spec = self.search, self.search.spec
        if self.best is None:
            raise MeasurementError(f"{spec.name}: all {self.children} children failed; see their failures")
        told = {
            "children": self.children,
            **({"objectives": ", ".join(spec.objectives)} if spec.secure else {}),
        }
        if spec.secure:
            front = self.unbeaten()
            points = [point(child, spec.objectives) for child in front]
            chosen = [front[place] for place in spread(points, spec.audited)]
        else:
            by_accuracy = sorted(self.known.values(), key=lambda child: -(accuracy(child) or 0.0))
            chosen = by_accuracy[: spec.audited]
        return Found(chosen[0].cells, search.provenance(seed, **told), self.trace, tuple(chosen))


def round_size(children: int) -> int:
    """How many children make an entry of the trace, where the method has no rounds of its own."""
    return math.ceil(children / ENTRIES)
