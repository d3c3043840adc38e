"""Filled contours of a grid of heights as polygons, for charts that know no contours of their own.

The polygons are closed loops, to be painted in the order in which they come: each covers what it encloses with the
band that lies just inside of it, so a hole needs no special care; contourpy traces the loops. Between the points of
the grid, heights (or their logarithms, where bands grow by factors) are interpolated bilinearly: a picture's liberty,
and no measurement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10

import numpy as np
import numpy.typing as npt
from contourpy import contour_generator

FloatArray = npt.NDArray[np.float64]

MOST_EDGES = 8
FINER = 3  # points drawn for each step of the grid
# Below a hundredth of the highest loss, and below .1 in any case, differences are not worth a band of their own:
# a logarithmic scale would make mountains of them.
LOWEST_SHARE, LOWEST = 0.01, 0.1
MANTISSAS = ((1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True)
class Loop:
    """A closed polygon: the band just inside of it, and its corners, without the first one again at the end."""

    band: int
    x: list[float]
    y: list[float]


def band_edges(low: float, high: float) -> list[float]:
    """Round numbers between two heights, at most MOST_EDGES, which divide them into bands.

    They grow by factors where the heights do, and are evenly spaced otherwise.

    >>> band_edges(0.1, 12), band_edges(2.1, 2.9)
    ([0.2, 0.5, 1.0, 2.0, 5.0, 10.0], [2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8])
    >>> band_edges(0.03, 9000), band_edges(1, 1)
    ([0.1, 1.0, 10.0, 100.0, 1000.0], [])
    """
    if not high > low:
        return []
    start = max(low, min(high * LOWEST_SHARE, LOWEST))
    for mantissas in MANTISSAS:
        powers = range(floor(log10(start)) if start > 0 else -9, floor(log10(high)) + 1)
        round_numbers = [float(f"{mantissa}e{power}") for power in powers for mantissa in mantissas]
        edges = [edge for edge in round_numbers if start <= edge < high and edge > low]
        if len(edges) <= MOST_EDGES:
            break
    if len(edges) >= 4:
        return edges
    size = floor(log10(high - low))
    steps = [mantissa * 10.0**power for power in (size - 1, size, size + 1) for mantissa in (1, 2, 5)]
    step = next(step for step in steps if (high - low) / step <= MOST_EDGES)
    even = [float(f"{step * k:.10g}") for k in range(floor(low / step), floor(high / step) + 1)]
    return [edge for edge in even if low < edge < high]


def band_labels(edges: Sequence[float]) -> list[str]:
    """What each band covers, from the lowest to the highest: one more than there are edges.

    >>> band_labels([0.5, 1]), band_labels([1000]), band_labels([])
    (['below 0.5', '0.5 to 1', 'above 1'], ['below 1,000', 'above 1,000'], ['all'])
    """
    if not edges:
        return ["all"]
    texts = [f"{edge:,.0f}" if 1000 <= edge < 1e6 else f"{edge:g}" for edge in edges]
    between = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"below {texts[0]}", *between, f"above {texts[-1]}"]


def filled_contours(
    x: Sequence[float], y: Sequence[float], z: Sequence[Sequence[float]], edges: Sequence[float]
) -> list[Loop]:
    """The loops of a grid, in the order to paint them; the first one is the whole rectangle.

    Args:
        x: ascending.
        y: ascending.
        z: z[j][i] is the height at x[i], y[j].
        edges: heights at which bands meet, ascending; band k lies above k of them.
    """
    fine_x, fine_y = _finer(np.asarray(x, dtype=float)), _finer(np.asarray(y, dtype=float))
    scaled, levels = np.asarray(z, dtype=float), np.asarray(edges, dtype=float)
    # On the scale that the bands are even on: as they are, or their logarithms.
    if len(edges) > 1 and not np.allclose(np.diff(levels), levels[1] - levels[0]):
        scaled, levels = np.log(np.maximum(scaled, levels[0] * LOWEST_SHARE)), np.log(levels)
    heights = np.apply_along_axis(_finer, 1, np.apply_along_axis(_finer, 0, scaled))
    # A rim of no width that is higher than all: every contour closes, along the border if it has to.
    heights = np.pad(heights, 1, constant_values=np.abs(scaled).max() + np.abs(levels).max(initial=0) + 1)
    fine_x, fine_y = np.pad(fine_x, 1, mode="edge"), np.pad(fine_y, 1, mode="edge")
    tracer = contour_generator(fine_x, fine_y, heights)
    loops: list[tuple[float, int, Loop]] = []
    for below, level in enumerate(levels.tolist()):
        for line in tracer.lines(level):
            px, py = np.asarray(line)[:-1].T  # a line ends where it began
            area = float(np.sum(px * np.roll(py, -1) - np.roll(px, -1) * py)) / 2
            # Traced with the high side on the left: clockwise loops hold what is lower.
            band = below if area < 0 else below + 1
            loops.append((-round(abs(area), 9), -below, Loop(band, _short(px), _short(py))))
    loops.sort(key=lambda each: each[:2])
    whole = Loop(len(edges), _short(fine_x[[0, -1, -1, 0]]), _short(fine_y[[0, 0, -1, -1]]))
    return [whole, *(loop for _, _, loop in loops)]


def _finer(values: FloatArray) -> FloatArray:
    """FINER values for each step, on straight lines."""
    places = np.linspace(0, len(values) - 1, FINER * (len(values) - 1) + 1)
    return np.interp(places, np.arange(len(values)), values)


def _short(numbers: FloatArray) -> list[float]:
    return [round(float(number), 3) + 0.0 for number in numbers]
