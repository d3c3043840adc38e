"""Rewiring a cell: deeper, without skips, or both. No torch.

Pang et al., "On the Security Risks of AutoML", USENIX Security 2022, section on mitigation: the cells that search
favours are shallow, wide and full of skip connections, which makes them quick to train and easy to attack. The
remedies undo that by hand, in the genotype:
(i) deepen: all edges of a node come from the node before it; the first node keeps its own, from the cell's inputs;
(ii) drop skips: each `skip_connect` becomes a convolution, `sep_conv_3x3`;
(iii) both.

The paper does this to DARTS, in full. Here a *dose* does part of it: the first so many nodes are deepened, the first
so many skips dropped. The depth never falls with the dose and the skips never rise. (From the last node backwards
the depth could fall: a node at the end of a long path may be moved onto a short one.)

Deviations:
- The published generator rewires both kinds of cells, the published variants of DARTS its normal cell alone. `scope`
  offers either, and the reduction cell alone.
- The published DARTS-ii and -iii put `dil_conv_3x3` in the place of the second skip: `PUBLISHED_REPLACEMENTS`.
- A node that no path reaches from the cell's inputs, because `none` carries nothing, would cut the chain. It is left
  as it is, and the chain goes past it.
"""

from collections.abc import Sequence
from pkgutil import resolve_name

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.spec.genotype import CELL_INPUTS, SKIP, Cell, Edge, Genotype, Node
from nasaudit.spec.remedies.catalogue import Rewiring, remedies_of
from nasaudit.spec.remedies.mitigation import REPLACEMENTS, Scope, check_replacements

SCOPES: dict[Scope, tuple[str, ...]] = {
    "normal": ("normal",),
    "reduction": ("reduction",),
    "all": ("normal", "reduction"),
}


def deepen(cell: Cell, dose: int | None = None, replacements: Sequence[str] = ()) -> Cell:
    """Chain the nodes: all edges of a node read the node before it, each with the op that it had.

    Args:
        cell: as searched.
        dose: how many nodes after the first are chained, from the front; None: all.
        replacements: idle, as every op stays.

    Raises:
        SpecError: the dose is negative.
    """
    _check_dose(dose)
    nodes: list[Node] = []
    chain: list[int] = []  # the nodes so far that a path reaches
    for number, node in enumerate(cell.nodes, start=CELL_INPUTS):
        carrying = [edge.source for edge in node if edge.op != "none"]
        reached = any(source < CELL_INPUTS or source in chain for source in carrying)
        if reached and chain and (dose is None or len(chain) <= dose):
            nodes.append(tuple(Edge(edge.op, chain[-1]) for edge in node))
        else:
            nodes.append(node)
        if reached:
            chain.append(number)
    return Cell(nodes=tuple(nodes), concat=cell.concat)


def drop_skips(cell: Cell, dose: int | None = None, replacements: Sequence[str] = REPLACEMENTS) -> Cell:
    """Put another op in the place of every `skip_connect`; sources stay.

    Args:
        cell: as searched.
        dose: how many skips are dropped, in the order of the edges; None: all.
        replacements: the op for each skip in turn; the last one serves all further skips.

    Raises:
        SpecError: the dose is negative; no replacement, or one that is no op, `none` or another skip.
    """
    _check_dose(dose)
    check_replacements(replacements)
    dropped = 0

    def without_skip(edge: Edge) -> Edge:
        nonlocal dropped
        if edge.op != SKIP or (dose is not None and dropped >= dose):
            return edge
        dropped += 1
        return Edge(replacements[min(dropped, len(replacements)) - 1], edge.source)

    nodes = tuple(tuple(without_skip(edge) for edge in node) for node in cell.nodes)
    return Cell(nodes=nodes, concat=cell.concat)


def both(cell: Cell, dose: int | None = None, replacements: Sequence[str] = REPLACEMENTS) -> Cell:
    """Chain the nodes, then drop the skips; see `deepen` and `drop_skips`."""
    return drop_skips(deepen(cell, dose), dose, replacements)


def rewire(
    genotype: Genotype,
    remedy: str,
    scope: Scope = "normal",
    dose: int | None = None,
    replacements: Sequence[str] = REPLACEMENTS,
) -> Genotype:
    """A genotype with its cells rewired; it is new, and valid.

    Args:
        genotype: as searched.
        remedy: of the cell, by name.
        scope: which of the cells; the other one stays as it is.
        dose: how many nodes or skips of each cell; None: all. More than there are is all.
        replacements: see `drop_skips`.

    Raises:
        UnknownNameError: no such rewiring.
        SpecError: see `drop_skips`; or the scope is none of `SCOPES`.
    """
    rewirings = remedies_of(Rewiring)
    if remedy not in rewirings:
        raise UnknownNameError("rewiring", remedy, rewirings)
    if scope not in SCOPES:
        raise SpecError("scope", f"one of {', '.join(SCOPES)}", scope)
    cells = {"normal": genotype.normal, "reduction": genotype.reduction}
    rewired = resolve_name(rewirings[remedy].implementation)
    for kind in SCOPES[scope]:
        cells[kind] = rewired(cells[kind], dose, replacements)
    return Genotype(**cells)


def _check_dose(dose: int | None) -> None:
    if dose is not None and dose < 0:
        raise SpecError("dose", "a number of nodes or skips, 0 or more", dose)
