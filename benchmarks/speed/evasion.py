"""Attacks on a trained mini DARTS: PGD of 20 steps, curves, and what asks for answers alone."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers import BATCH, PEERS, Counting, Run, Setting, art_attack
from benchmarks.speed.contest import Contest, within
from benchmarks.victims import correct_images, trained_victim
from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import EvasionAttack, MinimalAttack, open_access
from nasaudit.attacks.evasion.curve import distances, security_curve
from nasaudit.attacks.evasion.measures import curve_area
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.spec.attacks import EvasionSpec, HopSkipJumpSpec, NesSpec, PgdSpec, SquareSpec
from nasaudit.victim.classifier import Classifier

CLASSES, STEPS, IMAGES = 10, 20, 256
EVERYTHING = 0.3  # Madry et al., ICLR 2018, section 4: MNIST is attacked within 0.3, and every image falls
FIFTH = 0.2  # of the images
GREYS = 256
GRID = tuple(k / 255 for k in (2, 4, 6, 8, 12, 16, 24, 32, 48, 64))
QUERIES, ITERATIONS, FEW = 500, 10, 100
EPSILON = 12 / 255
HALF_A_POINT = 0.005


def contests(folder: Path) -> Iterator[Contest[Tensor]]:
    """All of them, on one victim."""
    network, bundle = trained_victim(folder)
    network.eval()
    pixels, labels = correct_images(network, bundle, IMAGES)
    judge = Judge(network, pixels, labels)
    for falls, epsilon, target in (
        ("everything falls", EVERYTHING, 10),
        ("a fifth falls", judge.where(FIFTH), 1.5),
    ):
        for name in PEERS:
            yield Contest(
                f"PGD-{STEPS}, {falls}",
                name,
                target,
                partial(judge.pgd, epsilon),
                partial(PEERS[name], network, pixels, labels, setting(epsilon)),
                partial(judge.same, HALF_A_POINT),
                bare=judge.bare,
            )
    yield Contest(
        f"security curve of {len(GRID)} epsilons",
        f"foolbox, {len(GRID)} runs",
        12,
        judge.curve,
        judge.separate_runs,
        lambda ours, theirs: within(
            "area", curve_area(ours.numpy(), GRID), curve_area(theirs.numpy(), GRID), 0.01
        ),
        bare=judge.bare,
    )
    few = Judge(network, pixels[:FEW], labels[:FEW])
    quiet = {"batch_size": 64, "verbose": False}
    square = SquareSpec(queries=QUERIES, p_init=0.8)
    yield Contest(
        f"Square, {FEW} images, {QUERIES} queries",
        "ART",
        10,
        partial(few.asked, square),
        partial(few.peer, art_attack("SquareAttack", norm=np.inf, eps=EPSILON, max_iter=QUERIES, **quiet)),
        partial(few.same, 0.05),
        bare=few.bare,
    )
    hop = {"max_iter": ITERATIONS, "max_eval": 10_000, "init_eval": 100, "init_size": 100}
    yield Contest(
        f"HopSkipJump, {FEW} images, {ITERATIONS} iterations",
        "ART",
        10,
        partial(few.asked, HopSkipJumpSpec(iterations=ITERATIONS, evaluations=100)),
        partial(few.peer, art_attack("HopSkipJump", norm=2, **hop, **quiet)),
        few.as_near,
        bare=few.bare,
    )
    nes = NesSpec(steps=10, samples=50, plateau_length=None)
    yield Contest(
        f"NES, {FEW} images, 10 steps of 50 samples",
        "image by image",
        3,
        partial(few.asked, nes),
        partial(few.one_by_one, nes),
        partial(few.same, 0.02),
        bare=few.bare,
    )


def setting(epsilon: float) -> Setting:
    """PGD with Madry et al.'s step, from the image itself: nobody's luck is in it."""
    return Setting(epsilon, 2.5 * epsilon / STEPS, STEPS, random_start=False)


class Judge:
    """A victim and images that it gets right; success is what the eager network says in float32."""

    def __init__(self, network: nn.Module, pixels: Tensor, labels: Tensor):
        self.network, self.pixels, self.labels = network, pixels, labels
        self.shown = {True: 0, False: 0}  # images, with gradients and without, in our last run

    def _victim(self) -> Classifier:
        """The network as our attacks see it, which counts what it is shown."""
        victim = Classifier(self.network, CLASSES)
        self.shown = {True: 0, False: 0}

        def count(module: nn.Module, given: tuple[Tensor], answer: Tensor) -> None:
            self.shown[torch.is_grad_enabled()] += len(given[0])

        victim.network.register_forward_hook(count)
        return victim

    def bare(self) -> None:
        """Nothing but the passes of our last run through the frozen network: forward, and back to the pixels."""
        network, batch = Classifier(self.network, CLASSES), min(BATCH, len(self.pixels))
        for graded, images in dict(self.shown).items():
            for start in range(0, images, batch):
                pixels = self.pixels[: min(batch, images - start)].clone().requires_grad_(graded)
                with torch.set_grad_enabled(graded):
                    logits = network(pixels)
                if graded:
                    torch.autograd.grad(logits.sum(), pixels)

    def _share(self, adversarial: Tensor) -> float:
        return self.fallen(adversarial).double().mean().item()

    def fallen(self, adversarial: Tensor) -> Tensor:
        """Bool [N]."""
        with torch.no_grad():
            return torch.cat([self.network(x).argmax(1) for x in adversarial.split(IMAGES)]) != self.labels

    def where(self, share: float) -> float:
        """The smallest whole grey at which at least so many images fall to PGD, by bisection."""
        grey = bisect_left(range(GREYS), share, key=lambda grey: self._share(self.pgd(grey / 255)))
        return grey / 255

    def pgd(self, epsilon: float) -> Tensor:
        """Ours: from the user's network, freezing and folding included."""
        told = setting(epsilon)
        attack = Pgd(PgdSpec(steps=STEPS, step_size=told.step_size, random_start=False))
        return attack.perturb(self._victim(), self.pixels, Objective(self.labels), epsilon).images

    def curve(self) -> Tensor:
        """The smallest epsilon of the grid that breaks each image, ours by bisection."""
        curve = security_curve(
            Pgd(PgdSpec(steps=STEPS, random_start=False)),
            self._victim(),
            Classifier(self.network, CLASSES, folding=False),
            self.pixels,
            self.labels,
            indices=torch.arange(len(self.pixels)),
            epsilons=GRID,
        )
        return curve.minimal_epsilon

    def separate_runs(self) -> Tensor:
        """The same from one run of the quickest peer for each epsilon."""
        smallest = torch.full((len(self.labels),), torch.inf, dtype=torch.float64)
        for epsilon in reversed(GRID):
            adversarial = PEERS["foolbox"](self.network, self.pixels, self.labels, setting(epsilon))
            smallest[self.fallen(adversarial)] = epsilon
        return smallest

    def asked(self, spec: EvasionSpec, rows: slice = slice(None)) -> Tensor:
        """Ours, of an attack that asks."""
        victim = open_access(spec, self._victim())
        attack, images, wanted = load_attack(spec), self.pixels[rows], Objective(self.labels[rows])
        indices = torch.arange(len(self.pixels))[rows]
        if isinstance(attack, MinimalAttack):
            return cast(Tensor, attack.minimise(victim, images, wanted, seed=0, indices=indices).images)
        found = cast("EvasionAttack[object]", attack)
        return found.perturb(victim, images, wanted, EPSILON, seed=0, indices=indices).images

    def one_by_one(self, spec: EvasionSpec) -> Tensor:
        """The same attack on an image after the other."""
        return torch.cat([self.asked(spec, slice(k, k + 1)) for k in range(len(self.pixels))])

    def peer(self, attack: Run) -> Tensor:
        """A peer's."""
        torch.manual_seed(0)  # other libraries draw from the global generators
        np.random.seed(0)
        return attack(Counting(self.network).eval(), self.pixels, self.labels)

    def same(self, tolerance: float, ours: Tensor, theirs: Tensor) -> str:
        """As many images fall."""
        return within("ASR", self._share(ours), self._share(theirs), tolerance, ".1%")

    def as_near(self, ours: Tensor, theirs: Tensor) -> str:
        """The examples of both are about as near: the median L2 distance within a tenth."""
        medians = []
        for side in (ours, theirs):
            distance = distances(side, self.pixels, "l2")
            distance[~self.fallen(side)] = torch.inf
            medians.append(float(distance.median()))
        return within("median L2", *medians, 0.1 * max(medians))
