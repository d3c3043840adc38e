"""LiRA with 16 shadow models, beside what ML Privacy Meter does, written out literally.

Murakonda and Shokri, "ML Privacy Meter", 2020: each shadow model is trained by a loop of its own on half of the
images, asked about all of them, and each image gets two Gaussians. The peer's networks are those of library ops in
NCHW. Both sides train on the same halves by the same recipe.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from benchmarks.speed.contest import Contest, within
from benchmarks.training import gradients_as_they_come, library
from benchmarks.victims import trained_victim
from nasaudit.arch.network import Network, build
from nasaudit.attacks.membership.base import Knowledge, ShadowModels
from nasaudit.attacks.membership.lira import Lira
from nasaudit.data.split import DataBundle, Split
from nasaudit.spec.attacks import LiraSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.loop import fit
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

CLASSES, SHADOWS, MEMBERS, EPOCHS = 10, 16, 300, 4
RECIPE = TrainingSpec(epochs=EPOCHS, schedule="constant", crop=0, gradient_clip=None)


def contests(folder: Path) -> Iterator[Contest[float]]:
    """The one row: what comes of both sides is the AUC."""
    network, bundle = trained_victim(folder)
    sides = Sides(network, bundle)
    yield Contest(
        f"LiRA, {SHADOWS} shadow models of {MEMBERS} images, {EPOCHS} epochs",
        "ML Privacy Meter's procedure",
        2,
        sides.ours,
        sides.literal,
        lambda ours, theirs: within("AUC", ours, theirs, 0.05),
    )


class Sides:
    """A victim that has seen half of the images, and which shadow models have seen which."""

    def __init__(self, network: Network, bundle: DataBundle):
        members, others = (split.take(torch.arange(MEMBERS)) for split in (bundle.train, bundle.test))
        self.spec, self.images = network.spec, members.joined(others)
        self.is_member = np.repeat([True, False], MEMBERS)
        self.victim = build(self.spec, 0)
        fit(self.victim, members, RECIPE, 0)
        random = np.random.default_rng(0)
        # Every image is in half of the shadow models.
        self.inside = random.random((SHADOWS, 2 * MEMBERS)).argsort(axis=0) < SHADOWS // 2

    def _half(self, shadow: int) -> Split:
        return self.images.take(torch.from_numpy(np.flatnonzero(self.inside[shadow])))

    def _shadow(self, shadow: int) -> Classifier:
        network = build(self.spec, shadow + 1)
        fit(network, self._half(shadow), RECIPE, shadow + 1)
        return Classifier(network, CLASSES)

    def ours(self) -> float:
        """All shadow models by the training loop, the scores by the attack."""
        shadows = ShadowModels(
            [partial(self._shadow, shadow) for shadow in range(SHADOWS)], lambda indices: self.inside
        )
        scores = Lira(LiraSpec(models=SHADOWS)).score(
            Oracle(Classifier(self.victim, CLASSES), None),
            self.images,
            Knowledge(shadows, self.images, RECIPE),
            seed=0,
        )
        return float(roc_auc_score(self.is_member, scores.score))

    def literal(self) -> float:
        """A plain loop for each model; for each image the Gaussians of models with it and without."""
        phi = self._confidence(library(self.victim).eval())
        with gradients_as_they_come():
            shadows = np.stack([self._confidence(self._plainly(shadow)) for shadow in range(SHADOWS)])
        seen, unseen = (np.where(mask, shadows, np.nan) for mask in (self.inside, ~self.inside))
        # With few models one spread for all images, as ours (Carlini et al. 2022, VI-C).
        spreads = [np.sqrt(np.nanvar(side, axis=0, ddof=1).mean()) for side in (seen, unseen)]
        score = norm.logpdf(phi, np.nanmean(seen, axis=0), spreads[0])
        score -= norm.logpdf(phi, np.nanmean(unseen, axis=0), spreads[1])
        return float(roc_auc_score(self.is_member, score))

    def _plainly(self, shadow: int) -> nn.Module:
        half, network = self._half(shadow), library(build(self.spec, shadow + 1)).train()
        pixels, labels = half.pixels(), half.labels
        optimizer = torch.optim.AdamW(
            network.parameters(), RECIPE.learning_rate, weight_decay=RECIPE.weight_decay
        )
        for _ in range(EPOCHS):
            order = torch.randperm(len(labels))
            for rows in order[: len(order) // RECIPE.batch_size * RECIPE.batch_size].split(RECIPE.batch_size):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(pixels[rows]), labels[rows]).backward()
                optimizer.step()
        return network.eval()

    def _confidence(self, network: nn.Module) -> np.ndarray:
        """The log odds of the right class, float64 [N]."""
        with torch.no_grad():
            said = torch.cat([network(x).double() for x in self.images.pixels().split(RECIPE.batch_size)])
        return np.asarray(_log_odds(said, self.images.labels))


def _log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    right = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1, keepdim=True)
    return (right - others).squeeze(1)
