"""A genotype as a network: stem, a stack of cells, global pooling, a linear classifier.

Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, section 3 and appendix: reduction cells at
1/3 and 2/3 of the depth double the channels; each node adds up its edges; the cell's output concatenates nodes.
"""

from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn

from nasaudit.arch.depthwise import channels_last
from nasaudit.arch.ops import BUILDERS, FactorizedReduce, conv_bn, reads_rectified
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.genotype import CELL_INPUTS
from nasaudit.spec.genotype import Cell as CellGenotype

STEM_MULTIPLIER = 3


class DropPath(nn.Module):
    """Drop an op's whole output for an image, with probability `probability`, while training.

    Larsson et al., "FractalNet", ICLR 2017. One instance serves all edges of a network, so that the training
    loop schedules them together; `generator` makes the draws repeatable.
    """

    def __init__(self) -> None:
        super().__init__()
        self.probability = 0.0
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        kept = torch.rand(len(x), 1, 1, 1, generator=self.generator, device=x.device) < keep
        return x * (kept / keep)


class Dropout(nn.Module):
    """Zero each number of an op's output with probability `probability`, while training, and scale up the others.

    Srivastava et al., "Dropout", JMLR 2014: torch.nn.Dropout, with a `generator` that makes the draws repeatable. One
    instance serves all edges of a network.
    """

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        kept = torch.empty_like(x).bernoulli_(keep, generator=self.generator)
        return x * kept.div_(keep)


class _DenseGradient(torch.autograd.Function):
    """The identity, whose gradient is made dense and channels-last.

    The gradient of a concatenation is a strided view, and that of a mean is expanded: every element-wise
    backward that follows would fall off the vectorised path (measured: a quarter of a training step).
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return channels_last(gradient)


def dense_gradient(x: Tensor) -> Tensor:
    """`x` itself; see _DenseGradient."""
    y: Tensor = _DenseGradient.apply(x)
    return y


class State:
    """The output of a node or a cell, and its rectified form, computed once for all that begin with a ReLU."""

    def __init__(self, raw: Tensor):
        self.raw = raw

    @cached_property
    def rectified(self) -> Tensor:
        """relu(raw)."""
        return torch.relu(self.raw)


class Cell(nn.Module):
    """One cell: (output of the cell before the previous, output of the previous) -> its own output."""

    def __init__(
        self,
        genotype: CellGenotype,
        channels_in: tuple[int, int],
        channels: int,
        reduction: bool,
        after_reduction: bool,
        drop_path: DropPath,
        dropout: Dropout,
    ):
        super().__init__()
        before_previous, previous = channels_in
        # The older input has twice the resolution when the previous cell was a reduction.
        self.preprocess0 = (
            FactorizedReduce(before_previous, channels)
            if after_reduction
            else conv_bn(before_previous, channels)
        )
        self.preprocess1 = conv_bn(previous, channels)
        self.nodes = nn.ModuleList(
            nn.ModuleList(
                BUILDERS[edge.op](channels, 2 if reduction and edge.source < CELL_INPUTS else 1)
                for edge in node
            )
            for node in genotype.nodes
        )
        self.genotype = genotype
        self.drop_path, self.dropout = drop_path, dropout
        self.channels_out = channels * len(genotype.concat)

    def forward(self, before_previous: State, previous: State) -> State:  # noqa: D102
        states = [
            State(self.preprocess0(before_previous.rectified)),
            State(self.preprocess1(previous.rectified)),
        ]
        for position, node in enumerate(self.genotype.nodes):
            ops = cast(nn.ModuleList, self.nodes[position])
            terms = [self._edge(op, states[edge.source]) for edge, op in zip(node, ops, strict=True)]
            states.append(State(sum(terms[1:], terms[0])))
        return State(torch.cat([dense_gradient(states[node].raw) for node in self.genotype.concat], dim=1))

    def _edge(self, op: nn.Module, state: State) -> Tensor:
        y: Tensor = op(state.rectified if reads_rectified(op) else state.raw)
        # The identity is never dropped: a node would lose the image altogether.
        return y if isinstance(op, nn.Identity) else self.drop_path(self.dropout(y))


class AuxiliaryHead(nn.Module):
    """A second classifier on the (rectified) features at 2/3 of the depth, used while training only.

    Published for 8x8 features (5x5 average pooling with stride 3, giving 2x2). Other sizes are pooled to 2x2
    adaptively.
    """

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        if x.shape[2:] == (8, 8):
            x = nn.functional.avg_pool2d(x, 5, stride=3, count_include_pad=False)
        else:
            x = nn.functional.adaptive_avg_pool2d(x, 2)
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits


class CellNetwork(nn.Module):
    """The stack of cells of an ArchSpec with a genotype: normalised images -> logits.

    `auxiliary` is the second head or None; `forward_both` gives its logits too.
    """

    def __init__(self, spec: ArchSpec):
        super().__init__()
        if spec.genotype is None or spec.init_channels is None or spec.n_cells is None:
            raise ValueError(f"expected an ArchSpec with a genotype and its sizes, got {spec.name}")
        channels, stem_channels = spec.init_channels, spec.init_channels * STEM_MULTIPLIER
        self.stem = nn.Sequential(
            nn.Conv2d(spec.input_shape[0], stem_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(stem_channels),
        )
        self.drop_path, self.dropout = DropPath(), Dropout(spec.dropout)
        self.cells = nn.ModuleList()
        reductions = {spec.n_cells // 3, 2 * spec.n_cells // 3}
        self.auxiliary_position = 2 * spec.n_cells // 3
        self.auxiliary: AuxiliaryHead | None = None
        channels_in = (stem_channels, stem_channels)
        after_reduction = False
        for position in range(spec.n_cells):
            reduction = position in reductions
            channels *= 2 if reduction else 1
            cell = Cell(
                spec.genotype.reduction if reduction else spec.genotype.normal,
                channels_in,
                channels,
                reduction,
                after_reduction,
                self.drop_path,
                self.dropout,
            )
            self.cells.append(cell)
            channels_in = (channels_in[1], cell.channels_out)
            after_reduction = reduction
            if spec.auxiliary and position == self.auxiliary_position:
                self.auxiliary = AuxiliaryHead(cell.channels_out, spec.classes)
        self.classifier = nn.Linear(channels_in[1], spec.classes)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.forward_both(x)[0]

    def forward_both(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits of the classifier, and of the auxiliary head while training (None otherwise)."""
        before_previous = previous = State(self.stem(x))
        auxiliary = None
        for position, cell in enumerate(self.cells):
            before_previous, previous = previous, cell(before_previous, previous)
            if position == self.auxiliary_position and self.auxiliary is not None and self.training:
                auxiliary = self.auxiliary(previous.rectified)
        return self.classifier(previous.raw.mean(dim=(2, 3))), auxiliary
