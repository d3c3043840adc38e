"""Drawings of cells: for a terminal, and as an SVG picture. No torch.

Nodes are numbered from 0 here, as in the papers' figures; the cell inputs are c_{k-2} and c_{k-1}.
"""

import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from nasaudit.arch.pictures.svg import FONT, picture
from nasaudit.spec.genotype import CELL_INPUTS, Cell, Genotype

COLUMNS = 80
_INPUT_NAMES = ("c_{k-2}", "c_{k-1}")


def draw_text(genotype: Genotype) -> str:
    r"""Both cells as text of at most 80 columns: each node with the edges that it adds up.

    >>> from nasaudit.arch.genotypes import DARTS
    >>> print("\n".join(draw_text(DARTS).splitlines()[:3]))
    normal cell
      c_{k-2} ── sep_conv_3x3 ──┐
      c_{k-1} ── sep_conv_3x3 ──┴─▶ node 0
    """
    return "\n\n".join(
        f"{title} cell\n{_text_cell(cell)}"
        for title, cell in (("normal", genotype.normal), ("reduction", genotype.reduction))
    )


def _text_cell(cell: Cell) -> str:
    sources = max(len(_name(edge.source)) for edge in cell.edges)
    ops = max(len(edge.op) for edge in cell.edges)
    lines = []
    for position, node in enumerate(cell.nodes):
        for row, edge in enumerate(node):
            last = row == len(node) - 1
            joint = ("──" if row == 0 else "┴─") if last else ("┐" if row == 0 else "┤")
            arrow = f"▶ {_name(position + CELL_INPUTS)}" if last else ""
            op = f"{edge.op} ".ljust(ops + 1, "─")
            lines.append(f"  {_name(edge.source):{sources}} ── {op}──{joint}{arrow}")
    output = "  output = " + ", ".join(_name(node) for node in cell.concat)
    lines += textwrap.wrap(output, COLUMNS, subsequent_indent=" " * 11, drop_whitespace=False)
    return "\n".join(line.rstrip() for line in lines)


def _name(node: int) -> str:
    return _INPUT_NAMES[node] if node < CELL_INPUTS else f"node {node - CELL_INPUTS}"


# The picture. All lengths are in units of the view box, which is shown at about one pixel a unit.
_MARGIN = 12.0
_INPUT = (36.0, 22.0)  # width and height of a cell input
_CHIP = (36.0, 15.0)  # of an op
_STEP = 18.0  # between the edges of one node
_RADIUS = 8.5  # of a node
_STUB = 5.0  # from a chip to its node's circle
_LAYER = _CHIP[0] + _STUB + 2 * _RADIUS  # width of a column of nodes
_OUTPUT = 16.0  # width of the output
_ROW_GAP = 10.0  # between rows
_GAPS = (24.0, 14.0, 10.0)  # least width right of the inputs, between columns, in front of the output
_WIDTH = 360.0  # least width of the picture
_HEADING = 26.0  # height of a cell's title
_LEAST_HEIGHT = 56.0  # of a cell, for its two inputs and the word "output"

_RULES = {
    "text": f"font-family:{FONT};font-size:11px;text-anchor:middle;fill:#1f2430",
    ".h": "font-size:12px;font-weight:600;text-anchor:start",
    ".l": "text-anchor:start",
    ".w": "fill:#fff;font-size:10.5px",
    "path": "fill:none;stroke-width:1.6",
    ".o": "stroke:#9aa1ad;stroke-width:1.2",
    ".b": "fill:#eef0f4;stroke:#6a7180",
}

Point = tuple[float, float]


@dataclass(frozen=True)
class _Family:
    """Ops that share a colour, which has a contrast of at least 4.5:1 with white."""

    title: str
    colour: str


_NONE = _Family("none", "#6b6b6b")
_SKIP = _Family("skip", "#bc4400")
_POOL = _Family("pooling", "#3d7314")
_SEPARABLE = _Family("separable conv", "#0b63b0")
_DILATED = _Family("dilated conv", "#8a3ab0")
_PLAIN_CONV = _Family("plain conv", "#0f6b74")

