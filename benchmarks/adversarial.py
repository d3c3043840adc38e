"""Steps of adversarial training: nasaudit's inner maximisation beside torchattacks' PGD in the same training step.

Both make 5 steps within 8/255 from a random start, and then take one step of AdamW on the examples. `plain` is the
step without examples: what a defence costs is the ratio to it. One process, one thread, batches of 64 images of
1x28x28; runs alternate and medians are compared.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

import torch
import torchattacks
from torch import Tensor, nn

from benchmarks.table import Table
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import Network, build
from nasaudit.spec.remedies.defences import PgdTrainingSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.training.adversarial import worst

ARCHITECTURES = ("darts", "resnet")
BATCH, STEPS = 64, 6
SPEC = PgdTrainingSpec()

Examples = Callable[[Network, Tensor, Tensor], Tensor]


def ours(network: Network, pixels: Tensor, labels: Tensor) -> Tensor:
    """The examples of `training.defences: [adversarial_training]`."""
    return worst(network, pixels, labels, SPEC, torch.Generator().manual_seed(0))


def theirs(network: Network, pixels: Tensor, labels: Tensor) -> Tensor:
    """Those of torchattacks, which puts the network in eval mode meanwhile, too."""
    attack = torchattacks.PGD(network, eps=SPEC.epsilon, alpha=SPEC.step, steps=SPEC.steps, random_start=True)
    return attack(pixels, labels)


def plain(network: Network, pixels: Tensor, labels: Tensor) -> Tensor:
    """No examples."""
    return pixels


WAYS: dict[str, Examples] = {"plain": plain, "torchattacks": theirs, "ours": ours}


def rate(network: Network, examples: Examples, pixels: Tensor, labels: Tensor) -> float:
    """Images a second over some training steps."""
    optimizer = torch.optim.AdamW(network.parameters(), 0.002)
    start = process_time()
    for _ in range(STEPS):
        moved = examples(network, pixels, labels)
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(moved), labels).backward()
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
        network = build(resolve(ArchChoice(name=name), "mini", 10, (1, 28, 28))).train()
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds + 1):
            for way, examples in WAYS.items():
                found[way].append(rate(network, examples, pixels, labels))
        rates = {way: median(of_way[1:]) for way, of_way in found.items()}  # the first round warms up
        rows.append(
            (
                name,
                *(f"{rates[way]:.0f}" for way in WAYS),
                f"{rates['ours'] / rates['torchattacks']:.2f}",
                f"{rates['plain'] / rates['ours']:.1f}",
            )
        )
    return Table(
        f"adversarial training, {SPEC.steps} steps, mini, batch {BATCH}, one thread, median of {rounds} runs",
        ("architecture", *(f"{way} images/s" for way in WAYS), "ours / torchattacks", "plain / ours"),
        rows,
    )
