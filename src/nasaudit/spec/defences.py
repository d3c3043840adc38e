"""What a training does against attacks: adversarial examples as training images, and clipped gradients with noise.

They are the ordinary remedies, which a remedy in the architecture is measured against. Both are parts of a
`TrainingSpec`; where they stand in the training is in `nasaudit.training.adversarial` and `.private`.
"""

from typing import Annotated, Literal

from pydantic import Field

from nasaudit.spec.base import Spec
from nasaudit.spec.units import PixelSize


class AdversarialSpec(Spec):
    """Adversarial training, linf.

    `pgd`: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018.
    `trades`: Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy", ICML 2019.
    """

    method: Literal["pgd", "trades"] = "pgd"
    epsilon: Annotated[PixelSize, Field(gt=0)] = 8 / 255
    steps: Annotated[int, Field(ge=1)] = 5  # of the inner maximisation
    step_size: Annotated[PixelSize, Field(gt=0)] | None = None  # None: 2.5 epsilon / steps
    beta: Annotated[float, Field(ge=0)] = 6.0  # of trades: weight of the divergence; pgd has none

    @property
    def step(self) -> float:
        """The step size, in pixel units; Madry et al. (section 5) let the steps reach 2.5 times the radius."""
        return 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size


class PrivateSpec(Spec):
    """Clipped gradients with noise, as in DP-SGD; no privacy guarantee comes with it (see `training.private`).

    Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, with the microbatches of McMahan et al., "A
    General Approach to Adding Differential Privacy to Iterative Training Procedures", 2018.
    """

    clip: Annotated[float, Field(gt=0)] = (
        1.0  # largest L2 norm of a microbatch's gradient, over all parameters
    )
    noise_multiplier: Annotated[float, Field(ge=0)] = (
        0.01  # standard deviation of the noise, in units of `clip`
    )
    microbatch: Annotated[int, Field(ge=1)] = 8  # images; 1 for networks without batch normalisation alone
