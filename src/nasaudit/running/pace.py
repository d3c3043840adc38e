"""How long tasks take: what their specs expect, corrected by what was measured of tasks like them.

A task's time is its expected time, times how much slower this machine is, times how far the expectation is off for
its kind (an attack, an analysis, a training) and for its architecture. The three are learned together, in logarithms,
from tasks that ended or run: each correction is a mean that is drawn towards none as long as little is known of it.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from nasaudit.spec.tasks import (
    AnalysisTask,
    ArchitectureAnalysisTask,
    AttackTask,
    ExtractionTask,
    PoisonTask,
    Task,
    TrainTask,
)

# Weights of the prior that a kind, or an architecture, takes as long as expected: the variance of a task's time over
# that of a correction, in logarithms.
KIND_PRIOR, ARCH_PRIOR = 0.12, 0.5
MACHINE_PRIOR = 0.01  # and that this machine is the one that expected times were measured on
ROUNDS = 12  # of fitting the corrections in turn
TRIFLING = 1.0  # seconds: a task of so little counts half, since its time is mostly that of its start


def kind_of(task: Task) -> str:
    """What makes tasks alike: `training`, or the name of the attack or analysis."""
    match task:
        case TrainTask():
            return "training"
        case AttackTask() | PoisonTask():
            return task.attack.name
        case AnalysisTask():
            return task.analysis.name
    return task.kind


def architecture_of(task: Task) -> str:
    """The network that its time goes into; "" where it hangs on none."""
    match task:
        case TrainTask() | ArchitectureAnalysisTask():
            return task.architecture.name
        case ExtractionTask():
            return task.surrogate.name
        case AttackTask():
            return task.victim.architecture.name
        case PoisonTask():
            return task.surrogate.architecture.name if task.surrogate is not None else ""
    victim = getattr(task, "victim", None)
    return "" if victim is None else str(victim.architecture.name)


@dataclass(frozen=True)
class Piece:
    """What is to be known of a task to say how long it and others take.

    Attributes:
        digest: of the task.
        kind: see `kind_of`.
        architecture: see `architecture_of`.
        expected: its expected time in seconds.
        needs: digests of the tasks that must end before it.
    """

    digest: str
    kind: str
    architecture: str
    expected: float
    needs: tuple[str, ...]

    @classmethod
    def of(cls, task: Task) -> Self:
        """That of a task."""
        needs = tuple(need.digest() for need in task.needs())
        return cls(task.digest(), kind_of(task), architecture_of(task), task.expected_time, needs)


@dataclass(frozen=True)
class _Seen:
    piece: Piece
    ratio: float  # logarithm of measured over expected time
    weight: float

    @property
    def kind(self) -> str:
        return self.piece.kind

    @property
    def architecture(self) -> str:
        return self.piece.architecture


class Pace:
    """What is known of this machine, and of the tasks of a study on it."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._fitted: tuple[float, Mapping[str, float], Mapping[str, float]] | None = (0.0, {}, {})

    @property
    def measured(self) -> int:
        """How many tasks it was learned from."""
        return len(self._seen)

    def learn(self, piece: Piece, seconds: float, share: float = 1.0) -> None:
        """A task takes so long, by what is known after a share of it; a later word takes the place of an earlier."""
        if not (math.isfinite(seconds) and seconds > 0 and piece.expected > 0 and share > 0):
            return
        weight = share * seconds / (seconds + TRIFLING)
        self._seen[piece.digest] = _Seen(piece, math.log(seconds / piece.expected), weight)
        self._fitted = None

    def seconds(self, piece: Piece) -> float:
        """How long a task takes on one worker of this machine."""
        machine, kinds, architectures = self._fit()
        off = kinds.get(piece.kind, 0.0) + architectures.get(piece.architecture, 0.0)
        return piece.expected * math.exp(machine + off)

    def _fit(self) -> tuple[float, Mapping[str, float], Mapping[str, float]]:
        if self._fitted is None:
            self._fitted = self._backfit()
        return self._fitted

    def _backfit(self) -> tuple[float, Mapping[str, float], Mapping[str, float]]:
        seen = list(self._seen.values())
        machine = 0.0
        kinds: dict[str, float] = {}
        architectures: dict[str, float] = {}
        for _ in range(ROUNDS):
            machine = _drawn(
                (
                    (one.weight, one.ratio - kinds.get(one.kind, 0) - architectures.get(one.architecture, 0))
                    for one in seen
                ),
                MACHINE_PRIOR,
            )
            kinds = _corrections(
                seen,
                lambda one: one.kind,
                lambda one: machine + architectures.get(one.architecture, 0.0),  # noqa: B023
                KIND_PRIOR,
            )
            architectures = _corrections(
                seen,
                lambda one: one.architecture,
                lambda one: machine + kinds.get(one.kind, 0.0),  # noqa: B023
                ARCH_PRIOR,
            )
        return machine, kinds, architectures


def _drawn(values: Iterable[tuple[float, float]], prior: float) -> float:
    """The mean of (weight, value), drawn towards 0 as by an observation of 0 with the prior's weight."""
    weight, total = prior, 0.0
    for share, value in values:
        weight, total = weight + share, total + share * value
    return total / weight


def _corrections(
    seen: Iterable[_Seen],
    key: Callable[[_Seen], str],
    explained: Callable[[_Seen], float],
    prior: float,
) -> dict[str, float]:
    groups: dict[str, list[tuple[float, float]]] = {}
    for one in seen:
        groups.setdefault(key(one), []).append((one.weight, one.ratio - explained(one)))
    return {name: _drawn(values, prior) for name, values in groups.items()}


def makespan(
    pieces: Iterable[Piece], seconds: Callable[[Piece], float], running: Mapping[str, float], workers: int
) -> float:
    """Seconds until the last of these tasks has ended.

    The schedule is played through: a free worker takes the ready task that is expected to take longest. So a last
    long task, or one that all others wait for, counts with the workers that idle beside it.

    Args:
        pieces: of the tasks that have not ended; a need that is not among them has.
        seconds: how long each takes on one worker.
        running: seconds that the running ones still take, by digest.
        workers: that do a task each at a time.
    """
    left = {piece.digest: piece for piece in pieces}
    missing = {digest: set(piece.needs) & left.keys() for digest, piece in left.items()}
    waiting: dict[str, list[str]] = {}
    for digest, needs in missing.items():
        for need in needs:
            waiting.setdefault(need, []).append(digest)
    ready = [
        (-piece.expected, digest)
        for digest, piece in left.items()
        if digest not in running and not missing[digest]
    ]
    heapq.heapify(ready)
    ends = [(time, digest) for digest, time in running.items() if digest in left]
    heapq.heapify(ends)
    now = 0.0
    while ready or ends:
        while ready and len(ends) < max(1, workers):
            _, digest = heapq.heappop(ready)
            heapq.heappush(ends, (now + seconds(left[digest]), digest))
        now, ended = heapq.heappop(ends)
        for digest in waiting.get(ended, ()):
            missing[digest].discard(ended)
            if not missing[digest] and digest not in running:
                heapq.heappush(ready, (-left[digest].expected, digest))
    return now
