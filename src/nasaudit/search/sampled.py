"""What the methods have in common whose children are trained one by one. No torch."""

import math
from collections.abc import Sequence
from typing import Any

from nasaudit.errors import MeasurementError
from nasaudit.search.base import Child, Found, SampledSearch
from nasaudit.search.cells import written

ACCURACY = "accuracy"  # the objective that children are judged by: the share of images that they get wrong
ENTRIES = 100  # of a trace, roughly


def accuracy(child: Child) -> float | None:
    """The share of images that a child gets right; None where it failed."""
    return None if child.objectives is None else 1 - child.objectives[ACCURACY]


class Ledger:
    """The children that a search was told of, and the trace that it leaves.

    Attributes:
        best: of all children, the first of equals; None: none has a result yet.
        trace: an entry a round: how many children there are by now, the accuracy of the best, that of each child of
            the round (None: it failed) and their mean, and the best cells so far.
    """

    def __init__(self) -> None:
        self.best: Child | None = None
        self.children = 0
        self.trace: list[dict[str, Any]] = []

    def add(self, children: Sequence[Child], **more: float) -> None:
        """A round's children, and what else is said of the round."""
        self.children += len(children)
        for child in children:
            if child.objectives is not None and (
                self.best is None or accuracy(child) > accuracy(self.best)  # type: ignore[operator]
            ):
                self.best = child
        reached = [accuracy(child) for child in children]
        known = [value for value in reached if value is not None]
        self.trace.append(
            {
                "round": len(self.trace) + 1,
                "children": self.children,
                "best_accuracy": None if self.best is None else accuracy(self.best),
                "mean_accuracy": sum(known) / len(known) if known else None,
                "accuracies": reached,
                **more,
                "cells": None if self.best is None else written(self.best.cells),
            }
        )

    def found(self, search: SampledSearch[Any], seed: int) -> Found:
        """The best cells.

        Raises:
            MeasurementError: no child has a result.
        """
        if self.best is None:
            raise MeasurementError(
                f"{search.spec.name}: all {self.children} children failed; see their failures"
            )
        return Found(self.best.cells, search.provenance(seed, children=self.children), self.trace)


def round_size(children: int) -> int:
    """How many children make an entry of the trace, where the method has no rounds of its own."""
    return math.ceil(children / ENTRIES)
