"""Random label flipping, the untargeted availability attack of the talk.

Xiao, Biggio, Nelson, Xiao, Eckert and Roli, "Support Vector Machines Under Adversarial Label Contamination",
Neurocomputing 2015, has random flips as the baseline of attacks on labels; Pang, Xi, Ji, Luo and Wang, "On the
Security Risks of AutoML", USENIX Security 2022, compare architectures by them.

Access: the labels of a share of the training images. No model is needed, so every architecture gets the same
poison.

Idea: wrong labels make the network learn what is not there. With fraction f of N images, round(f N) of them,
drawn without replacement, get a label drawn uniformly from the K - 1 wrong ones:

    y' = (y + o) mod K,   o uniform on 1..K-1.

Both draws hang on the spec's seed alone: the images poisoned at .1 are among those at .2, with the same wrong
labels.

Deviations: the published artifact poisons a fresh draw for each architecture. It also freezes one random
augmentation of the poisoned images, and of these alone; so does the protocol `paper` (`augmented_once`), while
`sound` augments all alike: otherwise a network could tell them by that.
"""

from typing import final

from nasaudit.attacks.poisoning.base import DataPoisoning, Poison, offsets, poisoning_order
from nasaudit.data.split import Split
from nasaudit.spec.attacks import LabelFlipSpec


@final
class LabelFlip(DataPoisoning):
    """Random wrong labels."""

    spec: LabelFlipSpec

    def poison(self, train: Split, fraction: float) -> Poison:
        """Flip round(fraction * N) labels; the pixels stay."""
        positions = poisoning_order(train, self.spec.seed)[: round(fraction * len(train))]
        change = offsets(len(train), train.classes, "label flip", self.spec.seed)[positions]
        return Poison(train.indices[positions], (train.labels[positions] + change) % train.classes)
