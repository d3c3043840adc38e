"""The supernet of a space: every edge with every op, weighed and added up.

Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, section 2.2: an edge's output is the sum of
all its ops' outputs, each times a weight. One network serves all one-shot methods, which differ in where the weights
come from: a softmax, a Dirichlet or Gumbel draw, a path of ones and zeros.

As in the authors' code BN has no scale and shift, so that no op can undo its weight, and poolings end in a BN
(quark0/darts f276dd3, cnn/model_search.py:17-19). Every op but the identity therefore ends in a BN, and its weight is
given to that BN as its scale: the same product, one pass over memory less. Ops of weight none, and what `active`
leaves out, are not computed: their gradient is that of a term which is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from nasaudit.arch.cells import STEM_MULTIPLIER, DropPath, State, dense_gradient
from nasaudit.arch.nasbench201 import OPS as BUILDERS_201
from nasaudit.arch.nasbench201 import Reduction201
from nasaudit.arch.network import Normalise
from nasaudit.arch.ops import BUILDERS, FactorizedReduce, Pool, conv_bn, reads_rectified
from nasaudit.spec.searches.space import NONE, SpaceSpec

# Ops of each edge of a cell, as positions in `SpaceSpec.primitives`.
Active = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Mixture:
    """How much each op of each edge of a kind of cell counts.

    Attributes:
        weights: float [edges, primitives].
        active: the ops that are computed; others count nothing, whatever their weight.
        outputs: the nodes that make the cell's output, where only some do; None: all.
    """

    weights: Tensor
    active: Active
    outputs: tuple[int, ...] | None = None


def everything(space: SpaceSpec) -> Active:
    """All ops of all edges."""
    return (tuple(range(len(space.primitives))),) * len(space.sources)


class Weighed(nn.Module):
    """An op whose output is multiplied by a weight: `weight * op(x)`.

    Args:
        op: as a derived cell has it.
        channels: of its output.
        normalised: whether a pooling ends in a BN.
    """

    def __init__(self, op: nn.Module, channels: int, normalised: bool):
        super().__init__()
        self.reads_rectified = reads_rectified(op)
        self.norm: nn.BatchNorm2d | None = None
        if isinstance(op, Pool) and normalised:
            self.norm = nn.BatchNorm2d(channels)
        if isinstance(op, FactorizedReduce):
            self.norm, op.norm = op.norm, cast(nn.BatchNorm2d, nn.Identity())
        elif isinstance(op, nn.Sequential) and isinstance(op[-1], nn.BatchNorm2d):
            self.norm, op = op[-1], op[:-1]
        self.op = op

    def forward(self, state: State, weight: Tensor) -> Tensor:  # noqa: D102
        y: Tensor = self.op(state.rectified if self.reads_rectified else state.raw)
        if self.norm is None:
            return weight * y
        norm = self.norm
        if self.training and norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        return nn.functional.batch_norm(
            y,
            norm.running_mean,
            norm.running_var,
            weight.to(y.dtype).repeat(
                norm.num_features
            ),  # the kernels read memory: an expanded view would not do
            None,
            self.training,
            0.1 if norm.momentum is None else norm.momentum,
            norm.eps,
        )


class MixedOp(nn.Module):
    """All ops of an edge. With partial channels, the ops read the first of `parts` parts of the channels alone.

    Xu et al., "PC-DARTS", ICLR 2020, section 3.2: the other parts pass by, pooled where the edge strides, and the
    channels are shuffled, so that each part has its turn in the next cell.
    """

    def __init__(self, space: SpaceSpec, channels: int, stride: int, parts: int = 1):
        super().__init__()
        self.stride, self.parts = stride, parts
        self.channels = channels // parts
        self.ops = nn.ModuleList(_op(space, name, self.channels, stride) for name in space.primitives)
        self.some = tuple(name != NONE for name in space.primitives)
        # Dropout behind the identity, which P-DARTS alone switches on.
        self.skip_dropout = nn.Dropout(0.0)

    def forward(self, state: State, weights: Tensor, active: tuple[int, ...]) -> Tensor | None:
        """The weighed sum; None where no op is active that is anything.

        Args:
            state: what the edge reads, [N, C, H, W].
            weights: [primitives].
            active: positions of the ops that are computed.
        """
        read = state
        if self.parts > 1:
            read = State(state.raw[:, : self.channels])
        total: Tensor | None = None
        for position in active:
            if not self.some[position]:
                continue
            op = cast(Weighed, self.ops[position])
            y = op(read, weights[position])
            if self.skip_dropout.p and isinstance(op.op, nn.Identity):
                y = self.skip_dropout(y)
            # In place: neither a BN nor a product needs what it gave for its gradient.
            total = y if total is None else total.add_(y)
        if self.parts == 1:
            return total
        rest = state.raw[:, self.channels :]
        if self.stride == 2:
            rest = nn.functional.max_pool2d(
                rest, 2, 2, ceil_mode=True
            )  # odd sides round up, as strided ops do
        if total is None:
            total = torch.zeros_like(rest[:, : self.channels])
        return shuffled(torch.cat([total, rest], dim=1), self.parts)


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels [groups, C / groups] in the order [C / groups, groups] (Zhang et al., "ShuffleNet", CVPR 2018)."""
    n, channels, height, width = x.shape
    x = x.view(n, groups, channels // groups, height, width).transpose(1, 2)
    return x.reshape(n, channels, height, width)


class SuperCell(nn.Module):
    """A cell with every edge of the space."""

    def __init__(self, space: SpaceSpec, channels: int, reduction: bool = False, parts: int = 1):
        super().__init__()
        self.space, self.channels = space, channels
        self.drop_path = DropPath()  # of whole edges, which SNAS alone switches on
        self.mixed = nn.ModuleList(
            MixedOp(space, channels, 2 if reduction and source < space.inputs else 1, parts)
            for _, source in space.sources
        )

    def states(self, inputs: list[State], mixture: Mixture, edges: Tensor | None = None) -> list[State]:
        """The inputs, and what each node adds up.

        Args:
            inputs: of the cell, all of the cell's own width.
            mixture: of its kind.
            edges: [edges], what each edge's sum is multiplied by (PC-DARTS); None: 1.
        """
        states, position = list(inputs), 0
        for node in range(self.space.inputs, self.space.inputs + self.space.nodes):
            total: Tensor | None = None
            for source in range(node):
                mixed = cast(MixedOp, self.mixed[position])
                y = mixed(states[source], mixture.weights[position], mixture.active[position])
                if y is not None:
                    y = self.drop_path(y)
                    y = y if edges is None else edges[position] * y
                    total = y if total is None else total.add_(y)
                position += 1
            states.append(State(self._nothing(states[0], states) if total is None else total))
        return states

    def _nothing(self, first: State, states: list[State]) -> Tensor:
        """A node without an edge: zeros of the size of the cell's nodes."""
        stride = cast(MixedOp, self.mixed[0]).stride
        return torch.zeros_like(first.raw[:, :, ::stride, ::stride])


class StackedCell(SuperCell):
    """A cell of a stack: (output of the cell before the previous, output of the previous) -> its own output."""

    def __init__(
        self,
        space: SpaceSpec,
        channels_in: tuple[int, int],
        channels: int,
        reduction: bool,
        after_reduction: bool,
        parts: int,
    ):
        super().__init__(space, channels, reduction, parts)
        self.reduction = reduction
        before_previous, previous = channels_in
        self.preprocess0 = (
            FactorizedReduce(before_previous, channels)
            if after_reduction
            else conv_bn(before_previous, channels)
        )
        self.preprocess1 = conv_bn(previous, channels)
        self.channels_out = channels * space.nodes

    def forward(self, inputs: tuple[State, State], mixture: Mixture, edges: Tensor | None) -> State:  # noqa: D102
        own = [State(self.preprocess0(inputs[0].rectified)), State(self.preprocess1(inputs[1].rectified))]
        nodes = [state.raw for state in self.states(own, mixture, edges)[self.space.inputs :]]
        if mixture.outputs is not None:
            # Zeros instead of a narrower output: the next 1x1 convolution then reads its columns of the others alone.
            nodes = [
                node if number in mixture.outputs else torch.zeros_like(node)
                for number, node in enumerate(nodes, start=self.space.inputs)
            ]
        return State(torch.cat([dense_gradient(node) for node in nodes], dim=1))


class Supernet(nn.Module):
    """Pixels in [0,1], [N, C, H, W], and a mixture of each kind of cell -> logits [N, classes].

    Args:
        space: whose cells.
        channels: of the first cell.
        cells: in all; of the skeleton `nasbench201`, in each of three stages.
        shape: (channels, height, width) of an image.
        classes: how many.
        moments: mean and standard deviation of the training pixels by channel.
        parts: of the channels, of which ops read the first; 1: all.
    """

    def __init__(
        self,
        space: SpaceSpec,
        channels: int,
        cells: int,
        shape: tuple[int, int, int],
        classes: int,
        moments: tuple[Tensor, Tensor],
        parts: int = 1,
    ):
        super().__init__()
        self.space = space
        self.normalise = Normalise(*moments)
        stacked = space.skeleton == "darts"
        stem = channels * STEM_MULTIPLIER if stacked else channels
        self.stem = nn.Sequential(nn.Conv2d(shape[0], stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem))
        layers = (
            _stack(space, stem, channels, cells, parts) if stacked else _stages(space, channels, cells, parts)
        )
        self.cells = nn.ModuleList(layers)
        last = (
            cast(StackedCell, self.cells[-1]).channels_out
            if stacked
            else cast(SuperCell, self.cells[-1]).channels
        )
        self.last = nn.Identity() if stacked else nn.Sequential(nn.BatchNorm2d(last), nn.ReLU())
        self.classifier = nn.Linear(last, classes)
        for name, module in self.named_modules():
            # The stem keeps its scale and shift, as its authors' does (model_search.py:81-84), and so does what
            # stands between the stages of NAS-Bench-201.
            searched = name.startswith("cells.") and not isinstance(module, Reduction201)
            if searched and isinstance(module, nn.BatchNorm2d) and not self._between(name):
                module.affine = False
                module.register_parameter("weight", None)
                module.register_parameter("bias", None)

    def _between(self, name: str) -> bool:
        return isinstance(self.cells[int(name.split(".")[1])], Reduction201)

    def forward(
        self, pixels: Tensor, mixtures: Mapping[str, Mixture], edges: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Logits.

        Args:
            pixels: [N, C, H, W].
            mixtures: by kind of cell.
            edges: by kind of cell, what each edge is multiplied by; None: 1.
        """
        x = self.stem(self.normalise(pixels))
        before_previous = previous = State(x)
        for cell in self.cells:
            if isinstance(cell, StackedCell):
                kind = "reduction" if cell.reduction else "normal"
                y = cell((before_previous, previous), mixtures[kind], None if edges is None else edges[kind])
            elif isinstance(cell, SuperCell):
                y = cell.states([previous], mixtures["normal"], None if edges is None else edges["normal"])[
                    -1
                ]
            else:
                y = State(cell(previous.raw))
            before_previous, previous = previous, y
        logits: Tensor = self.classifier(self.last(previous.raw).mean(dim=(2, 3)))
        return logits


def _op(space: SpaceSpec, name: str, channels: int, stride: int) -> nn.Module:
    if name == NONE:
        return nn.Identity()  # never called
    stacked = space.skeleton == "darts"
    op = BUILDERS[name](channels, stride) if stacked else BUILDERS_201[name](channels)
    return Weighed(op, channels, normalised=stacked)


def _stack(space: SpaceSpec, stem: int, channels: int, cells: int, parts: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    reductions = {cells // 3, 2 * cells // 3}
    channels_in, after_reduction = (stem, stem), False
    for position in range(cells):
        reduction = position in reductions
        channels *= 2 if reduction else 1
        cell = StackedCell(space, channels_in, channels, reduction, after_reduction, parts)
        layers.append(cell)
        channels_in, after_reduction = (channels_in[1], cell.channels_out), reduction
    return layers


def _stages(space: SpaceSpec, channels: int, cells: int, parts: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for stage in range(3):
        if stage:
            layers.append(Reduction201(channels, 2 * channels))
            channels *= 2
        layers += [SuperCell(space, channels, parts=parts) for _ in range(cells)]
    return layers
