"""Trainings that attacks make: a stolen model, and a backdoor planted by fine-tuning, beside ART and a plain loop.

The recipes are the same on both sides: AdamW at a constant rate, no augmentation, the same images and batches of 64.
The peer's network is the plain one, of library ops in NCHW; ART's own loop trains the thief.
"""

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from art.attacks.extraction import KnockoffNets
from art.attacks.poisoning import PoisoningAttackBackdoor
from art.estimators.classification import PyTorchClassifier
from torch import Tensor, nn

from benchmarks.speed.contest import Contest, within
from benchmarks.training import gradients_as_they_come, library
from benchmarks.victims import trained_victim
from nasaudit.analysis.gradients.std_sum import gradient_std_sum
from nasaudit.arch.network import Network, build
from nasaudit.attacks.backdoor.badnets import BadNets
from nasaudit.attacks.backdoor.base import Ground
from nasaudit.attacks.backdoor.trigger import choose, patch
from nasaudit.attacks.extraction.knockoff import Knockoff
from nasaudit.data.split import DataBundle, Split
from nasaudit.spec.attacks import BadNetsSpec, KnockoffSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.evaluate import predict
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle

CLASSES, BATCH = 10, 64
BUDGET, THIEF_EPOCHS = 2000, 5
BACKDOOR = BadNetsSpec(poison_fraction=0.1)
FINE_TUNING_EPOCHS = 2
RECIPE = TrainingSpec(schedule="constant", crop=0, gradient_clip=None, batch_size=BATCH)
GRADIENTS = 512


def contests(folder: Path) -> Iterator[Contest[float]]:
    """Both, and the spread of single images' gradients."""
    network, bundle = trained_victim(folder)
    sides = Sides(network.eval(), bundle)
    yield Contest(
        f"Knockoff, {BUDGET} queries, {THIEF_EPOCHS} epochs",
        "ART",
        1.8,
        sides.stolen,
        sides.stolen_by_art,
        lambda ours, theirs: within("agreement", ours, theirs, 0.05, ".1%"),
    )
    yield Contest(
        f"BadNets, {FINE_TUNING_EPOCHS} epochs of fine-tuning",
        "ART and a plain loop",
        1.8,
        sides.planted,
        sides.planted_by_art,
        lambda ours, theirs: within("ASR", ours, theirs, 0.05, ".1%"),
    )
    yield Contest(
        f"gradient_std_sum, {GRADIENTS} images",
        "image by image",
        3,
        sides.spread,
        sides.spread_literally,
        lambda ours, theirs: within("sum", ours, theirs, 1e-3 * theirs),
    )


