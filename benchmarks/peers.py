"""Attacks of other libraries behind one signature. They get the eager network in eval mode, as a user gives it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import art.attacks.evasion
import art.estimators.classification
import foolbox
import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

# Images of one call: all libraries get the batch size that nasaudit takes on a CPU.
BATCH = 128
CLASSES = 10

# (network, images [N, C, H, W], labels [N]) -> adversarial images.
Run = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Setting:
    """Untargeted linf PGD, told to every library in the same numbers (pixel units)."""

    epsilon: float
    step_size: float
    steps: int
    random_start: bool


class Counting(nn.Module):
    """Counts the images that a network is asked about: no library can forget one."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.images = 0

    def forward(self, pixels: Tensor) -> Tensor:  # noqa: D102
        self.images += len(pixels)
        logits: Tensor = self.network(pixels.float())  # under NumPy 2, ART hands doubles to the network
        return logits


def torchattack(kind: str, **options: Any) -> Run:
    """An attack of torchattacks by its class name."""

    def run(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        attack = getattr(torchattacks, kind)(network, **options)
        return torch.cat([attack(x, y) for x, y in _batches(images, labels)])

    return run


def foolbox_attack(kind: str, epsilon: float | None, **options: Any) -> Run:
    """An attack of foolbox by its class name; no epsilon for a minimal-norm attack."""

    def run(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        attack = getattr(foolbox.attacks, kind)(**options)
        clipped = 1 if epsilon is not None else 0  # without an epsilon the raw examples are the result
        return torch.cat(
            [attack(model, x, y, epsilons=epsilon)[clipped] for x, y in _batches(images, labels)]
        )

    return run


def art_attack(kind: str, **options: Any) -> Run:
    """An attack of ART by its class name."""

    def run(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        estimator = art.estimators.classification.PyTorchClassifier(
            Counting(network),
            nn.CrossEntropyLoss(),
            input_shape=tuple(images.shape[1:]),
            nb_classes=CLASSES,
            clip_values=(0.0, 1.0),
            device_type="cpu",
        )
        attack = getattr(art.attacks.evasion, kind)(estimator, **options)
        return torch.from_numpy(attack.generate(images.numpy(), labels.numpy())).float()

    return run


def torchattacks_pgd(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    """PGD of torchattacks."""
    options = {"eps": setting.epsilon, "alpha": setting.step_size, "steps": setting.steps}
    return torchattack("PGD", **options, random_start=setting.random_start)(network, images, labels)


def foolbox_pgd(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    """PGD of foolbox."""
    options = {"abs_stepsize": setting.step_size, "steps": setting.steps}
    return foolbox_attack("LinfPGD", setting.epsilon, **options, random_start=setting.random_start)(
        network, images, labels
    )


def art_pgd(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    """PGD of ART."""
    return art_attack(
        "ProjectedGradientDescent",
        norm=np.inf,
        eps=setting.epsilon,
        eps_step=setting.step_size,
        max_iter=setting.steps,
        num_random_init=int(setting.random_start),
        batch_size=BATCH,
        verbose=False,
    )(network, images, labels)


# Every library's PGD, for the benchmark that varies its setting.
PEERS: dict[str, Callable[[nn.Module, Tensor, Tensor, Setting], Tensor]] = {
    "torchattacks": torchattacks_pgd,
    "foolbox": foolbox_pgd,
    "ART": art_pgd,
}


def _batches(images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(torch.split(images, BATCH), torch.split(labels, BATCH), strict=True))
