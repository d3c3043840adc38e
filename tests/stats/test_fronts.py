"""Ranks, crowding and hypervolume against brute force, closed forms and Monte Carlo."""

import numpy as np
import pytest

from nasaudit.stats.fronts import crowding, dominated, hypervolume, ranks, spread, standing


def beats(one, other):
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def brute_ranks(points):
    left, rank, layers = set(range(len(points))), 0, {}
    while left:
        layer = {k for k in left if not any(beats(points[j], points[k]) for j in left)}
        layers |= dict.fromkeys(layer, rank)
        left, rank = left - layer, rank + 1
    return [layers[k] for k in range(len(points))]


def brute_crowding(points):
    """Deb et al. 2002, section III-B, written out."""
    n, distance = len(points), [0.0] * len(points)
    for figure in range(len(points[0])):
        order = sorted(range(n), key=lambda k: points[k][figure])
        least, most = points[order[0]][figure], points[order[-1]][figure]
        if least == most:
            continue
        distance[order[0]] = distance[order[-1]] = float("inf")
        for place in range(1, n - 1):
            gap = points[order[place + 1]][figure] - points[order[place - 1]][figure]
            distance[order[place]] += gap / (most - least)
    return distance


@pytest.mark.parametrize("figures", [1, 2, 3, 6])
def test_ranks_and_crowding_are_those_of_brute_force(figures):
    random = np.random.default_rng(figures)
    for _ in range(20):
        # Of few values, so that points and figures tie.
        points = random.integers(0, 5, (random.integers(1, 25), figures)) / 4
        rank = ranks(points).tolist()
        assert rank == brute_ranks(points.tolist())
        for layer in set(rank):
            members = [k for k, own in enumerate(rank) if own == layer]
            lonely = brute_crowding(points[members].tolist())
            assert crowding(points[members]).tolist() == pytest.approx(lonely)
            assert [-standing(points)[k][1] for k in members] == pytest.approx(lonely)
        assert [member for member, *_ in standing(points)] == rank


def test_dominated_is_as_defined():
    random = np.random.default_rng(0)
    ours, theirs = random.integers(0, 4, (40, 3)), random.integers(0, 4, (5, 3))
    expected = [any(beats(other, one) for other in theirs.tolist()) for one in ours.tolist()]
    assert dominated(ours, theirs) == expected
    assert 0 < sum(expected) < 40
    assert dominated([[1.0, 1.0]], [[1.0, 1.0]]) == [False]


def test_the_hypervolume_of_a_staircase_is_its_area():
    points = [(0.1, 0.8), (0.3, 0.5), (0.7, 0.2), (0.8, 0.9), (1.2, 0.0)]
    area = (0.3 - 0.1) * (1 - 0.8) + (0.7 - 0.3) * (1 - 0.5) + (1 - 0.7) * (1 - 0.2)
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(area)
    assert hypervolume([(1.0, 0.2)], (1.0, 1.0)) == 0
    assert hypervolume([(0.25,), (0.5,)], (1.0,)) == pytest.approx(0.75)


def test_the_hypervolume_of_four_figures_is_that_of_monte_carlo():
    random = np.random.default_rng(1)
    points = random.random((12, 4))
    darts = random.random((100_000, 4))
    hit = (points[None] <= darts[:, None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(points, (1.0,) * 4) == pytest.approx(hit, abs=5 * (hit * (1 - hit) / 100_000) ** 0.5)


def test_who_stands_for_a_front_leaves_no_gap():
    """Of two clusters and an end the ends stay, and of a cluster one at most in between."""
    x = np.array([0.0, 0.1, 0.12, 0.14, 0.6, 0.62, 1.0])
    points = np.stack([x, 1 - x], axis=1)
    assert spread(points, 10) == list(range(7))
    kept = spread(points, 4)
    assert kept[0] == 0
    assert kept[-1] == 6
    assert len({round(2 * x[place]) for place in kept[1:3]}) == 2
    assert spread(points, 2) == [0, 6]
    # One at a time against all, written out.
    left = list(range(7))
    while len(left) > 3:
        lonely = brute_crowding(points[left].tolist())
        left.pop(max(k for k, own in enumerate(lonely) if own == min(lonely)))
    assert spread(points, 3) == left