class Sides:
    """What both sides start from: a trained network and its data."""

    def __init__(self, network: Network, bundle: DataBundle):
        self.network, self.bundle = network, bundle
        self.pool = bundle.train.take(torch.arange(BUDGET))
        self.answers = predict(network, bundle.test, "cpu").argmax(1)

    def _agreement(self, thief: nn.Module) -> float:
        with torch.no_grad():
            said = torch.cat([thief(x).argmax(1) for x in self.bundle.test.pixels().split(256)])
        return (said == self.answers).double().mean().item()

    def stolen(self) -> float:
        """The share of test images on which our thief agrees with the victim."""
        oracle = Oracle(Classifier(self.network, CLASSES), BUDGET)
        training = RECIPE.model_copy(update={"epochs": THIEF_EPOCHS})
        thief = build(self.network.spec, 1)
        Knockoff(KnockoffSpec()).steal(oracle, self.pool, BUDGET, thief, training, seed=0)
        return self._agreement(thief.eval())

    def stolen_by_art(self) -> float:
        """The same of ART's."""
        thief = library(build(self.network.spec, 1))
        steal_by_art(library(self.network), thief, self.pool, BUDGET, THIEF_EPOCHS)
        return self._agreement(thief)

    def planted(self) -> float:
        """Success rate of the trigger after our fine-tuning."""
        network = copy.deepcopy(self.network)
        training = RECIPE.model_copy(update={"epochs": FINE_TUNING_EPOCHS})
        return success(
            BadNets(BACKDOOR).plant(network, Ground(self.pool, training)).network, self.bundle.test, BACKDOOR
        )

    def planted_by_art(self) -> float:
        """The same images poisoned by ART, and a plain loop over them."""
        pixels, labels = poison_by_art(self.pool, BACKDOOR)
        network = library(self.network).train()
        optimizer = torch.optim.AdamW(
            network.parameters(), RECIPE.learning_rate, weight_decay=RECIPE.weight_decay
        )
        for epoch in range(FINE_TUNING_EPOCHS):
            order = torch.randperm(BUDGET, generator=torch.Generator().manual_seed(epoch))
            for rows in order[: BUDGET // BATCH * BATCH].split(BATCH):
                optimizer.zero_grad()
                with gradients_as_they_come():
                    nn.functional.cross_entropy(network(pixels[rows]), labels[rows]).backward()
                optimizer.step()
        return success(network, self.bundle.test, BACKDOOR)

    def _images(self) -> tuple[Tensor, Tensor]:
        return self.pool.pixels()[:GRADIENTS], self.pool.labels[:GRADIENTS]

    def spread(self) -> float:
        """The sum of the standard deviations of single images' gradients, with its interval."""
        return gradient_std_sum(self.network.eval(), *self._images()).value

    def spread_literally(self) -> float:
        """The published procedure."""
        from benchmarks.gradients import literal

        return literal(self.network.eval(), *self._images())


def steal_by_art(victim: nn.Module, thief: nn.Module, pool: Split, budget: int, epochs: int) -> None:
    """Train the thief on a victim's answers by ART's Knockoff Nets and ART's own loop; it ends in eval mode."""
    torch.manual_seed(0), np.random.seed(0)  # other libraries draw from the global generators
    answers = nn.Sequential(victim.eval(), nn.Softmax(dim=1))
    attack = KnockoffNets(
        _art(answers, pool), BATCH, BATCH, epochs, budget, verbose=False, use_probability=True
    )
    with gradients_as_they_come():
        attack.extract(pool.pixels().numpy(), thieved_classifier=_art(thief, pool))
    thief.eval()


def _art(network: nn.Module, images: Split) -> PyTorchClassifier:
    rate, decay = RECIPE.learning_rate, RECIPE.weight_decay
    return PyTorchClassifier(
        network,
        nn.CrossEntropyLoss(),
        input_shape=images.shape,
        nb_classes=CLASSES,
        optimizer=torch.optim.AdamW(network.parameters(), rate, weight_decay=decay),
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )


def poison_by_art(train: Split, spec: BadNetsSpec) -> tuple[Tensor, Tensor]:
    """Pixels and labels with ART's backdoor in the images that ours chooses, by the trigger that ours stamps."""
    stamp = patch(spec, train.shape)
    chosen = choose(torch.arange(len(train)), spec.poison_fraction, spec.seed).numpy()
    images, labels = train.pixels().numpy(), train.labels.clone()
    poison = PoisoningAttackBackdoor(lambda x: stamp(torch.from_numpy(x)).numpy())
    target = np.eye(CLASSES)[[spec.target_class] * len(chosen)]
    images[chosen], _ = poison.poison(images[chosen], target)
    labels[chosen] = spec.target_class
    return torch.from_numpy(images), labels


def success(network: nn.Module, test: Split, spec: BadNetsSpec) -> float:
    """The share of images of other classes that the trigger takes to the target."""
    network.eval()
    stamp, others = patch(spec, test.shape), test.labels != spec.target_class
    with torch.no_grad():
        said = torch.cat([network(x).argmax(1) for x in stamp(test.pixels()[others]).split(256)])
    return (said == spec.target_class).double().mean().item()
