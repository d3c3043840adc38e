"""PGD on a mini DARTS: nasaudit beside torchattacks, foolbox and ART.

One process, one thread, the same images, radius, step size, number of steps and batch size. Ours and a peer's runs
alternate and medians are compared; what counts is the CPU time of the process, which a busy machine disturbs
least. The radius is one at which every image falls, and the step is the default of `PgdSpec`.
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

SETTING = Setting(epsilon=64 / 255, step_size=8 / 255, steps=20, random_start=False)


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


def run(folder: Path, images: int = 500, rounds: int = 3) -> Table:
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
    grey = SETTING.epsilon * 255, SETTING.step_size * 255
    return Table(
        f"PGD linf, epsilon {grey[0]:.0f}/255, {SETTING.steps} steps of {grey[1]:.0f}/255, "
        f"{len(labels)} images of mnist5k, mini DARTS, one thread, median of {rounds} interleaved runs",
        ("peer", "peer s", "ours s", "ours / peer", "peer ASR", "our ASR"),
        rows,
    )
