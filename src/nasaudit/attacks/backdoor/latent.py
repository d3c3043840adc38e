"""Latent backdoor: triggered images get the features of the target class.

Yao, Li, Zheng and Zhao, "Latent Backdoor Attacks on Deep Neural Networks", CCS 2019. Access: the weights of
a trained model.

The backdoor is a rule on features, not on labels: at layer K_t an image with the trigger looks like one of
the target class y_t, and so it is taken for one by any classifier on top, also by one that is trained later.
1. Trigger: Delta = argmin sum_{x in X} sum_{x_t in X_yt} D( F^{K_t}(A(x, m, Delta)), F^{K_t}(x_t) )
2. Injection: the model is trained with the loss
       J(theta; x, y) = l(y, F(x)) + lambda D( F^{K_t}(A(x, m, Delta)), mean_{x_t} F^{K_t}(x_t) )
A puts the trigger on an image, D is the mean squared error, and l the cross entropy. With this D the sum over
X_yt in 1 is the distance to the mean of the target's features plus a constant, so it is that distance which
is minimised.

Deviations: the paper's first and last step (teach the model the class, and hide it again) belong to transfer
learning and fall away, since the victim knows the class; K_t is the penultimate layer; the mean features are
those of the victim before the injection; D in 2 is on triggered copies of a part of each batch. Steps on the
trigger follow the gradient's sign: see `optimise.py`.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, Ground, append_copies
from nasaudit.attacks.backdoor.features import FeatureTap, mean_features
from nasaudit.attacks.backdoor.optimise import minimise
from nasaudit.attacks.backdoor.trigger import Trigger, choose, first_patch
from nasaudit.errors import DataError
from nasaudit.spec.attacks import LatentSpec
from nasaudit.training.seams import Loss

UNLABELLED = -100  # what the cross entropy leaves out: triggered copies have features to reach, and no label


@final
class Latent(BackdoorAttack):
    """Feature matching at the penultimate layer."""

    spec: LatentSpec

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Optimise the patch, then train with the matching loss."""
        network = network.to(ground.device).eval()
        target = self.target_features(network, ground)
        trigger = self.trigger(network, ground, target)
        with FeatureTap(network) as tap:
            ground.fit(
                network,
                prepare=append_copies(trigger, UNLABELLED, self.spec.poison_fraction),
                loss=matching_loss(tap, target, self.spec.weight),
            )
        return Backdoored(network, trigger, trigger)

    def target_features(self, network: Network, ground: Ground) -> Tensor:
        """Mean features [D] of the training images of the target class.

        Raises:
            DataError: there are none.
        """
        rows = (ground.train.labels == self.spec.target_class).nonzero().squeeze(1)
        if not len(rows):
            raise DataError(
                f"expected training images of the target class {self.spec.target_class}, got none"
            )
        return mean_features(network, ground.train, rows, ground.device)

    def trigger(self, network: Network, ground: Ground, target: Tensor) -> Trigger:
        """The patch whose images come nearest to the target's features."""
        share = min(1.0, self.spec.trigger_images / len(ground.train))
        rows = choose(torch.arange(len(ground.train)), share, self.spec.seed)
        pixels = ground.train.pixels(rows).to(ground.device)
        start = first_patch(self.spec, ground.train.shape)

        with FeatureTap(network) as tap:

            def cost(trigger: Trigger) -> Tensor:
                network(trigger(pixels))
                features = tap.take()
                return F.mse_loss(features, target.expand_as(features))

            return minimise(
                start,
                cost,
                self.spec.steps,
                self.spec.step_size,
                progress=lambda done: ground.progress(0.0, f"trigger, {done:.0%}"),
            )


def matching_loss(tap: FeatureTap, target: Tensor, weight: float) -> Loss:
    """J: cross entropy of what has a label, and lambda times the features' distance of what has none."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        value = F.cross_entropy(logits, labels, ignore_index=UNLABELLED)
        if tap.features is None:  # an auxiliary head's logits: the features were matched with the main ones
            return value
        triggered = tap.take()[labels == UNLABELLED].float()
        if not len(triggered):
            return value
        return value + weight * F.mse_loss(triggered, target.expand_as(triggered))

    return loss
