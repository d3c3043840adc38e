"""Points with several figures to be minimised: which no other beats, how lonely each is, what they cover. No torch.

A point dominates another that is at no figure better and at one worse. Rank 0 are those that none dominates, rank r
those that none dominates when the ranks before are gone. Ranks and hypervolume are moocore's (López-Ibáñez et al.),
which is also what pymoo computes hypervolumes with.

- Deb, Pratap, Agarwal & Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE Transactions
  on Evolutionary Computation 6, 2002: ranks, and the crowding distance of section III-B.
- Kukkonen & Deb, "Improved Pruning of Non-Dominated Solutions Based on Crowding Distance for Bi-Objective
  Optimization Problems", CEC 2006: the most crowded leaves, and all distances are taken anew.
- Zitzler & Thiele, "Multiobjective Evolutionary Algorithms: A Comparative Case Study and the Strength Pareto
  Approach", IEEE Transactions on Evolutionary Computation 3, 1999: the hypervolume.
"""

from collections.abc import Sequence

import moocore
import numpy as np
import numpy.typing as npt

from nasaudit.measure.estimate import FloatArray

Points = npt.ArrayLike  # float [n, figures]
Whole = npt.NDArray[np.int64]


def ranks(points: Points) -> Whole:
    """How many layers of better points lie before each one: int [n], 0 for the front.

    >>> ranks([[1.0, 2.0], [0.5, 3.0], [2.0, 2.0], [3.0, 4.0]]).tolist()
    [0, 0, 1, 2]
    """
    return np.asarray(moocore.pareto_rank(np.asarray(points, dtype=np.float64)), dtype=np.int64)


def crowding(points: Points) -> FloatArray:
    """How far apart the neighbours of each point are, summed over figures that are scaled to [0, 1]: float [n].

    Infinite for the first and the last of a figure. A figure that is the same of all points says nothing. Of points
    that are alike the one that comes first is taken for the smaller.

    Args:
        points: of one rank.
    """
    values = np.asarray(points, dtype=np.float64)
    distance = np.zeros(len(values))
    for figure in values.T:
        order = figure.argsort(kind="stable")
        ascending = figure[order]
        span = ascending[-1] - ascending[0]
        if span > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += (ascending[2:] - ascending[:-2]) / span
    return distance


def standing(points: Points, excess: npt.ArrayLike | None = None) -> list[tuple[int, float]]:
    """By what NSGA-II compares points, less is better: the rank, and the crowding among its equals, negated.

    Args:
        points: float [n, figures].
        excess: float [n], how far each one is beyond what is allowed. One that is loses to all that are not, and
            among its like the smaller excess wins (section VI of Deb et al.).
    """
    values = np.asarray(points, dtype=np.float64)
    beyond = np.zeros(len(values)) if excess is None else np.asarray(excess, dtype=np.float64)
    rank, second = np.full(len(values), len(values)), beyond.copy()
    allowed = np.flatnonzero(beyond <= 0)
    if len(allowed):
        rank[allowed] = ranks(values[allowed])
    for layer in np.unique(rank[allowed]):
        members = allowed[rank[allowed] == layer]
        second[members] = -crowding(values[members])
    return list(zip(rank.tolist(), second.tolist(), strict=True))


def spread(points: Points, count: int) -> list[int]:
    """Positions, ascending, of at most `count` points that stand for all: the most crowded one leaves until they do.

    Of equally crowded points the last leaves.
    """
    values = np.asarray(points, dtype=np.float64)
    kept = list(range(len(values)))
    while len(kept) > count:
        distance = crowding(values[kept])
        del kept[int(np.flatnonzero(distance == distance.min())[-1])]
    return kept


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """The volume of what is dominated by some point and better than `reference`; 0 where no point is better.

    >>> hypervolume([[0.5, 0.5], [0.25, 0.75]], [1.0, 1.0])
    0.3125
    """
    return float(moocore.hypervolume(np.asarray(points, dtype=np.float64), ref=list(reference)))


def dominated(points: Points, by: Points) -> list[bool]:
    """Whether some point of `by` dominates each one.

    >>> dominated([[0.5, 0.5], [0.2, 0.9]], by=[[0.5, 0.4]])
    [True, False]
    """
    ours, theirs = np.asarray(points, dtype=np.float64)[:, None], np.asarray(by, dtype=np.float64)[None]
    beaten = np.all(theirs <= ours, axis=2) & np.any(theirs < ours, axis=2)
    return [bool(each) for each in np.any(beaten, axis=1)]
