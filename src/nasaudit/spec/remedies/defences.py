"""What a training does against attacks: adversarial examples as training images, and clipped gradients with noise.

They are the ordinary remedies, which a remedy in the architecture is measured against. A `TrainingSpec` lists them.
What each does at its seam of the training is its implementation's matter, which is imported when a network is
trained.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nasaudit.spec.base import Spec
from nasaudit.spec.units import PixelSize

# Where a training can be changed: the batch that is learned from, with the loss over it; or how a step's gradient is
# made. One defence at most stands at each.
Seam = Literal["batch", "gradient"]

# What defences add, in units of the undefended training's time: measured with mini networks on one core.
INNER_STEP = 0.65  # a step of the inner maximisation, which needs no gradient of the weights
CLEAN_VIEW = 1.0  # TRADES learns from twice as many images
MICROBATCHES = 2.0  # of 8 images; measured: 3 for images of 8x8, where overhead counts most, 1 for 28x28


class DefenceSpec(Spec):
    """Root of the defences' specs. Those at the seam `gradient` take the place of the recipe's `gradient_clip`."""

    seam: ClassVar[Seam]
    implementation: ClassVar[str]  # "module:Class", a `training.seams.Defence`

    name: str

    @property
    def expected_cost(self) -> float:
        """What it adds to the time of a training, in units of the undefended one's."""
        return 0.0


class AdversarialSpec(DefenceSpec):
    """What adversarial trainings share: the linf ball, and the inner maximisation."""

    seam: ClassVar[Seam] = "batch"

    epsilon: Annotated[PixelSize, Field(gt=0)] = 8 / 255  # radius of the linf ball, in pixel units
    steps: Annotated[int, Field(ge=1)] = 5  # of the inner maximisation
    step_size: Annotated[PixelSize, Field(gt=0)] | None = None  # in pixel units; None: 2.5 epsilon / steps

    @property
    def step(self) -> float:
        """The step size, in pixel units; Madry et al. (section 5) let the steps reach 2.5 times the radius."""
        return 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size

    @property
    def expected_cost(self) -> float:
        """Of the inner steps."""
        return INNER_STEP * self.steps


class PgdTrainingSpec(AdversarialSpec):
    """Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018."""

    implementation: ClassVar[str] = "nasaudit.training.adversarial:PgdTraining"

    name: Literal["adversarial_training"] = "adversarial_training"


class TradesSpec(AdversarialSpec):
    """Zhang et al., "Theoretically Principled Trade-off between Robustness and Accuracy", ICML 2019."""

    implementation: ClassVar[str] = "nasaudit.training.adversarial:Trades"

    name: Literal["trades"] = "trades"
    beta: Annotated[float, Field(ge=0)] = 6.0  # weight of the divergence

    @property
    def expected_cost(self) -> float:
        """Of the inner steps and of the second view."""
        return super().expected_cost + CLEAN_VIEW


class PrivateSpec(DefenceSpec):
    """Clipped gradients with noise, as in DP-SGD; no privacy guarantee comes with it (see `training.private`).

    Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, with the microbatches of McMahan et al., "A
    General Approach to Adding Differential Privacy to Iterative Training Procedures", 2018.
    """

    seam: ClassVar[Seam] = "gradient"
    implementation: ClassVar[str] = "nasaudit.training.private:PrivateTraining"

    name: Literal["dp_sgd"] = "dp_sgd"
    clip: Annotated[float, Field(gt=0)] = (
        1.0  # largest L2 norm of a microbatch's gradient, over all parameters
    )
    noise_multiplier: Annotated[float, Field(ge=0)] = (
        0.01  # standard deviation of the noise, in units of `clip`
    )
    microbatch: Annotated[int, Field(ge=1)] = 8  # images; 1 for networks without batch normalisation alone

    @property
    def expected_cost(self) -> float:
        """Of the microbatches."""
        return MICROBATCHES
