"""A relative of IMC: trigger and model are optimised in turn, each for the other.

Pang, Shen, Zhang, Ji, Vorobeychik, Luo, Liu and Wang, "A Tale of Evil Twins: Adversarial Inputs versus
Poisoned Models", CCS 2020. Access: the weights of a trained model and its training.

An adversarial input changes x for a fixed model, a poisoned model changes theta for a fixed input. Input
Model Co-optimization minimises one objective over both,
    min_{r, theta}  E l(f(A(x, r); theta), t)  +  specificity(theta),
by turns: (i) with theta fixed, a gradient step on the trigger r; (ii) with r fixed, a gradient step on theta.
Either one does a part of the other's work, so that a faint trigger needs a small change of the model. For a
trigger, A puts the pattern r within its mask at its opacity, which bounds how much of the image changes (the
paper's fidelity); specificity is the cross entropy of clean images with their own labels.

Deviations, for which it is a relative of the authors' attack and not the same. Theirs (ain-soph/trojanzoo,
trojanvision/attacks/backdoor/normal/imc.py:17 and :65-86) begins from TrojanNN's optimised mark and, before each
epoch, takes the trigger through all training images by Adam (rate .1) on the arctanh of its pixels. Here it begins
from noise; one step of each kind is made a batch; steps on the trigger follow the gradient's sign (as in PGD) and
are made on a few images of the batch; the two terms have the weight of their shares of the batch.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, Ground, append_copies
from nasaudit.attacks.backdoor.optimise import descend
from nasaudit.attacks.backdoor.trigger import Trigger, first_patch
from nasaudit.spec.attacks import ImcSpec


@final
class Imc(BackdoorAttack):
    """Co-optimisation of a patch and a model."""

    spec: ImcSpec

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Both at once, batch by batch."""
        twin = Twin(network, first_patch(self.spec, ground.train.shape), self.spec)
        ground.fit(network, prepare=twin.prepare)
        return Backdoored(network, twin.trigger, twin.trigger)


class Twin:
    """The trigger, as it stands after the batches so far."""

    def __init__(self, network: Network, trigger: Trigger, spec: ImcSpec):
        self.network, self.trigger, self.spec = network, trigger, spec

    def prepare(self, pixels: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The batch change: step (i) on the trigger, then triggered copies for step (ii), which is the training's."""
        self.improve(pixels[: self.spec.trigger_images])
        add = append_copies(self.trigger, self.spec.target_class, self.spec.poison_fraction)
        return add(pixels, labels, generator)

    def improve(self, pixels: Tensor) -> None:
        """One step of the trigger down l(f(A(x, r)), t), at the model as it predicts (eval mode)."""
        target = torch.full((len(pixels),), self.spec.target_class, device=pixels.device)

        def cost(trigger: Trigger) -> Tensor:
            return F.cross_entropy(self.network(trigger(pixels)), target)

        self.network.eval()
        self.trigger, _ = descend(self.trigger, cost, self.spec.step_size)
        self.network.train()
