"""Training: both cores beside a plain loop on both, and the training loop beside bare steps."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.speed.contest import Contest, within
from benchmarks.training import gradients_as_they_come, library
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import Network, build
from nasaudit.data.load import load_data
from nasaudit.data.split import Split
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.loop import fit

CELLS = (
    "amoebanet", "darts", "drnas", "enas", "nasnet", "pc_darts", "pdarts", "random", "sgas", "snas", "darts_v1",
)  # fmt: skip
CORES, BATCH, STEPS, SHAPE = 2, 64, 12, (1, 28, 28)
BARE = TrainingSpec(epochs=2, crop=0, gradient_clip=None)


@dataclass(frozen=True)
class Trained:
    """What a side learned: seconds for a fixed number of images, and the loss of the first step."""

    seconds: float
    loss: float


def contests(folder: Path) -> Iterator[Contest[Trained] | Contest[float]]:
    """A row for each cell network, and that of the loop."""
    for name in CELLS:
        yield Contest(
            f"training {name}, both cores",
            "plain loop, 2 threads",
            1.8,
            partial(both_cores, name),
            partial(two_threads, name),
            lambda ours, theirs: within("first loss", ours.loss, theirs.loss, 1e-3, ".4f"),
            seconds=lambda side: side.seconds,
        )
    split = load_data(DataSpec(name="mnist5k"), folder).train
    split = split.take(torch.arange(STEPS * BATCH))
    for name in ("darts", "resnet"):
        loop = Loop(name, split)
        yield Contest(
            f"the training loop, {name}",
            "bare steps on tensors",
            0.93,
            loop.ours,
            loop.bare,
            lambda ours, theirs: within("last loss", ours, theirs, 0.02, ".3f"),
        )


class Loop:
    """One training by our loop, and the bare steps on the very batches that it saw."""

    def __init__(self, name: str, split: Split):
        self.name, self.split = name, split
        self.batches: list[tuple[Tensor, Tensor]] = []
        fit(self._network(), split, BARE, 0, prepare=self._kept)

    def _network(self) -> Network:
        torch.manual_seed(0)
        spec = resolve(ArchChoice(name=self.name), "mini", 10, self.split.shape)
        return build(spec, 0).train()

    def _kept(self, pixels: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        self.batches.append((pixels.clone(memory_format=torch.channels_last), labels))
        return pixels, labels

    def ours(self) -> float:
        """The last step's loss."""
        return fit(self._network(), self.split, BARE, 0).loss[-1]

    def bare(self) -> float:
        """Forward, backward, step; the rate falls by the same cosine."""
        network = self._network()
        optimizer = torch.optim.AdamW(
            network.parameters(), BARE.learning_rate, weight_decay=BARE.weight_decay
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(self.batches))
        for pixels, labels in self.batches:
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(network(pixels), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
        return loss.item()


def both_cores(name: str) -> Trained:
    """A process on each core, as the workers of a study are, of one thread each; half of the images each."""
    return _race([_start("ours", name, STEPS // CORES, threads=1) for _ in range(CORES)])


def two_threads(name: str) -> Trained:
    """One process that has both cores."""
    return _race([_start("plain", name, STEPS, threads=CORES)])


@dataclass
class Side:
    """A process, and its two pipes."""

    process: subprocess.Popen[str]

    def hear(self) -> str:
        """A line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def tell(self, line: str) -> None:
        """A line that it reads."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


def _start(kind: str, name: str, steps: int, threads: int) -> Side:
    command = [sys.executable, "-m", "benchmarks.speed.training", kind, name, str(steps), str(threads)]
    return Side(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))


def _race(sides: list[Side]) -> Trained:
    """They begin together when all are warm, and end when the last one does."""
    for side in sides:
        assert side.hear() == "warm\n"
    began = time.perf_counter()
    for side in sides:
        side.tell("go")
    lines = [json.loads(side.hear()) for side in sides]
    seconds = time.perf_counter() - began
    for side in sides:
        side.process.communicate()
    return Trained(seconds, lines[0]["loss"])


def main(kind: str, name: str, steps: str, threads: str) -> None:
    """A side."""
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    network = build(resolve(ArchChoice(name=name), "mini", 10, SHAPE), 0).train()
    pixels, labels = torch.rand(BATCH, *SHAPE), torch.randint(0, 10, (BATCH,))
    if kind == "plain":
        network = library(network)
    else:
        pixels = pixels.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 0.002)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(network(pixels), labels)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        return loss.item()

    with gradients_as_they_come() if kind == "plain" else nullcontext():
        first = step()
        step()
        print("warm", flush=True)
        sys.stdin.readline()
        for _ in range(int(steps)):
            step()
    print(json.dumps({"loss": first}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