# Label and colour of each op; the number is the side of its kernel.
_STYLE: dict[str, tuple[str, _Family]] = {
    "none": ("none", _NONE),
    "skip_connect": ("skip", _SKIP),
    "max_pool_3x3": ("max 3", _POOL),
    "avg_pool_3x3": ("avg 3", _POOL),
    "sep_conv_3x3": ("sep 3", _SEPARABLE),
    "sep_conv_5x5": ("sep 5", _SEPARABLE),
    "sep_conv_7x7": ("sep 7", _SEPARABLE),
    "dil_conv_3x3": ("dil 3", _DILATED),
    "dil_conv_5x5": ("dil 5", _DILATED),
    "conv_7x1_1x7": ("7×1", _PLAIN_CONV),
}


def draw_svg(genotype: Genotype, title: str) -> str:
    """Both cells as one self-contained SVG, 360 units wide, or wider for deep cells.

    Data flow from left to right; a node's column is its depth, so a deep cell is a long one. Every node has a
    row of its own, in which its edges arrive: no line crosses a label.

    Args:
        genotype: the cells.
        title: name of the architecture, for screen readers; it is escaped.
    """
    cells = (("Normal cell", genotype.normal), ("Reduction cell", genotype.reduction))
    width = max(_WIDTH, *(_least_width(max(_columns(cell))) for _, cell in cells))
    parts, top = [], _MARGIN
    for name, cell in cells:
        layout = _Layout(cell, top + _HEADING, width)
        parts.append(f'<text class="h" x="{_MARGIN:g}" y="{top + 12:g}">{name}</text>')
        parts += _paint(layout)
        top = layout.bottom + 2 * _ROW_GAP
    legend, height = _legend(genotype, top, width)
    # Several pictures may share one page: their ids must differ.
    key = "cells-" + hashlib.sha256(f"{title}:{genotype.digest()}".encode()).hexdigest()[:10]
    return picture(key, f"Cells of {title}", draw_text(genotype), _RULES, (width, height), [*parts, *legend])


def _columns(cell: Cell) -> list[int]:
    """Column of each node of the cell: its depth, 0 for the inputs."""
    columns = [0] * CELL_INPUTS
    for node in cell.nodes:
        columns.append(1 + max(columns[edge.source] for edge in node))
    return columns


def _least_width(columns: int) -> float:
    fixed = 2 * _MARGIN + _INPUT[0] + columns * _LAYER + _OUTPUT
    return fixed + _GAPS[0] + (columns - 1) * _GAPS[1] + _GAPS[2]


class _Layout:
    """Where everything is in the picture of one cell.

    Attributes:
        chips: left end of the label of every edge, by node.
        circles: centre of every node.
        exits: where lines leave, for the inputs and then each node.
        turns: until where a line that leaves there may rise and fall, in the gap beside its column.
        arrivals: where the nodes of `concat` meet the output.
        top, bottom: of the cell.
    """

    def __init__(self, cell: Cell, top: float, width: float):
        self.cell, self.top = cell, top
        columns = _columns(cell)
        left = self._column_sides(max(columns), width)
        output = width - _MARGIN - _OUTPUT
        self.chips: list[list[Point]] = []
        self.circles: list[Point] = []
        y = top
        for position, node in enumerate(cell.nodes):
            x = left[columns[position + CELL_INPUTS] - 1]
            height = max(len(node) * _STEP, 2 * _RADIUS)
            first = y + (height - (len(node) - 1) * _STEP) / 2
            self.chips.append([(x, first + row * _STEP) for row in range(len(node))])
            self.circles.append((x + _LAYER - _RADIUS, y + height / 2))
            y += height + _ROW_GAP
        # An input that goes straight to the output gets a row too.
        through = sorted(number for number in cell.concat if number < CELL_INPUTS)
        rows = {number: y + row * _ROW_GAP for row, number in enumerate(through)}
        self.bottom = max(y + (len(through) - 1) * _ROW_GAP, top + _LEAST_HEIGHT)
        inputs = [top + (self.bottom - top) * share for share in (0.25, 0.75)]
        self.exits: list[Point] = [(_MARGIN + _INPUT[0], y) for y in inputs]
        self.exits += [(x + _RADIUS, y) for x, y in self.circles]
        self.turns = [left[column] if column < len(left) else output for column in columns]
        self.arrivals = {number: (output, rows.get(number, self.exits[number][1])) for number in cell.concat}
        self.output = output

    @staticmethod
    def _column_sides(columns: int, width: float) -> list[float]:
        """Left side of each column of nodes; what is left of the width makes the gaps wider."""
        spare = (width - _least_width(columns)) / (columns + 1)
        first = _MARGIN + _INPUT[0] + _GAPS[0] + spare
        return [first + column * (_LAYER + _GAPS[1] + spare) for column in range(columns)]


