"""PGD on a mini DARTS: nasaudit beside torchattacks, foolbox and ART.

One process, one thread, the same images, radius, step size, number of steps and batch size. Ours and a peer's runs
alternate and medians are compared; what counts is the CPU time of the process, which a busy machine disturbs
least. The setting is the one that Madry et al. published for MNIST; every image falls to it.
"""

from pathlib import Path
from statistics import median
from time import process_time

import torch
from torch import Tensor, nn

from benchmarks.peers import PEERS, Setting
from benchmarks.table import Table
from benchmarks.victims import correct_images, trained_victim
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.spec.attacks import PgdSpec
from nasaudit.victim.classifier import Classifier

# Madry et al., ICLR 2018, section 4: MNIST is attacked within 0.3, in 40 steps of 0.01, from a random start.
SETTING = Setting(epsilon=0.3, step_size=0.01, steps=40, random_start=True)


def ours(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    """From the user's network to adversarial images, freezing and folding included."""
    spec = PgdSpec(steps=setting.steps, step_size=setting.step_size, random_start=setting.random_start)
    return Pgd(spec).perturb(Classifier(network, 10), images, Objective(labels), setting.epsilon).images


def success_rate(network: nn.Module, adversarial: Tensor, labels: Tensor) -> float:
    """Share of images that the eager network gets wrong."""
    with torch.no_grad():
        wrong = [
            network(x).argmax(1) != y for x, y in zip(adversarial.split(256), labels.split(256), strict=True)
        ]
    return torch.cat(wrong).float().mean().item()


def run(folder: Path, images: int = 256, rounds: int = 3) -> Table:
    """Time every peer against ours."""
    torch.set_num_threads(1)
    network, bundle = trained_victim(folder)
    pixels, labels = correct_images(network, bundle, images)
    rows = []
    for name, peer in PEERS.items():
        seconds: dict[str, list[float]] = {"ours": [], name: []}
        rates = {}
        for _ in range(rounds):
            for who, attack in (("ours", ours), (name, peer)):
                start = process_time()
                adversarial = attack(network, pixels, labels, SETTING)
                seconds[who].append(process_time() - start)
                rates[who] = success_rate(network, adversarial, labels)
        mine, theirs = median(seconds["ours"]), median(seconds[name])
        rows.append(
            (
                name,
                f"{theirs:.2f}",
                f"{mine:.2f}",
                f"1/{theirs / mine:.1f}",
                f"{rates[name]:.1%}",
                f"{rates['ours']:.1%}",
            )
        )
    return Table(
        f"PGD linf, epsilon {SETTING.epsilon:g}, {SETTING.steps} steps of {SETTING.step_size:g}, "
        f"{len(labels)} images of mnist5k, mini DARTS, one thread, median of {rounds} interleaved runs",
        ("peer", "peer s", "ours s", "ours / peer", "peer ASR", "our ASR"),
        rows,
    )
