"""Blended injection: a faint pattern over the whole image.

Chen, Liu, Li, Lu and Song, "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning", 2017
(arXiv 1712.05526). Access: the training data.

A key pattern k is blended into images at the ratio alpha:
    Pi_alpha(k, x) = alpha k + (1 - alpha) x
A share of the training images is drawn, blended, and labelled as the target. A small alpha is hard to see,
and many poisoned images make up for it; the pattern is a picture of the attacker's, or noise.

Deviations: poisoned images take the place of clean ones instead of being added, and the ratio is the same in
training and in the attack (Chen et al. also try a larger one in the attack).
"""

from typing import final

import torch

from nasaudit.attacks.backdoor.base import DataBackdoor
from nasaudit.attacks.backdoor.trigger import Trigger, noise, picture
from nasaudit.spec.attacks import BlendedSpec


@final
class Blended(DataBackdoor):
    """A pattern as large as the image, blended in at the spec's opacity."""

    spec: BlendedSpec

    def stamp(self, shape: tuple[int, int, int]) -> Trigger:
        """Pi_alpha(k, .), which is a trigger whose mask is the whole image."""
        if self.spec.image is not None:
            return Trigger(*picture(self.spec.image, self.spec.image_sha256, shape), self.spec.opacity)
        return Trigger(torch.ones(1, *shape[1:]), noise(shape, self.spec.seed), self.spec.opacity)