def _paint(layout: _Layout) -> Iterator[str]:
    """Lines first, so that labels lie over them."""
    for number, arrival in layout.arrivals.items():
        yield f'<path class="o" d="{_route(layout.exits[number], layout.turns[number], arrival)}"/>'
    for node, chips in zip(layout.cell.nodes, layout.chips, strict=True):
        for edge, chip in zip(node, chips, strict=True):
            route = _route(layout.exits[edge.source], layout.turns[edge.source], chip)
            yield f'<path stroke="{_STYLE[edge.op][1].colour}" d="{route}"/>'
    for position, node in enumerate(layout.cell.nodes):
        x, y = layout.circles[position]
        for edge, chip in zip(node, layout.chips[position], strict=True):
            label, family = _STYLE[edge.op]
            (left, middle), (width, height) = chip, _CHIP
            yield f'<path stroke="{family.colour}" d="M{left + width:.1f} {middle:.1f}L{x:.1f} {y:.1f}"/>'
            yield (
                f'<rect x="{left:.1f}" y="{middle - height / 2:.1f}" width="{width:g}" height="{height:g}" '
                f'rx="7" fill="{family.colour}"/>'
            )
            yield f'<text class="w" x="{left + width / 2:.1f}" y="{middle + 3.7:.1f}">{label}</text>'
        yield f'<circle class="b" cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS:g}"/>'
        yield f'<text x="{x:.1f}" y="{y + 3.8:.1f}">{position}</text>'
    for (x, y), index in zip(layout.exits, ("k−2", "k−1"), strict=False):
        yield _box((x - _INPUT[0], y - _INPUT[1] / 2), *_INPUT)
        subscript = f'<tspan dy="3" font-size="8.5">{index}</tspan>'
        yield f'<text x="{x - _INPUT[0] / 2:g}" y="{y + 2:g}">c{subscript}</text>'
    yield _box((layout.output, layout.top), _OUTPUT, layout.bottom - layout.top)
    x, y = layout.output + _OUTPUT / 2, (layout.top + layout.bottom) / 2
    yield f'<text transform="translate({x:g} {y:g}) rotate(-90)" dy="3.5">output</text>'


def _route(start: Point, turn: float, end: Point) -> str:
    """Bend to the height of `end` before `turn`, then go level."""
    (x, y), (end_x, end_y) = start, end
    middle = (x + turn) / 2
    bend = f"C{middle:.1f} {y:.1f} {middle:.1f} {end_y:.1f} {turn:.1f} {end_y:.1f}"
    return f"M{x:.1f} {y:.1f}{bend}H{end_x:.1f}"


def _box(corner: Point, width: float, height: float) -> str:
    x, y = corner
    return f'<rect class="b" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4"/>'


def _legend(genotype: Genotype, top: float, width: float) -> tuple[list[str], float]:
    """The colours that occur, and the height of the whole picture."""
    edges = genotype.normal.edges + genotype.reduction.edges
    present = {_STYLE[edge.op][1] for edge in edges}
    parts, x = [], _MARGIN
    for family in dict.fromkeys(family for _, family in _STYLE.values()):
        if family not in present:
            continue
        length = 26 + 6 * len(family.title)
        if x > _MARGIN and x + length > width:
            x, top = _MARGIN, top + 18
        parts.append(f'<rect x="{x:g}" y="{top:g}" width="10" height="10" rx="3" fill="{family.colour}"/>')
        parts.append(f'<text class="l" x="{x + 14:g}" y="{top + 9:g}">{family.title}</text>')
        x += length
    return parts, top + 10 + _MARGIN
