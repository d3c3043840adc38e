"""Images a second of every architecture, in training and when it only answers, on the fastest device at hand.

Random images of 3x32x32; one step warms up. On a GPU each figure ends with a synchronisation.
"""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from benchmarks.table import Table
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.network import build
from nasaudit.spec.arch import Scale
from nasaudit.spec.study import ArchChoice

SHAPE, CLASSES = (3, 32, 32), 10
BATCH = {"cpu": 64, "cuda": 96}  # 96 is the batch of the talk
STEPS = {"cpu": 3, "cuda": 30}
TALK = [name for name in CATALOGUE if CATALOGUE[name].group in ("manual", "nas", "random")]
SCALES = {"cpu": ("mini",), "cuda": ("mini", "small", "paper")}


def run(folder: Path) -> Table:
    """A row for each architecture of the talk, and scale."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    rows = [
        (architecture, scale, *(f"{rate:.0f}" for rate in rates(architecture, scale, device)))
        for architecture in TALK
        for scale in SCALES[device]
    ]
    return Table(
        f"images a second on {name}, batches of {BATCH[device]} images of 3x32x32, bf16 in training",
        ("architecture", "scale", "training", "answers"),
        rows,
    )


def rates(architecture: str, scale: Scale, device: str) -> tuple[float, float]:
    """Images a second of training steps, and of answers."""
    network = build(resolve(ArchChoice(name=architecture), scale, CLASSES, SHAPE), 0).to(device)
    batch, generator = BATCH[device], torch.Generator().manual_seed(0)
    pixels = torch.rand(batch, *SHAPE, generator=generator).to(device, memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (batch,), generator=generator).to(device)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16):
            logits = network(pixels)
        nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    def answer() -> Tensor:
        with torch.no_grad():
            return network(pixels)

    training = _rate(step, batch, device)
    network.eval()
    return training, _rate(answer, batch, device)


def _rate(work: Callable[[], object], images: int, device: str) -> float:
    for repeats in (1, STEPS[device]):  # the first time warms up
        _wait(device)
        begin = perf_counter()
        for _ in range(repeats):
            work()
        _wait(device)
    return images * repeats / (perf_counter() - begin)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
