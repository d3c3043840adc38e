"""Robust accuracy by AutoAttack beside torchattacks', on an ordinary victim and on one of adversarial training.

A mini ResNet on digits, images that it gets right, and an epsilon at which a fifth to three fifths of them withstand.
torchattacks' `AutoAttack` is shipped with 10 steps of Auto-PGD and FAB and a schedule of Square that is stretched to
its queries; the authors' (github.com/fra31/auto-attack, autoattack.py, 31-48) have 100 and do not stretch it. The
same parts of torchattacks with the authors' settings are the peer; as shipped they stand beside it.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import cast

import torch
import torchattacks
from torch import Tensor, nn

from benchmarks.speed.contest import Contest, within
from benchmarks.table import Table
from benchmarks.victims import correct_images, trained_victim
from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import EvasionAttack
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.spec.attacks import AutoAttackSpec, EvasionSpec, Norm, PgdSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.remedies.defences import DefenceSpec, PgdTrainingSpec
from nasaudit.victim.classifier import Classifier

# (images [N, C, H, W], labels [N]) -> adversarial images.
Run = Callable[[Tensor, Tensor], Tensor]

DIGITS = DataSpec(name="digits")
CLASSES = 10
IMAGES = 200
STEPS, QUERIES = 100, 5000  # the authors'


@dataclass(frozen=True)
class Scene:
    """One victim under one norm and radius."""

    victim: str
    defences: tuple[DefenceSpec, ...]
    norm: Norm
    epsilon: float


@dataclass(frozen=True)
class Robust:
    """Shares of the images that withstand, and CPU seconds of ours and of the peer."""

    pgd: float
    ours: float
    peer: float
    shipped: float
    seconds: float
    peer_seconds: float


HARDENED = (PgdTrainingSpec(epsilon=16 / 255),)
SCENES = (
    Scene("ordinary training", (), "linf", 16 / 255),
    Scene("ordinary training", (), "l2", 0.3),
    Scene("adversarial training", HARDENED, "linf", 24 / 255),
    Scene("adversarial training", HARDENED, "l2", 0.5),
)


def play(folder: Path, scene: Scene) -> Robust:
    """All four attacks on the same images."""
    torch.set_num_threads(1)
    network, bundle = trained_victim(folder, "resnet", DIGITS, scene.defences)
    images, labels = correct_images(network.eval(), bundle, IMAGES)
    norm = {"linf": "Linf", "l2": "L2"}[scene.norm]
    said = {"norm": norm, "eps": scene.epsilon, "seed": 0}
    start = process_time()
    ours = nasaudits(AutoAttackSpec(norm=scene.norm), network, images, labels, scene.epsilon)
    middle = process_time()
    peer = withstand(network, authors(network, said), images, labels)
    end = process_time()
    return Robust(
        pgd=nasaudits(PgdSpec(norm=scene.norm), network, images, labels, scene.epsilon),
        ours=ours,
        peer=peer,
        shipped=withstand(
            network, torchattacks.AutoAttack(network, n_classes=CLASSES, **said), images, labels
        ),
        seconds=middle - start,
        peer_seconds=end - middle,
    )


def contests(folder: Path) -> Iterator[Contest[float]]:
    """A row for each victim, linf; both sides have the authors' settings."""
    for scene in (scene for scene in SCENES if scene.norm == "linf"):
        network, bundle = trained_victim(folder, "resnet", DIGITS, scene.defences)
        images, labels = correct_images(network.eval(), bundle, IMAGES)
        attack = authors(network, {"norm": "Linf", "eps": scene.epsilon, "seed": 0})
        yield Contest(
            f"AutoAttack, {scene.victim}",
            "torchattacks",
            2,
            partial(nasaudits, AutoAttackSpec(norm=scene.norm), network, images, labels, scene.epsilon),
            partial(withstand, network, attack, images, labels),
            lambda ours, theirs: within("robust accuracy", ours, theirs, 0.005, ".1%"),
        )


def play_all(folder: Path) -> Iterator[tuple[Scene, Robust]]:
    """Every scene."""
    for scene in SCENES:
        print(f"AutoAttack ({scene.norm}) on {scene.victim} ...", file=sys.stderr, flush=True)
        yield scene, play(folder, scene)


def run(folder: Path) -> Table:
    """The table of docs/parity.md."""
    rows = [
        (
            scene.victim, scene.norm, f"{scene.epsilon:.4g}", *(
                f"{share:.1%}" for share in (robust.pgd, robust.ours, robust.peer, robust.shipped)
            ), f"1/{robust.peer_seconds / robust.seconds:.1f}",
        )
        for scene, robust in play_all(folder)
    ]  # fmt: skip
    return Table(
        f"Robust accuracy of a mini ResNet on digits, on {IMAGES} images that it gets right, one thread",
        ("training", "norm", "epsilon", "our PGD", "our AutoAttack", "torchattacks, authors' settings",
         "torchattacks, as shipped", "our time"),
        rows,
    )  # fmt: skip


def authors(network: nn.Module, said: dict[str, object]) -> Run:
    """AutoAttack of torchattacks' parts, with the authors' settings."""
    return torchattacks.MultiAttack(
        [
            torchattacks.APGD(network, steps=STEPS, loss="ce", **said),
            torchattacks.APGDT(network, steps=STEPS, n_classes=CLASSES, **said),
            torchattacks.FAB(network, steps=STEPS, multi_targeted=True, n_classes=CLASSES, **said),
            torchattacks.Square(network, n_queries=QUERIES, resc_schedule=False, **said),
        ]
    )


def withstand(network: nn.Module, attack: Run, images: Tensor, labels: Tensor) -> float:
    adversarial = attack(images, labels)
    with torch.no_grad():
        return (network(adversarial).argmax(1) == labels).float().mean().item()


def nasaudits(spec: EvasionSpec, network: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> float:
    attack = cast(EvasionAttack[Classifier], load_attack(spec))

    def run(images: Tensor, labels: Tensor) -> Tensor:
        return attack.perturb(Classifier(network, CLASSES), images, Objective(labels), epsilon).images

    return withstand(network, run, images, labels)
