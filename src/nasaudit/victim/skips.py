"""The Skip Gradient Method: gradients that flow through skip connections rather than through what they skip.

Wu, Wang, Xia, Bailey and Ma, "Skip Connections Matter: On the Transferability of Adversarial Examples Generated with
ResNets", ICLR 2020. A stack of residual blocks z_{i+1} = z_i + f_{i+1}(z_i) has the gradient
    dl/dz_0 = dl/dz_L prod_i ( gamma df_{i+1}/dz_i + 1 ) dz_0/dx                                             (eq. 6)
where gamma in (0, 1] decays the part that went through a residual module, once for each module on the way: what is
left leads to examples that fool other models more often. The forward pass is as it was; gamma = 1 is the gradient.

Which sums have a skip: those with a summand that is the identity of what an earlier layer put out.
- Residual blocks (ResNet and its wide and aggregated kin, pre-activation, DLA) whose shortcut is the identity.
- Layers of a DenseNet, whose input is passed on beside their output: a concatenation instead of a sum.
- Our adaptation to cells: a node that adds up edges of which one is a `skip_connect` of stride 1. The gradient
  through its other edges, convolutions and poolings, is decayed by gamma; that through its skips is not. A node
  without such an edge, or with no other one, is as it was.

Deviations from the authors' code (csdongxian/skip-connections-matter, utils_sgm.py lines 6-43): it decays at ReLUs,
by gamma in all on the way through a residual module; here the module's output is decayed, as in the equation.
It leaves out the first block of each stage (line 28), most of which have a convolution in their shortcut; here
exactly the blocks with such a shortcut are left out. Its hooks also meet the ReLU behind each sum, and it divides
gradients by their standard deviation over the batch at each block (lines 14-17): both are one positive factor for
all images, of which neither a sign nor a normalised velocity knows.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

from torch import Tensor, nn

from nasaudit.arch.cells import Cell
from nasaudit.arch.nasbench201 import Cell201


@contextmanager
def skip_gradients(network: nn.Module, gamma: float) -> Iterator[None]:
    """Inside of the block, gradients through `skipped` modules of the network are multiplied by gamma."""

    def decay(module: nn.Module, inputs: object, output: Tensor) -> None:
        # The hook stays with what the module computed, also if a sum is then written over its output.
        if output.requires_grad:
            output.register_hook(lambda gradient: gamma * gradient)  # type: ignore[no-untyped-call]

    hooks = [module.register_forward_hook(decay) for module in (skipped(network) if gamma != 1 else ())]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def skipped(network: nn.Module) -> list[nn.Module]:
    """The modules that a skip connection leads around: of each branch the one whose output is added up."""
    return list(chain.from_iterable(_branches(module) for module in network.modules()))


def _branches(module: nn.Module) -> Iterator[nn.Module]:
    match module:
        case Cell() | Cell201():
            for node in module.nodes:
                edges: list[nn.Module] = list(node.children())
                if any(isinstance(edge, nn.Identity) for edge in edges):
                    yield from (edge for edge in edges if not isinstance(edge, nn.Identity))
        case _ if (
            "timm" in sys.modules
        ):  # it takes seconds to import, and a network of its blocks has done that
            yield from _branches_of_timm(module)


def _branches_of_timm(module: nn.Module) -> Iterator[nn.Module]:
    from timm.models.densenet import DenseLayer
    from timm.models.dla import DlaBasic, DlaTree
    from timm.models.resnet import BasicBlock, Bottleneck
    from timm.models.resnetv2 import PreActBasic, PreActBottleneck

    match module:
        case BasicBlock() if module.downsample is None:
            yield module.bn2
        case Bottleneck() if module.downsample is None:
            yield module.bn3
        case PreActBasic() if module.downsample is None:
            yield module.conv2
        case PreActBottleneck() if module.downsample is None:
            yield module.conv3
        case DenseLayer():
            yield module.get_submodule("conv2")
        case DlaTree() if module.levels == 1:
            # The first block's shortcut is the tree's; the second one adds its own input.
            blocks = (module.tree1, module.tree2)
            direct = all(isinstance(step, nn.Identity) for step in (module.downsample, module.project))
            for block in blocks if direct else blocks[1:]:
                if isinstance(block, DlaBasic):
                    yield block.bn2
