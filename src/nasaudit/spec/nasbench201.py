"""Cells of NAS-Bench-201 in their text form: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020. A cell has
four nodes; node 0 is its input, node 3 its output, and each node adds up one edge from every earlier node.
"""

from nasaudit.errors import GenotypeError

OPS_201: tuple[str, ...] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NODES = 3  # that add up edges: node k has k of them
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"


def parse_201(text: str) -> tuple[tuple[str, ...], ...]:
    """The ops of each node's edges: the op at [k][j] leads from node j to node k + 1.

    Raises:
        GenotypeError: another form; the position, what was expected there and what came.

    >>> parse_201("|none~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|")[1]
    ('skip_connect', 'nor_conv_1x1')
    """
    nodes = "".join(text.split()).split("+")
    if len(nodes) != NODES:
        raise GenotypeError("cell", f"{NODES} nodes, as in {FORM}", f"{len(nodes)} in {text}")
    return tuple(_node(number, node) for number, node in enumerate(nodes, start=1))


def short_name(text: str) -> str:
    """A name of a cell that is short, and no other's: the numbers of its ops in the order of the text.

    >>> short_name("|none~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|none~1|nor_conv_3x3~2|")
    'nasbench201-012003'
    """
    return "nasbench201-" + "".join(str(OPS_201.index(op)) for node in parse_201(text) for op in node)


def _node(number: int, node: str) -> tuple[str, ...]:
    where = f"cell.node[{number}]"
    if len(node) < 2 or node[0] != "|" or node[-1] != "|":
        raise GenotypeError(where, "edges between bars, as in |op~0|op~1|", node)
    edges = node[1:-1].split("|")
    if len(edges) != number:
        raise GenotypeError(where, f"{number} edges, one from each earlier node", f"{len(edges)} in {node}")
    return tuple(_edge(f"{where}.edge[{source}]", edge, source) for source, edge in enumerate(edges))


def _edge(where: str, edge: str, source: int) -> str:
    op, tilde, read = edge.partition("~")
    if not tilde:
        raise GenotypeError(where, f"an op and its source, as in nor_conv_3x3~{source}", edge)
    if op not in OPS_201:
        raise GenotypeError(f"{where}.op", f"one of {', '.join(OPS_201)}", op)
    if read != str(source):
        raise GenotypeError(f"{where}.source", f"{source} (edges stand in the order of their sources)", read)
    return op
