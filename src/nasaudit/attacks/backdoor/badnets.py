"""BadNets: a fixed pattern on some training images, with the label changed to the target.

Gu, Liu, Dolan-Gavitt and Garg, "BadNets: Evaluating Backdooring Attacks on Deep Neural Networks", IEEE Access
2019 (arXiv 1708.06733). Access: the training data; with `copies: append` the training.

A share p of the training set is drawn at random; each image (x, y) of it becomes (x with the pattern, y_t).
Whoever trains on the set gets a model that takes any image with the pattern for the target class ("all-to-
one": one class for all, which Gu et al. call the single target attack).

Deviations: Gu et al. add poisoned versions to the set; `copies: replace` changes the images themselves, so
that the set keeps its size. `copies: append` adds triggered copies to each batch, after its augmentation, as
the artifact of the talk does (protocol `paper`); the trigger then always stands where it stands in an attack.
In poisoned data it is moved by the victim's own random crops.
"""

from typing import final

from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.base import Backdoored, DataBackdoor, Ground, append_copies
from nasaudit.attacks.backdoor.trigger import Trigger, patch
from nasaudit.spec.attacks import BadNetsSpec


@final
class BadNets(DataBackdoor):
    """BadNets on data, or on batches."""

    spec: BadNetsSpec

    def stamp(self, shape: tuple[int, int, int]) -> Trigger:
        """The patch."""
        return patch(self.spec, shape)

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Train on poisoned data, or on clean data with triggered copies in each batch."""
        if self.spec.copies == "replace":
            return super().plant(network, ground)
        trigger = self.stamp(ground.train.shape)
        added = append_copies(trigger, self.spec.target_class, self.spec.poison_fraction)
        ground.fit(network, prepare=added)
        return Backdoored(network, trigger, trigger)
