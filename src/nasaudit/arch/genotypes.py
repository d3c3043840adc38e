"""The published cells as constants, each with the paper that found it. No torch.

They are written the way the field draws them: the nodes of a cell in order, `|` between nodes, each node the
sum of its edges `op(source)`. Sources 0 and 1 are the outputs of the cell before the previous and of the
previous cell; nodes are numbered from 2. `sep3` is `sep_conv_3x3`, and so on.
The numbering and the choices among several published cells follow Pang et al., "On the Security Risks of
AutoML", USENIX Security 2022.
"""

import re

from nasaudit.spec.genotype import CELL_INPUTS, Cell, Edge, Genotype

_OPS = {
    "none": "none",
    "skip": "skip_connect",
    "max3": "max_pool_3x3",
    "avg3": "avg_pool_3x3",
    "sep3": "sep_conv_3x3",
    "sep5": "sep_conv_5x5",
    "sep7": "sep_conv_7x7",
    "dil3": "dil_conv_3x3",
    "dil5": "dil_conv_5x5",
    "conv7": "conv_7x1_1x7",
}
_EDGE = re.compile(r"(\w+)\((\d+)\)")


def cell(text: str, concat: tuple[int, ...] | None = None) -> Cell:
    """Read the compact form; `concat=None` concatenates all nodes.

    >>> cell("sep3(0) skip(1)").nodes
    ((Edge(op='sep_conv_3x3', source=0), Edge(op='skip_connect', source=1)),)
    """
    nodes = tuple(
        tuple(Edge(_OPS[short], int(source)) for short, source in _EDGE.findall(node))
        for node in text.split("|")
    )
    return Cell(nodes=nodes, concat=concat or tuple(range(CELL_INPUTS, CELL_INPUTS + len(nodes))))


# AmoebaNet-A. Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019.
AMOEBANET = Genotype(
    normal=cell(
        "avg3(0) max3(1) | sep3(0) sep5(2) | sep3(0) avg3(3) | sep3(1) skip(1) | skip(0) avg3(1)",
        concat=(4, 5, 6),
    ),
    reduction=cell(
        "avg3(0) sep3(1) | max3(0) sep7(2) | sep7(0) avg3(1) | max3(0) max3(1) | conv7(0) sep3(5)",
        concat=(3, 4, 6),
    ),
)

# Second order. Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019.
DARTS = Genotype(
    normal=cell("sep3(0) sep3(1) | sep3(0) sep3(1) | sep3(1) skip(0) | skip(0) dil3(2)"),
    reduction=cell("max3(0) max3(1) | skip(2) max3(1) | max3(0) skip(2) | skip(2) max3(1)"),
)

# First order. Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019.
DARTS_V1 = Genotype(
    normal=cell("sep3(1) sep3(0) | skip(0) sep3(1) | skip(0) sep3(1) | sep3(0) skip(2)"),
    reduction=cell("max3(0) max3(1) | skip(2) max3(0) | max3(0) skip(2) | skip(2) avg3(0)"),
)

# CIFAR-10 cell. Chen et al., "DrNAS: Dirichlet Neural Architecture Search", ICLR 2021.
DRNAS = Genotype(
    normal=cell("sep3(0) sep5(1) | sep3(1) sep3(2) | skip(0) sep3(1) | sep3(2) dil5(3)"),
    reduction=cell("max3(0) sep5(1) | dil5(2) sep5(1) | sep5(1) dil5(3) | skip(4) sep5(1)"),
)

# Micro search space. Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018.
ENAS = Genotype(
    normal=cell("sep3(1) skip(1) | sep5(1) skip(0) | avg3(0) sep3(1) | sep3(0) avg3(1) | sep5(1) avg3(0)"),
    reduction=cell(
        "sep5(0) avg3(1) | sep3(1) avg3(1) | sep3(1) avg3(1) | sep5(4) avg3(1) | sep3(5) sep5(0)",
        concat=(2, 3, 6),
    ),
)

# NASNet-A. Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", CVPR 2018.
NASNET = Genotype(
    normal=cell("sep5(1) sep3(0) | sep5(0) sep3(0) | avg3(1) skip(0) | avg3(0) avg3(0) | sep3(1) skip(1)"),
    reduction=cell(
        "sep5(1) sep7(0) | max3(1) sep7(0) | avg3(1) sep5(0) | skip(3) avg3(2) | sep3(2) max3(1)",
        concat=(4, 5, 6),
    ),
)

# CIFAR-10 cell. Xu et al., "PC-DARTS: Partial Channel Connections", ICLR 2020.
PC_DARTS = Genotype(
    normal=cell("sep3(1) skip(0) | sep3(0) dil3(1) | sep5(0) sep3(1) | avg3(0) dil3(1)"),
    reduction=cell("sep5(1) max3(0) | sep5(1) sep5(2) | sep3(0) sep3(3) | sep3(1) sep3(2)"),
)

# Chen et al., "Progressive Differentiable Architecture Search", ICCV 2019.
PDARTS = Genotype(
    normal=cell("skip(0) dil3(1) | skip(0) sep3(1) | sep3(1) sep3(3) | sep3(0) dil5(4)"),
    reduction=cell("avg3(0) sep5(1) | sep3(0) dil5(2) | max3(0) dil3(1) | dil3(1) dil5(3)"),
)

# Criterion 1, best. Li et al., "SGAS: Sequential Greedy Architecture Search", CVPR 2020.
SGAS = Genotype(
    normal=cell("sep3(0) dil3(1) | sep3(0) sep3(1) | sep5(1) sep5(3) | skip(0) dil5(2)"),
    reduction=cell("max3(0) dil5(1) | sep3(0) skip(2) | sep3(1) skip(2) | max3(0) max3(1)"),
)

# Mild constraint. Xie et al., "SNAS: Stochastic Neural Architecture Search", ICLR 2019.
SNAS = Genotype(
    normal=cell("sep3(0) sep3(1) | skip(0) dil3(1) | skip(0) skip(1) | skip(0) sep3(1)"),
    reduction=cell("max3(0) max3(1) | skip(2) max3(1) | max3(1) skip(2) | dil5(2) max3(0)"),
)

# Drawn at random from the DARTS space: Pang et al., "On the Security Risks of AutoML", USENIX Security 2022.
RANDOM = Genotype(
    normal=cell("max3(0) dil3(1) | sep3(2) skip(1) | skip(3) avg3(0) | sep3(1) dil3(2)"),
    reduction=cell("avg3(0) max3(1) | skip(1) dil3(1) | sep3(3) dil3(1) | max3(0) sep3(4)"),
)

# DARTS hardened: deeper (i), without skips (ii), both (iii). The reduction cell is that of DARTS.
# Pang et al., "On the Security Risks of AutoML", USENIX Security 2022; `arch.rewiring` has the rules.
DARTS_I = Genotype(
    normal=cell("sep3(0) sep3(1) | sep3(2) sep3(2) | sep3(3) skip(3) | skip(4) dil3(4)"),
    reduction=DARTS.reduction,
)
DARTS_II = Genotype(
    normal=cell("sep3(0) sep3(1) | sep3(0) sep3(1) | sep3(1) sep3(0) | dil3(0) dil3(2)"),
    reduction=DARTS.reduction,
)
DARTS_III = Genotype(
    normal=cell("sep3(0) sep3(1) | sep3(2) sep3(2) | sep3(3) sep3(3) | dil3(4) dil3(4)"),
    reduction=DARTS.reduction,
)
