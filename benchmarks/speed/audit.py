"""The audit of two architectures in five families, beside a script that does the same with other libraries.

The script is what an engineer would write: library ops in NCHW and PyTorch's two threads; torchattacks' PGD at each
epsilon, a plain loop for trainings, ART for the backdoor and for stolen models, scikit-learn for the AUC. Both sides
have the same images, recipes and budgets; seconds are wall time, as both have two cores.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

import nasaudit
from benchmarks.peers import Setting, torchattacks_pgd
from benchmarks.speed.contest import Contest, within
from benchmarks.speed.theft import poison_by_art, steal_by_art, success
from benchmarks.training import gradients_as_they_come, library
from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.attacks.evasion.measures import curve_area
from nasaudit.attacks.poisoning.label_flip import LabelFlip
from nasaudit.data.augment import augment
from nasaudit.data.load import load_data
from nasaudit.data.split import DataBundle
from nasaudit.spec.attacks import BadNetsSpec, KnockoffSpec, LabelFlipSpec, LossThresholdSpec, PgdSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.recipes import backdoor_training, recipe, surrogate_training
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.training import TrainingSpec

if TYPE_CHECKING:
    import pandas as pd

ARCHITECTURES, DATA, CORES, SEED = ("darts", "resnet"), DataSpec(name="digits"), 2, 0
ATTACKS = (PgdSpec(), LabelFlipSpec(), BadNetsSpec(), KnockoffSpec(), LossThresholdSpec())
PGD, FLIP, BADNETS, KNOCKOFF, THRESHOLD = ATTACKS
# What both sides measure of an architecture: of which attack, and by how much two trainings of it may differ.
MEASURED = {
    "clean_accuracy": ("", 0.04),
    "curve_area": (PGD.name, 0.04),
    "cad": (FLIP.name, 0.08),
    "asr": (BADNETS.name, 0.08),
    "agreement": (KNOCKOFF.name, 0.08),
    "auc": (THRESHOLD.name, 0.06),
}
Figures = dict[str, dict[str, float]]


def contests(folder: Path) -> Iterator[Contest[Figures]]:
    """The one row."""
    yield Contest(
        f"audit of {' and '.join(ARCHITECTURES)} on {DATA.name}, five families",
        "a script of torchattacks, ART and plain loops",
        3.5,
        ours,
        script,
        same,
        clock=time.perf_counter,
    )


def ours() -> Figures:
    """By two workers, from nothing."""
    study = StudySpec(
        architectures=tuple(ArchChoice(name=name) for name in ARCHITECTURES),
        data=DATA,
        seeds=(SEED,),
        attacks=ATTACKS,
        analyses=(),
    )
    with TemporaryDirectory() as out:
        table = nasaudit.run_study(study, out, nasaudit.RunOptions(workers=CORES, device="cpu")).frame
    return {
        name: {metric: _value(table[table.architecture == name], metric) for metric in MEASURED}
        for name in ARCHITECTURES
    }


def _value(table: "pd.DataFrame", metric: str) -> float:
    """Of what is measured at several strengths, at the last one, which is the greatest."""
    rows = table[(table.metric == metric) & (table.attack == MEASURED[metric][0]) & (table.seed == SEED)]
    rows = rows[~rows.setting.str.contains("images=common")]
    return float(rows.value.iloc[-1])


def same(ours: Figures, theirs: Figures) -> str:
    """Each figure of each architecture."""
    said = [
        within(f"{name}'s {metric}", figures[metric], theirs[name][metric], MEASURED[metric][1])
        for name, figures in ours.items()
        for metric in MEASURED
    ]
    return f"{len(said)} figures, as {said[0]}"


def script() -> Figures:
    """In a process of its own, with both cores."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.audit"], check=True, capture_output=True, text=True
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


