"""Clipped gradients with noise, as in DP-SGD: no image may move the weights by much, and noise hides who did.

Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar and Zhang, "Deep Learning with Differential Privacy", CCS 2016,
algorithm 1, with the microbatches of McMahan, Andrew, Erlingsson, Chien, Mironov, Papernot and Kairouz, "A General
Approach to Adding Differential Privacy to Iterative Training Procedures", 2018 (arXiv 1812.06210). A batch is divided
into M microbatches; with g_i the gradient of the mean loss over microbatch i, C the clip and sigma the multiplier,
    g = 1/M ( sum_i g_i min(1, C / |g_i|)  +  N(0, sigma^2 C^2 I) )
takes the gradient's place in the optimiser's step. The length |g_i| is over all parameters.

**No epsilon is claimed.** Several things in a training would void it, whatever the noise:
- batch normalisation keeps running means and variances of the images, without clipping or noise, and they are a part
  of the model;
- batches are a shuffled pass over the data, not independent draws, which the accounting of the paper assumes;
- the images are normalised by the moments of the training set, and an epoch may be chosen by accuracy;
- no account is kept of what the steps add up to.
What is measured is what the defence does to an attack.

Why microbatches: batch normalisation makes each image's gradient hang on the others of its batch, so a gradient of
one image alone does not exist there, and on one image with maps of one pixel it has no variance to divide by. An
image only touches those of its own microbatch, so all that it changes in the sum has a length of at most 2 C. Smaller
microbatches make more of them, so that each counts less, and noisier statistics. In a network without batch
normalisation (`bit` among the catalogue's) a microbatch may be one image.

Deviations: microbatches are of nearly equal size, none larger than asked. The noise is drawn on the training's device
from a generator of its own, so a training sees the images in the order of its undefended twin.
"""

import math
from dataclasses import replace
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from nasaudit.errors import SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.remedies.defences import PrivateSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.seams import Backward, Defence, Seams


@final
class PrivateTraining(Defence):
    """A `PrivateGradient` takes the place of the batch's own."""

    def __init__(self, spec: PrivateSpec):
        self.spec = spec

    def applied(self, seams: Seams, network: nn.Module, training: TrainingSpec, seed: int) -> Seams:
        """See `Defence`."""
        gradient = PrivateGradient(network, self.spec, seed)
        return replace(seams, gradient=gradient, generators=(*seams.generators, gradient.generator))


@final
class PrivateGradient:
    """Fills the parameters' gradients with g.

    Args:
        network: that is trained, on its device.
        spec: clip, noise multiplier, size of a microbatch.
        seed: of the training.

    Attributes:
        generator: of the noise.

    Raises:
        SpecError: microbatches of one image, and a network with batch normalisation.
    """

    def __init__(self, network: nn.Module, spec: PrivateSpec, seed: int):
        if spec.microbatch == 1 and any(
            isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()
        ):
            raise SpecError(
                "training.defences.dp_sgd.microbatch", "at least 2, for a network with batch normalisation", 1
            )
        self.spec = spec
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        device = self._parameters[0].device
        self.generator = torch.Generator(device).manual_seed(derive_seed("private training", seed))

    def __call__(self, pixels: Tensor, targets: Tensor, backward: Backward) -> tuple[Tensor, Tensor]:
        """The loss and the share of correct images of the batch, whose private gradient is then in the parameters.

        Args:
            pixels: [V * N, C, H, W]: V views of each image, view by view (one, or two with TRADES).
            targets: [N] or [N, K].
            backward: adds a part's gradient to the parameters, which have none before.
        """
        views = torch.split(pixels, len(targets))
        total = [torch.zeros_like(parameter) for parameter in self._parameters]
        measured = torch.zeros(2, device=pixels.device)
        parts = _parts(len(targets), self.spec.microbatch)
        for rows in parts:
            loss_and_correct = backward(torch.cat([view[rows] for view in views]), targets[rows])
            measured += torch.stack(loss_and_correct) * ((rows.stop - rows.start) / len(targets))
            # The microbatch's gradient joins the sum, no longer than the clip, and leaves the parameters.
            pairs = [
                (whole, parameter.grad)
                for whole, parameter in zip(total, self._parameters, strict=True)
                if parameter.grad is not None
            ]
            gradients = [gradient for _, gradient in pairs]
            length = torch.nn.utils.get_total_norm(gradients)
            torch._foreach_mul_(gradients, (self.spec.clip / length).clamp(max=1))
            torch._foreach_add_([whole for whole, _ in pairs], gradients)
            for parameter in self._parameters:
                parameter.grad = None
        for parameter, gradient in zip(self._parameters, total, strict=True):
            if self.spec.noise_multiplier > 0:
                noise = torch.empty_like(gradient).normal_(generator=self.generator)
                gradient.add_(noise, alpha=self.spec.noise_multiplier * self.spec.clip)
            parameter.grad = gradient.div_(len(parts))
        loss, correct = measured
        return loss, correct


def _parts(images: int, largest: int) -> list[slice]:
    """Consecutive parts of nearly equal size, none larger than `largest`."""
    count = math.ceil(images / largest)
    bounds = [part * images // count for part in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]
