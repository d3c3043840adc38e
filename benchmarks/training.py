"""Training steps of cell networks: nasaudit's ops beside the plain ones that they stand for.

`plain` is the same network with library convolutions in place of `DepthwiseConv`, the textbook factorized reduce (two
strided 1x1 convolutions and a concatenation), and gradients left in whatever layout they come in. One process, one
thread, batches of 64 images of 1x28x28, AdamW; runs alternate and medians are compared.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import process_time

import torch
from torch import Tensor, nn

from benchmarks.table import Table
from nasaudit.arch import cells
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.depthwise import DepthwiseConv
from nasaudit.arch.network import Network, build
from nasaudit.arch.ops import FactorizedReduce
from nasaudit.spec.study import ArchChoice

ARCHITECTURES = ("darts", "snas", "pdarts", "nasnet", "drnas", "pc_darts")
BATCH, STEPS = 64, 8


class TextbookReduce(nn.Module):
    """Two strided 1x1 convolutions, the second one pixel off, concatenated."""

    def __init__(self, reduce: FactorizedReduce):
        super().__init__()
        self.even, self.odd, self.norm = reduce.even, reduce.odd, reduce.norm

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        odd = nn.functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.even(x), self.odd(odd)], dim=1))


def plain(network: Network) -> Network:
    """The same function with the same weights, without what makes it fast."""
    twin = copy.deepcopy(network)
    for name, module in list(twin.named_modules()):
        if isinstance(module, FactorizedReduce):
            twin.set_submodule(name, TextbookReduce(module))
        elif isinstance(module, DepthwiseConv):
            module.forward = lambda x, module=module: nn.Conv2d.forward(module, x)
    return twin


def library(network: Network) -> Network:
    """The plain network as everybody writes it: its numbers in NCHW order too."""
    twin = plain(network).to(memory_format=torch.contiguous_format)
    twin.memory_format = torch.contiguous_format
    return twin


@contextmanager
def gradients_as_they_come() -> Iterator[None]:
    """Networks of cells do not make them dense here."""
    dense_gradient, cells.dense_gradient = cells.dense_gradient, lambda x: x
    try:
        yield
    finally:
        cells.dense_gradient = dense_gradient


def steps(network: Network, pixels: Tensor, labels: Tensor) -> float:
    """Images a second over some training steps."""
    optimizer = torch.optim.AdamW(network.parameters(), 0.002)
    start = process_time()
    for _ in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(pixels), labels).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    return BATCH * STEPS / (process_time() - start)


def run(folder: Path, rounds: int = 3) -> Table:
    """Compare for each architecture."""
    torch.set_num_threads(1)
    pixels = torch.rand(BATCH, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (BATCH,))
    rows = []
    for name in ARCHITECTURES:
        fast = build(resolve(ArchChoice(name=name), "mini", 10, (1, 28, 28))).train()
        slow = plain(fast)
        fast.zero_grad(), slow.zero_grad()
        torch.testing.assert_close(slow.eval()(pixels), fast.eval()(pixels), rtol=1e-3, atol=1e-4)
        fast.train(), slow.train()
        rates: dict[str, list[float]] = {"ours": [], "plain": []}
        for _ in range(rounds + 1):
            rates["ours"].append(steps(fast, pixels, labels))
            with gradients_as_they_come():
                rates["plain"].append(steps(slow, pixels, labels))
        ours, theirs = (median(rates[who][1:]) for who in ("ours", "plain"))  # the first round warms up
        rows.append((name, f"{theirs:.0f}", f"{ours:.0f}", f"{ours / theirs:.2f}"))
    return Table(
        f"training steps, mini, batch {BATCH}, one thread, median of {rounds} interleaved runs",
        ("architecture", "plain images/s", "ours images/s", "ratio"),
        rows,
    )
