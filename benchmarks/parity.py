"""Every evasion attack beside other libraries' on one victim, at equal budgets: do ours find as much?

One trained mini DARTS, the same images, which it gets right, and the same norm, radius and budget for both sides. A
budget is steps where a library counts steps, and images asked about where it counts queries; those are counted by a
wrapper of the network, so that no library can forget one. Success is judged alike: by the eager network in float32.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers import BATCH, CLASSES, Counting, Run, art_attack, foolbox_attack, torchattack
from benchmarks.table import Table
from benchmarks.victims import correct_images, trained_victim
from nasaudit.attacks.base import load_attack
from nasaudit.attacks.evasion.base import EvasionAttack, MinimalAttack, open_access
from nasaudit.attacks.evasion.curve import distances
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.spec.attacks import (
    ApgdSpec,
    DdnSpec,
    EvasionSpec,
    FgsmSpec,
    FmnSpec,
    HopSkipJumpSpec,
    NesSpec,
    PgdSpec,
    SquareSpec,
)
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

# Where about half of the images of a mini DARTS fall: at 0 or 100 % any two attacks agree.
EPSILON = 12 / 255
STEPS, STEP_SIZE = 20, 2 / 255
MANY_STEPS = 100  # for Auto-PGD, whose checkpoints need room: see docs/evasion.md
QUERIES = 500  # of each image, for Square
IMAGES, FEWER, FEW = (
    400,
    200,
    24,
)  # for gradients, for scores, for labels: other libraries take seconds an image
NES_STEPS, NES_SAMPLES = 10, 100


@dataclass(frozen=True)
class Match:
    """One attack of ours against one library's, told the same.

    Attributes:
        attack: ours.
        budget: what both are given, in words.
        peer: the other library.
        theirs: its attack.
        images: how many.
        minimal: compare the median distance of the examples, in the attack's norm, instead of their number.
        random: both draw random numbers, so that equal attacks differ by the luck of the draw.
    """

    attack: EvasionSpec
    budget: str
    peer: str
    theirs: Run
    images: int = IMAGES
    minimal: bool = False
    random: bool = True


@dataclass(frozen=True)
class Outcome:
    """What one side reached.

    Attributes:
        value: share of images that fell, or the median distance.
        queries: images that the network was asked about, for each attacked image; forward passes for gradients
            count too.
        seconds: CPU time.
    """

    value: float
    queries: float
    seconds: float


def matches() -> list[Match]:
    """All comparisons, in the order of the table."""
    linf = {"norm": "Linf", "eps": EPSILON}
    quiet = {"batch_size": BATCH, "verbose": False}
    steps, many_steps = f"{STEPS} steps", f"{MANY_STEPS} steps"
    pgd = {"steps": STEPS, "random_start": False}
    # ART asks about the start and after each of its iterations; one iteration is one query.
    hop = {"max_iter": 10, "max_eval": 10_000, "init_eval": 100, "init_size": 100}
    return [
        Match(FgsmSpec(), "1 step", "torchattacks", torchattack("FGSM", eps=EPSILON), random=False),
        Match(
            FgsmSpec(), "1 step", "foolbox", foolbox_attack("LinfFastGradientAttack", EPSILON), random=False
        ),
        Match(
            FgsmSpec(), "1 step", "ART",
            art_attack("FastGradientMethod", norm=np.inf, eps=EPSILON, batch_size=BATCH), random=False,
        ),
        Match(
            PgdSpec(steps=STEPS, step_size=STEP_SIZE, random_start=False), steps, "torchattacks",
            torchattack("PGD", eps=EPSILON, alpha=STEP_SIZE, **pgd), random=False,
        ),
        Match(
            PgdSpec(steps=STEPS, step_size=STEP_SIZE, random_start=False), steps, "foolbox",
            foolbox_attack("LinfPGD", EPSILON, abs_stepsize=STEP_SIZE, **pgd), random=False,
        ),
        Match(
            PgdSpec(steps=STEPS, step_size=STEP_SIZE, random_start=False), steps, "ART",
            art_attack(
                "ProjectedGradientDescent", norm=np.inf, eps=EPSILON, eps_step=STEP_SIZE, max_iter=STEPS, **quiet
            ), random=False,
        ),
        *(
            Match(
                ApgdSpec(steps=MANY_STEPS, loss=loss), many_steps, "torchattacks",
                torchattack("APGD", steps=MANY_STEPS, loss=loss, **linf),
            )
            for loss in ("ce", "dlr")
        ),
        Match(
            ApgdSpec(steps=MANY_STEPS), many_steps, "ART",
            art_attack(
                "AutoProjectedGradientDescent", norm=np.inf, eps=EPSILON, eps_step=2 * EPSILON, max_iter=MANY_STEPS,
                nb_random_init=1, loss_type="cross_entropy", **quiet,
            ),
        ),
        Match(
            # Ours looks ten more times at the end, to find the boundary by bisection.
            DdnSpec(steps=90), "100 steps", "foolbox", foolbox_attack("DDNAttack", None, steps=100),
            minimal=True, random=False,
        ),
        *(
            # Ours bisects at the end, too.
            Match(
                FmnSpec(norm=norm, steps=90), "100 steps", "foolbox", foolbox_attack(kind, None, steps=100),
                minimal=True, random=False,
            )
            for norm, kind in (("linf", "LInfFMNAttack"), ("l2", "L2FMNAttack"))
        ),
        Match(
            SquareSpec(queries=QUERIES, p_init=0.8), f"{QUERIES} queries", "torchattacks",
            torchattack("Square", n_queries=QUERIES, **linf), images=FEWER,
        ),
        Match(
            SquareSpec(queries=QUERIES, p_init=0.8), f"{QUERIES} queries", "ART",
            art_attack("SquareAttack", norm=np.inf, eps=EPSILON, max_iter=QUERIES, **quiet), images=FEWER,
        ),
        Match(
            NesSpec(steps=NES_STEPS, samples=NES_SAMPLES, plateau_length=None),
            f"{NES_STEPS} x {NES_SAMPLES} queries", "torchattacks (SPSA)",
            torchattack(
                "SPSA", eps=EPSILON, delta=0.01, lr=2.5 * EPSILON / NES_STEPS, nb_iter=NES_STEPS,
                nb_sample=NES_SAMPLES // 2, max_batch_size=NES_SAMPLES // 2,
            ), images=FEWER,
        ),
        Match(
            HopSkipJumpSpec(iterations=10, evaluations=100), "10 iterations", "ART",
            art_attack("HopSkipJump", norm=2, **hop, **quiet), images=FEW, minimal=True,
        ),
        Match(
            HopSkipJumpSpec(iterations=10, evaluations=100), "10 iterations", "foolbox",
            foolbox_attack("HopSkipJumpAttack", None, steps=10), images=FEW, minimal=True,
        ),
    ]  # fmt: skip


def play(match: Match, network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Outcome, Outcome]:
    """(ours, theirs)."""
    ours = partial(_ours, match.attack)
    return tuple(_run(match, attack, network, images, labels) for attack in (ours, match.theirs))  # type: ignore[return-value]


def play_all(folder: Path, chosen: Sequence[Match] | None = None) -> Iterator[tuple[Match, Outcome, Outcome]]:
    """Every match, or those that are chosen, on the same victim."""
    torch.set_num_threads(1)
    network, bundle = trained_victim(folder)
    pixels, labels = correct_images(network, bundle, IMAGES)
    for match in matches() if chosen is None else chosen:
        print(f"{match.attack.label()} beside {match.peer} ...", file=sys.stderr, flush=True)
        torch.manual_seed(0)  # other libraries draw from the global generators
        np.random.seed(0)
        yield match, *play(match, network, pixels[: match.images], labels[: match.images])


def run(folder: Path, chosen: Sequence[Match] | None = None) -> Table:
    """The table of docs/parity.md."""
    rows = []
    for match, ours, theirs in play_all(folder, chosen):
        shown = "{:.4f}" if match.minimal else "{:.2%}"
        rows.append(
            (
                match.attack.label(),
                match.budget,
                match.peer,
                str(match.images),
                f"median {match.attack.norm}" if match.minimal else "ASR",
                shown.format(ours.value),
                shown.format(theirs.value),
                f"{ours.queries:,.0f}",
                f"{theirs.queries:,.0f}",
                f"1/{theirs.seconds / ours.seconds:.1f}",
            )
        )
    return Table(
        f"Mini DARTS on mnist5k, linf attacks at {255 * EPSILON:.0f}/255, images that it gets right, one thread; "
        "images asked about are counted for each attacked image",
        (
            "attack", "budget", "peer", "images", "measure", "ours", "peer's", "our queries", "peer's queries",
            "our time",
        ),
        rows,
    )  # fmt: skip


def _run(match: Match, attack: Run, network: nn.Module, images: Tensor, labels: Tensor) -> Outcome:
    counting = Counting(network).eval()
    start = process_time()
    adversarial = attack(counting, images, labels)
    seconds = process_time() - start
    asked = counting.images / len(images)
    with torch.no_grad():
        wrong = torch.cat([network(x).argmax(1) for x in adversarial.split(256)]) != labels
    if not match.minimal:
        return Outcome(wrong.float().mean().item(), asked, seconds)
    distance = distances(adversarial, images, match.attack.norm)
    distance[~wrong] = torch.inf
    return Outcome(float(distance.median()), asked, seconds)


def _ours(spec: EvasionSpec, network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """From the user's network to adversarial images. Not folded, so that the wrapper sees every image."""
    victim = open_access(spec, Classifier(_Seen(cast(Counting, network)), CLASSES, folding=False))
    attack = load_attack(spec)
    indices = torch.arange(len(images))
    if isinstance(attack, MinimalAttack):
        return attack.minimise(victim, images, Objective(labels), seed=0, indices=indices).images
    found = cast("EvasionAttack[Classifier] | EvasionAttack[Oracle]", attack)
    return found.perturb(victim, images, Objective(labels), EPSILON, seed=0, indices=indices).images  # type: ignore[arg-type]


class _Seen(nn.Module):
    """Survives the Classifier's copy with the counter of the original: both count into one wrapper."""

    def __init__(self, counting: Counting):
        super().__init__()
        self.network = counting.network
        self._counting = [counting]  # in a list: no submodule, so it is not copied as one

    def __deepcopy__(self, memo: dict[int, object]) -> "_Seen":
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        self._counting[0].images += len(pixels)
        logits: Tensor = self.network(pixels)
        return logits
