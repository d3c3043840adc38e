"""gradient_std_sum: the published procedure to the letter beside nasaudit's.

The letter is a loop over single images: forward, backward, `clip_grad_norm_` to 5, the gradient kept; then the
standard deviation of each coordinate over the images, and their sum. Ours computes the interval too, and keeps no
gradients. 256 images of 1x28x28, one process, one thread, untrained mini networks in eval mode; runs alternate,
medians are compared.
"""

from pathlib import Path
from statistics import median
from time import process_time

import torch
from torch import Tensor, nn

from benchmarks.table import Table
from nasaudit.analysis.gradients.std_sum import gradient_std_sum
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import Network, build
from nasaudit.spec.study import ArchChoice

ARCHITECTURES = ("darts", "random", "resnet")
IMAGES = 256


def literal(network: Network, pixels: Tensor, labels: Tensor) -> float:
    """The published procedure: one image at a time."""
    gradients = []
    for image, label in zip(pixels, labels, strict=True):
        network.zero_grad()
        nn.functional.cross_entropy(network(image[None]), label[None]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in network.parameters()]))
    return float(torch.stack(gradients).std(dim=0).sum())


def ours(network: Network, pixels: Tensor, labels: Tensor) -> float:
    """The same number from chunks, with its interval."""
    return gradient_std_sum(network, pixels, labels).value


def run(folder: Path, rounds: int = 3) -> Table:
    """Compare for each architecture."""
    torch.set_num_threads(1)
    pixels = torch.rand(IMAGES, 1, 28, 28).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 10, (IMAGES,))
    rows = []
    for name in ARCHITECTURES:
        network = build(resolve(ArchChoice(name=name), "mini", 10, (1, 28, 28))).eval()
        seconds: dict[str, list[float]] = {"literal": [], "ours": []}
        values: dict[str, float] = {}
        literal(network, pixels[:16], labels[:16]), ours(network, pixels[:16], labels[:16])  # warms up
        for _ in range(rounds):
            for who, procedure in (("literal", literal), ("ours", ours)):
                start = process_time()
                values[who] = procedure(network, pixels, labels)
                seconds[who].append(process_time() - start)
        torch.testing.assert_close(values["ours"], values["literal"], rtol=1e-4, atol=0)
        theirs, mine = median(seconds["literal"]), median(seconds["ours"])
        rows.append((name, f"{theirs:.2f}", f"{mine:.2f}", f"{mine / theirs:.2f}"))
    return Table(
        f"gradient_std_sum of {IMAGES} images of 1x28x28, mini, one thread, median of {rounds} interleaved runs",
        ("architecture", "single images (s)", "ours (s)", "ratio"),
        rows,
    )
