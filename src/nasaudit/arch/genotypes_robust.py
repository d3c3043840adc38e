"""Cells that searches for robustness published, as constants. No torch.

They are written as in `arch.genotypes`. All were searched and trained against adversarial examples, so they are a
group of their own. Each has its source as repository (commit), file:line.
"""

from nasaudit.arch.genotypes import cell
from nasaudit.spec.genotype import Genotype

# Mok et al., "AdvRush: Searching for Adversarially Robust Neural Architectures", ICCV 2021.
# nutellamok/advrush (a15b26a), advrush/genotypes.py:74.
ADVRUSH = Genotype(
    normal=cell("sep3(1) sep3(0) | sep5(0) sep3(1) | sep3(1) sep3(0) | skip(0) sep3(1)"),
    reduction=cell("sep3(0) sep3(1) | skip(0) dil3(2) | skip(0) avg3(1) | skip(0) skip(2)"),
)

# Dong et al., "Adversarially Robust Neural Architectures", 2020. The authors' repository is not public; AdvRush's,
# Wsr-NAS' and TRNAS' have the same cells: nutellamok/advrush (a15b26a), advrush/genotypes.py:83.
RACL = Genotype(
    normal=cell("sep3(0) sep3(1) | sep5(0) skip(1) | sep3(0) skip(3) | sep3(3) skip(4)"),
    reduction=cell("sep3(0) sep5(1) | avg3(0) dil3(1) | sep3(0) sep5(1) | sep3(2) dil3(3)"),
)

# Feng et al., "LRNAS: Differentiable Searching for Adversarially Robust Lightweight Neural Architecture", TNNLS 2024.
# The cell of CIFAR-10, in which the first node of the reduction cell reads nothing: fyqsama/LRNAS (aa13ec2),
# genotypes.py:86.
LRNAS = Genotype(
    normal=cell("max3(1) avg3(0) | sep3(1) skip(0) | sep3(2) avg3(1) | max3(3) max3(0)"),
    reduction=cell("none(0) none(1) | sep5(2) max3(0) | avg3(2) skip(1) | max3(3) skip(4)"),
)

# Feng et al., "TRNAS: A Training-Free Robust Neural Architecture Search", ICCV 2025. The cell of CIFAR-10:
# fly2tortoise/TRNAS (66b668f), 2_Darts_space/eval/genotypes.py:40.
TRNAS = Genotype(
    normal=cell("sep5(0) sep5(1) | sep5(1) skip(0) | avg3(1) sep5(3) | skip(1) sep5(4)"),
    reduction=cell("sep5(0) sep5(1) | sep5(0) sep5(1) | sep5(0) sep5(1) | sep5(1) sep5(3)"),
)

# Cheng et al., "Neural Architecture Search for Wide Spectrum Adversarial Robustness", AAAI 2023. WsrNet-Plus:
# zhicheng2T0/Wsr-NAS (7736f5d), retrain/genotypes.py:47.
WSRNET_PLUS = Genotype(
    normal=cell("dil3(0) dil3(1) | dil5(0) avg3(1) | dil3(3) dil5(2) | sep5(0) avg3(1)"),
    reduction=cell("sep3(1) dil3(0) | avg3(2) max3(1) | sep3(1) dil5(2) | sep3(4) max3(2)"),
)

# Guo et al., "When NAS Meets Robustness", CVPR 2020: every edge is kept, and 11 in its code is a separable
# convolution beside a skip, here two edges of one source. One cell for both kinds:
# gmh14/RobNets (0fbcb03), architecture_code.py:1-7.
ROBNET_CELL = cell(
    "sep3(0) skip(0) sep3(1) skip(1) | sep3(0) skip(0) sep3(1) skip(1) sep3(2) skip(2) | "
    "sep3(0) sep3(1) skip(1) sep3(2) skip(3) | sep3(0) skip(0) sep3(1) sep3(2) sep3(3) sep3(4) skip(4)"
)
ROBNET_LARGE = Genotype(normal=ROBNET_CELL, reduction=ROBNET_CELL)
