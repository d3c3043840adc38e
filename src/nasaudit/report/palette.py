"""How an architecture looks in every picture of a report: one colour, one dash, one marker.

The colours stay apart for readers with any of the three common colour-vision deficiencies, and each has a
contrast of at least 3:1 with white (WCAG 2.2, 1.4.11); the tests compute both. They come from the palettes
of Okabe & Ito (2008) and Tol (2021), the last one darkened until the contrast holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from nasaudit.spec.arch import ArchSpec, Group

COLOURS: tuple[str, ...] = ("#0072b2", "#d55e00", "#117733", "#cc79a7", "#332288", "#949430")
# What stands for a colour of a chart on a dark ground, where it would have too little contrast: also for the ops and
# moments of `sections.analyses`. The page's style replaces them in what was drawn; files keep the light ones.
DARK_GROUND = "#14181d"
DARK: dict[str, str] = {
    "#0072b2": "#448acf", "#d55e00": "#da7c2e", "#117733": "#53d169", "#cc79a7": "#d39ba8", "#332288": "#a5a6d0",
    "#949430": "#dbea52", "#08306b": "#7d96e8", "#c04f00": "#f0873f", "#6a7180": "#9aa3b2",
}  # fmt: skip
# Vega's marker shapes, easy to tell apart when small. Colour changes first, then the shape.
SHAPES: tuple[str, ...] = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
# Lengths of dash and gap in pixels; [1, 0] is a solid line.
DASHES: dict[Group, list[int]] = {
    "nas": [1, 0],
    "manual": [6, 3],
    "random": [2, 3],
    "hardened": [10, 3],
    "robust_nas": [14, 3, 2, 3],
    "custom": [9, 3, 2, 3],
}
GROUP_TITLES: dict[Group, str] = {
    "nas": "designed by NAS",
    "manual": "hand-made",
    "random": "random cell",
    "hardened": "hardened",
    "custom": "given by you",
    "robust_nas": "searched for robustness",
}
GROUP_COLOURS: dict[Group, str] = dict(zip(GROUP_TITLES, COLOURS, strict=False))
# More architectures than a reader can tell apart by their looks, or follow one by one.
CROWD = 24


@dataclass(frozen=True)
class Style:
    """Colour as `#rrggbb`, dash as Vega's list of lengths, marker as Vega's name of a shape."""

    colour: str
    dash: list[int]
    shape: str


def styles(architectures: Sequence[ArchSpec]) -> dict[str, Style]:
    """One style for each name: none twice up to CROWD architectures, beyond that the one of its group."""
    if len(architectures) > CROWD:
        return {spec.name: group_style(spec.group) for spec in architectures}
    return {
        spec.name: Style(
            colour=COLOURS[position % len(COLOURS)],
            dash=DASHES[spec.group],
            shape=SHAPES[position // len(COLOURS) % len(SHAPES)],
        )
        for position, spec in enumerate(architectures)
    }


def group_style(group: Group) -> Style:
    """How the architectures of a group look where there are too many to tell each from the others: no dashes."""
    return Style(GROUP_COLOURS[group], DASHES["nas"], SHAPES[list(GROUP_TITLES).index(group)])


def dark_style() -> str:
    """Style sheet that replaces colours of charts and legends where the reader's screen is dark."""
    rules = [
        f'svg [fill="{light}" i]{{fill:{dark}}}svg [stroke="{light}" i]{{stroke:{dark}}}'
        f'[style$="{light}"]{{--dot:{dark}!important;--accent:{dark}!important}}'
        for light, dark in DARK.items()
    ]
    return f"@media screen and (prefers-color-scheme: dark) {{\n{''.join(rules)}\n}}\n"
