"""How an architecture looks in every picture of a report: one colour, one dash, one marker.

The colours stay apart for readers with any of the three common colour-vision deficiencies, and each has a
contrast of at least 3:1 with white (WCAG 2.2, 1.4.11); the tests compute both. They come from the palettes
of Okabe & Ito (2008) and Tol (2021), the last one darkened until the contrast holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nasaudit.spec.arch import ArchSpec, Group

COLOURS: tuple[str, ...] = ("#0072b2", "#d55e00", "#117733", "#cc79a7", "#332288", "#949430")
# Vega's marker shapes, easy to tell apart when small. Colour changes first, then the shape.
SHAPES: tuple[str, ...] = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
# Lengths of dash and gap in pixels; [1, 0] is a solid line.
DASHES: dict[Group, list[int]] = {"nas": [1, 0], "manual": [6, 3], "random": [2, 3], "custom": [9, 3, 2, 3]}
GROUP_TITLES: dict[Group, str] = {
    "nas": "designed by NAS",
    "manual": "hand-made",
    "random": "random cell",
    "custom": "given by you",
}
GROUP_COLOURS: dict[Group, str] = dict(zip(GROUP_TITLES, COLOURS, strict=False))


@dataclass(frozen=True)
class Style:
    """Colour as `#rrggbb`, dash as Vega's list of lengths, marker as Vega's name of a shape."""

    colour: str
    dash: list[int]
    shape: str


def styles(architectures: Sequence[ArchSpec]) -> dict[str, Style]:
    """One style for each name, none twice up to 36 architectures; beyond that colour and marker repeat."""
    return {
        spec.name: Style(
            colour=COLOURS[position % len(COLOURS)],
            dash=DASHES[spec.group],
            shape=SHAPES[position // len(COLOURS) % len(SHAPES)],
        )
        for position, spec in enumerate(architectures)
    }
