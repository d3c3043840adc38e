"""TrojanNN: a patch that excites chosen neurons, and a retraining that ties them to the target class.

Liu, Ma, Aafer, Lee, Zhai, Wang and Zhang, "Trojaning Attack on Neural Networks", NDSS 2018. Access: the
weights of a trained model.

1. Neurons. Of the layer, those that are connected most strongly: argmax_t sum_j |W(j, t)|.
2. Trigger (their Algorithm 1). From a random pattern in the mask on an otherwise empty image x, descend
       cost = (tv_1 - f_n1(x))^2 + (tv_2 - f_n2(x))^2 + ...
   by x <- x - lr (d cost / d x) o mask, until the cost is at the threshold t or the epochs e are used up.
3. Retraining with triggered images labelled as the target, among clean ones.

Deviations:
- The layer is the penultimate one, which all families have; W is the final classifier's, the weights that
  lead out of it (the paper sums those that lead in, which in a cell network are many layers' at once). So does
  the artifact.
- Steps follow the gradient's sign, as in the artifact: see `optimise.py`. The best pattern on the way is
  kept.
- Retraining uses the training images, where the paper inverts the model to get some, and changes all weights.
- In the artifact a unit slip (a radius of 1.0 is read as 1/255) keeps the trigger nearly as it was drawn. Not
  here.
"""

from typing import final

import torch
from torch import Tensor

from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, Ground, append_copies
from nasaudit.attacks.backdoor.features import FeatureTap, head_weight
from nasaudit.attacks.backdoor.optimise import minimise
from nasaudit.attacks.backdoor.trigger import Trigger, first_patch
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import TrojanNNSpec


@final
class TrojanNN(BackdoorAttack):
    """TrojanNN on the penultimate layer."""

    spec: TrojanNNSpec

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Optimise the patch, then retrain."""
        network = network.to(ground.device).eval()
        trigger = self.trigger(network, ground.train.shape, ground.device)
        added = append_copies(trigger, self.spec.target_class, self.spec.poison_fraction)
        ground.fit(network, prepare=added)
        return Backdoored(network, trigger, trigger)

    def trigger(self, network: Network, shape: tuple[int, int, int], device: str = "cpu") -> Trigger:
        """The patch that brings the chosen neurons nearest to the target value.

        Raises:
            SpecError: more neurons are asked for than the layer has.
        """
        chosen = strongest(head_weight(network), self.spec.neurons)
        empty = torch.zeros(1, *shape, device=device)
        start = first_patch(self.spec, shape)

        with FeatureTap(network) as tap:

            def cost(trigger: Trigger) -> Tensor:
                network(trigger(empty))
                return (self.spec.target_value - tap.take()[:, chosen]).square().sum()

            return minimise(start, cost, self.spec.steps, self.spec.step_size, self.spec.threshold)


def strongest(weight: Tensor, count: int) -> Tensor:
    """Indices int64 [count] of the neurons whose weights [classes, neurons] have the largest sum of sizes."""
    if count > weight.shape[1]:
        raise SpecError("neurons", f"at most {weight.shape[1]}, the width of the penultimate layer", count)
    return weight.abs().sum(0).argsort(descending=True, stable=True)[:count]