class Script:
    """The other side, for one architecture."""

    def __init__(self, architecture: str, bundle: DataBundle):
        self.bundle, self.training = bundle, recipe("mini", "sound", DATA.name, bundle.train.shape[0])
        self.spec = resolve(
            ArchChoice(name=architecture), "mini", len(bundle.class_names), bundle.train.shape
        )
        self.victim = self._trained(bundle.train.pixels(), bundle.train.labels, self.training)

    def figures(self) -> dict[str, float]:
        """All that is measured."""
        accuracy = self._accuracy(self.victim)
        return {
            "clean_accuracy": accuracy,
            "curve_area": self._curve_area(),
            "cad": accuracy - min(self._poisoned(fraction) for fraction in FLIP.fractions if fraction),
            "asr": self._backdoor(),
            "agreement": [self._stolen(share) for share in KNOCKOFF.budget_shares][-1],
            "auc": self._membership(),
        }

    def _trained(
        self, pixels: Tensor, labels: Tensor, training: TrainingSpec, network: nn.Module | None = None
    ) -> nn.Module:
        """A plain loop."""
        network = library(build(self.spec, SEED) if network is None else network).train()
        optimizer = torch.optim.AdamW(
            network.parameters(), training.learning_rate, weight_decay=training.weight_decay
        )
        batches = len(labels) // training.batch_size
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, training.epochs * batches)
        generator = torch.Generator().manual_seed(SEED)
        for _ in range(training.epochs):
            order = torch.randperm(len(labels), generator=generator)[: batches * training.batch_size]
            for rows in order.split(training.batch_size):
                x = augment(pixels[rows], generator, training.crop, training.flip, training.cutout)
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x), labels[rows]).backward()
                nn.utils.clip_grad_norm_(network.parameters(), training.gradient_clip)
                optimizer.step()
                schedule.step()
        return network.eval()

    def _logits(self, network: nn.Module, pixels: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([network(x) for x in pixels.split(256)])

    def _accuracy(self, network: nn.Module) -> float:
        test = self.bundle.test
        return (self._logits(network, test.pixels()).argmax(1) == test.labels).double().mean().item()

    def _curve_area(self) -> float:
        """PGD at each epsilon, on all images, whether they fell before or not."""
        test = self.bundle.test.take(torch.arange(min(PGD.images, len(self.bundle.test))))
        pixels, labels = test.pixels(), test.labels
        smallest = torch.full((len(labels),), torch.inf, dtype=torch.float64)
        for epsilon in reversed(PGD.epsilons):
            setting = Setting(epsilon, 2.5 * epsilon / PGD.steps, PGD.steps, PGD.random_start)
            adversarial = torchattacks_pgd(self.victim, pixels, labels, setting)
            smallest[self._logits(self.victim, adversarial).argmax(1) != labels] = epsilon
        right = self._logits(self.victim, pixels).argmax(1) == labels
        return float(curve_area(smallest[right].numpy(), PGD.epsilons))

    def _poisoned(self, fraction: float) -> float:
        train = self.bundle.train
        poison, labels = LabelFlip(FLIP).poison(train, fraction), train.labels.clone()
        labels[train.find(poison.indices)] = poison.labels
        return self._accuracy(self._trained(train.pixels(), labels, self.training))

    def _backdoor(self) -> float:
        training = backdoor_training(BADNETS, self.training)
        network = self._trained(*poison_by_art(self.bundle.train, BADNETS), training, self.victim)
        return success(network, self.bundle.test, BADNETS)

    def _stolen(self, share: float) -> float:
        """ART's own loop, whose rate is constant."""
        pool, test = self.bundle.pool, self.bundle.test.pixels()
        budget = round(share * len(pool))
        thief = library(build(self.spec, SEED + 1))
        epochs = surrogate_training(KNOCKOFF, self.training, budget).epochs
        steal_by_art(self.victim, thief, pool, budget, epochs)
        said = [self._logits(network, test).argmax(1) for network in (thief, self.victim)]
        return (said[0] == said[1]).double().mean().item()

    def _membership(self) -> float:
        count = THRESHOLD.count(len(self.bundle.train), len(self.bundle.test))
        splits = [split.take(torch.arange(count)) for split in (self.bundle.train, self.bundle.test)]
        losses = [
            nn.functional.cross_entropy(self._logits(self.victim, x.pixels()), x.labels, reduction="none")
            for x in splits
        ]
        return float(roc_auc_score(np.repeat([True, False], count), -torch.cat(losses).numpy()))


def main() -> None:
    """The other side: its figures are the last line that is printed."""
    torch.set_num_threads(CORES)
    torch.manual_seed(SEED)
    bundle = load_data(DATA, Path("data"))
    with gradients_as_they_come():
        print(json.dumps({name: Script(name, bundle).figures() for name in ARCHITECTURES}))


if __name__ == "__main__":
    main()
