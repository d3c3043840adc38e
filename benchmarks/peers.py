"""PGD of other libraries behind one signature. They get the eager network in eval mode, as a user hands it over."""

from collections.abc import Callable
from dataclasses import dataclass

import art.attacks.evasion
import art.estimators.classification
import foolbox
import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

# Images of one call: all libraries get the batch size that nasaudit takes on a CPU.
BATCH = 64


@dataclass(frozen=True)
class Setting:
    """Untargeted linf PGD, told to every library in the same numbers (pixel units)."""

    epsilon: float
    step_size: float
    steps: int
    random_start: bool


# (network, images [N, C, H, W], labels [N], setting) -> adversarial images.
Attack = Callable[[nn.Module, Tensor, Tensor, Setting], Tensor]


def torchattacks_pgd(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    attack = torchattacks.PGD(
        network, setting.epsilon, setting.step_size, setting.steps, random_start=setting.random_start
    )
    return torch.cat([attack(x, y) for x, y in _batches(images, labels)])


def foolbox_pgd(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    model = foolbox.PyTorchModel(network, bounds=(0, 1))
    attack = foolbox.attacks.LinfPGD(
        abs_stepsize=setting.step_size, steps=setting.steps, random_start=setting.random_start
    )
    return torch.cat([attack(model, x, y, epsilons=setting.epsilon)[1] for x, y in _batches(images, labels)])


def art_pgd(network: nn.Module, images: Tensor, labels: Tensor, setting: Setting) -> Tensor:
    estimator = art.estimators.classification.PyTorchClassifier(
        _Float32(network),
        nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=10,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    attack = art.attacks.evasion.ProjectedGradientDescent(
        estimator,
        norm=np.inf,
        eps=setting.epsilon,
        eps_step=setting.step_size,
        max_iter=setting.steps,
        num_random_init=int(setting.random_start),
        batch_size=BATCH,
        verbose=False,
    )
    return torch.from_numpy(attack.generate(images.numpy(), labels.numpy())).float()


PEERS: dict[str, Attack] = {"torchattacks": torchattacks_pgd, "foolbox": foolbox_pgd, "ART": art_pgd}


def _batches(images: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(torch.split(images, BATCH), torch.split(labels, BATCH), strict=True))


class _Float32(nn.Module):
    """Under NumPy 2, ART hands doubles to the network."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x.float())
        return logits
