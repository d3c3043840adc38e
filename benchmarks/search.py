"""A step of a DARTS search: the supernet beside a literal one that applies one op at a time.

`literal` is written as the method's equation: each op begins with its own ReLU and ends in its own BN, `none` is
computed, and every product and sum is an operation. Weights are shared by both, and logits and gradients of the
mixture are compared before anything is timed. One process, one thread, batches of 64 images, CPU time.
"""

from pathlib import Path
from statistics import median
from time import process_time

import torch
from torch import Tensor, nn

from benchmarks.table import Table
from benchmarks.training import TextbookReduce
from nasaudit.arch.ops import FactorizedReduce, Zero
from nasaudit.search.supernet import MixedOp, Mixture, StackedCell, Supernet, Weighed, everything
from nasaudit.spec.searches.space import SPACES

BATCH, STEPS = 64, 2
SIZES = (("mini, 1x28x28", 8, 5, (1, 28, 28)), ("mini, 3x32x32", 8, 5, (3, 32, 32)))


class LiteralEdge(nn.Module):
    """Every op of an edge, one at a time."""

    def __init__(self, mixed: MixedOp):
        super().__init__()
        self.ops = nn.ModuleList()
        for op in mixed.ops:
            if not isinstance(op, Weighed):
                self.ops.append(Zero(mixed.stride))
                continue
            body = op.op
            layers: list[nn.Module] = [nn.ReLU()] if op.reads_rectified else []
            if isinstance(body, FactorizedReduce):
                layers.append(TextbookReduce(body))
            elif isinstance(body, nn.Sequential):
                layers += [_plain(layer) for layer in body]
            else:
                layers.append(body)
            self.ops.append(nn.Sequential(*layers, *([] if op.norm is None else [op.norm])))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:  # noqa: D102
        return sum(weight * op(x) for weight, op in zip(weights, self.ops, strict=True))


def _plain(layer: nn.Module) -> nn.Module:
    if not isinstance(layer, nn.Conv2d):
        return layer
    conv = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        bias=False,
    )
    conv.weight = layer.weight
    return conv


class LiteralNet(nn.Module):
    """The same stack of cells with the same weights."""

    def __init__(self, supernet: Supernet):
        super().__init__()
        self.supernet = supernet
        self.before, self.after, self.edges = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for cell in supernet.cells:
            assert isinstance(cell, StackedCell)
            older = cell.preprocess0
            older = TextbookReduce(older) if isinstance(older, FactorizedReduce) else older
            self.before.append(nn.Sequential(nn.ReLU(), older))
            self.after.append(nn.Sequential(nn.ReLU(), cell.preprocess1))
            self.edges.append(nn.ModuleList(LiteralEdge(mixed) for mixed in cell.mixed))

    def forward(self, pixels: Tensor, mixtures: dict[str, Mixture]) -> Tensor:  # noqa: D102
        net = self.supernet
        s0 = s1 = net.stem(net.normalise(pixels))
        for number, cell in enumerate(net.cells):
            weights = mixtures["reduction" if cell.reduction else "normal"].weights
            states = [self.before[number](s0), self.after[number](s1)]
            position = 0
            for _ in range(net.space.nodes):
                entering = range(position, position + len(states))
                states.append(
                    sum(
                        self.edges[number][k](state, weights[k])
                        for k, state in zip(entering, states, strict=True)
                    )
                )
                position += len(entering)
            s0, s1 = s1, torch.cat(states[2:], dim=1)
        return net.classifier(s1.mean(dim=(2, 3)))


def step(
    net: nn.Module,
    parameters: list[nn.Parameter],
    alphas: dict[str, nn.Parameter],
    batch: Tensor,
    labels: Tensor,
) -> Tensor:
    """Gradient of the mixture, then a step of the weights, as a first-order search has it."""

    def loss() -> Tensor:
        mixtures = {
            kind: Mixture(alpha.softmax(dim=-1), everything(SPACES["darts"]))
            for kind, alpha in alphas.items()
        }
        return nn.functional.cross_entropy(net(batch, mixtures), labels)

    torch.autograd.grad(loss(), list(alphas.values()))
    for parameter in parameters:
        parameter.grad = None
    value = loss()
    value.backward()
    nn.utils.clip_grad_norm_(parameters, 5.0)
    return value


def run(folder: Path, rounds: int = 3) -> Table:
    """Compare at each size."""
    torch.set_num_threads(1)
    space, rows = SPACES["darts"], []
    for name, channels, cells, shape in SIZES:
        torch.manual_seed(0)
        moments = (torch.full(shape[:1], 0.5), torch.full(shape[:1], 0.25))
        ours = Supernet(space, channels, cells, shape, 10, moments)
        ours.to(memory_format=torch.channels_last).train()
        literal = LiteralNet(ours).train()
        alphas = {
            kind: nn.Parameter(1e-3 * torch.randn(len(space.sources), len(space.primitives)))
            for kind in space.kinds
        }
        pixels = torch.rand(BATCH, *shape).to(memory_format=torch.channels_last)
        labels = torch.randint(0, 10, (BATCH,))
        check(ours, literal, alphas, pixels, labels)
        parameters = list(ours.parameters())
        times: dict[str, list[float]] = {"ours": [], "literal": []}
        for _ in range(rounds):
            for which, net in (("ours", ours), ("literal", literal)):
                start = process_time()
                for _ in range(STEPS):
                    step(net, parameters, alphas, pixels, labels)
                times[which].append((process_time() - start) / STEPS)
        ratios = [mine / theirs for mine, theirs in zip(times["ours"], times["literal"], strict=True)]
        rows.append(
            (
                name,
                f"{median(times['ours']):.2f} s",
                f"{median(times['literal']):.2f} s",
                f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            )
        )
    return Table(
        "A step of a first-order DARTS search, 64 images, CPU seconds; ratio to one op at a time (less is faster)",
        ("supernet", "nasaudit", "one op at a time", "ratio"),
        rows,
    )


def check(
    ours: nn.Module, literal: nn.Module, alphas: dict[str, nn.Parameter], pixels: Tensor, labels: Tensor
) -> None:
    """Both do the same: logits, and gradients of the mixture, in float64.

    Raises:
        AssertionError: they do not.
    """
    ours.double(), literal.double()
    wide = {kind: alpha.detach().double().requires_grad_() for kind, alpha in alphas.items()}
    results = []
    for net in (ours, literal):
        mixtures = {
            kind: Mixture(alpha.softmax(dim=-1), everything(SPACES["darts"])) for kind, alpha in wide.items()
        }
        logits = net(pixels[:8].double(), mixtures)
        gradients = torch.autograd.grad(nn.functional.cross_entropy(logits, labels[:8]), list(wide.values()))
        results.append((logits, *gradients))
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-8)
    ours.float(), literal.float()
