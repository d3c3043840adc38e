"""A workload done by nasaudit and by a peer: first that the work was the same, then how long each took."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Generic, TypeVar

T = TypeVar("T")

ROUNDS = 3


class OtherWorkError(Exception):
    """The two sides did not do the same, so their times say nothing."""


@dataclass(frozen=True)
class Contest(Generic[T]):
    """One row of the table.

    Attributes:
        workload: what is done.
        peer: who else does it.
        target: how many times as fast as the peer ours is to be.
        ours: does it, and returns what came of it.
        theirs: the same of the peer.
        same: of both results, what shows that the work was the same, in words.
        clock: seconds; CPU time of this process unless another is given.
        seconds: where the sides time themselves (processes of their own), how long what came of one took.
        bare: does nothing but what ours could not leave out when it last ran; None: there is no such figure.

    `same` raises OtherWorkError.
    """

    workload: str
    peer: str
    target: float
    ours: Callable[[], T]
    theirs: Callable[[], T]
    same: Callable[[T, T], str]
    clock: Callable[[], float] = process_time
    seconds: Callable[[T], float] | None = None
    bare: Callable[[], object] | None = None

    def row(self, rounds: int = ROUNDS) -> tuple[str, ...]:
        """The sides take turns, so that a machine that slows down slows both; a round is a ratio."""
        print(f"{self.workload} beside {self.peer} ...", file=sys.stderr, flush=True)
        mine, theirs, bare, said = list[float](), list[float](), list[float](), ""
        for _ in range(rounds):
            ours, took = self._timed(self.ours)
            mine.append(took)
            if self.bare is not None:
                began = self.clock()
                self.bare()
                bare.append(self.clock() - began)
            other, took = self._timed(self.theirs)
            theirs.append(took)
            said = self.same(ours, other)
        ratios = [slow / fast for slow, fast in zip(theirs, mine, strict=True)]
        return (
            self.workload,
            self.peer,
            f"{median(mine):.2f}",
            f"{median(bare):.2f}" if bare else "",
            f"{median(theirs):.2f}",
            f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            f"{self.target:g}",
            "yes" if median(ratios) >= self.target else "no",
            said,
        )

    def _timed(self, side: Callable[[], T]) -> tuple[T, float]:
        began = self.clock()
        result = side()
        took = self.clock() - began
        return result, took if self.seconds is None else self.seconds(result)


COLUMNS = (
    "workload",
    "peer",
    "ours s",
    "bare s",
    "peer's s",
    "times as fast",
    "target",
    "met",
    "the same work",
)


def within(name: str, ours: float, theirs: float, tolerance: float, form: str = ".3f") -> str:
    """Both figures, in words.

    Raises:
        OtherWorkError: they differ by more than the tolerance.
    """
    said = f"{name} {ours:{form}} and {theirs:{form}}"
    if not abs(ours - theirs) <= tolerance:
        raise OtherWorkError(f"{said}, which differ by more than {tolerance:g}")
    return said
