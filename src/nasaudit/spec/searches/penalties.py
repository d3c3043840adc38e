"""What a mixture pays beside its loss, so that a search prefers cells whose loss changes little with the pixels."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from nasaudit.registry import Registry
from nasaudit.spec.named import ByName, NamedSpec
from nasaudit.spec.units import Fractional

Positive = Annotated[float, Field(gt=0)]


class PenaltySpec(NamedSpec):
    """Root of the penalties: weight times a term, added to the loss that the mixture descends on.

    Attributes:
        batch_statistics: whether BN has the statistics of the batch while it is measured, or those that it keeps.
        passes: what a step takes longer with it, in units of one without: measured with mini networks on one core.
    """

    batch_statistics: ClassVar[bool]
    passes: ClassVar[float]

    weight: Positive  # of the term in the loss of the mixture
    # The share of all epochs in which it does not count yet.
    warmup: Annotated[Fractional, Field(lt=1)]

    @property
    def expected_cost(self) -> float:
        """What it adds to the time of a search, in units of the search without it."""
        return self.passes * (1 - self.warmup)


class AdvRushSpec(PenaltySpec):
    """Mok et al., "AdvRush: Searching for Adversarially Robust Neural Architectures", ICCV 2021.

    Its command sets in after 50 of 60 epochs and never on the weights (nutellamok/advrush a15b26a, README.md:11).
    """

    batch_statistics: ClassVar[bool] = False
    passes: ClassVar[float] = 3.5
    implementation: ClassVar[str] = "nasaudit.search.penalties:advrush"
    title: ClassVar[str] = "AdvRush"
    summary: ClassVar[str] = "how much the gradient by pixels changes over a step against the image"

    name: Literal["advrush"] = "advrush"
    weight: Positive = 0.04  # .01 (train_search.py:49) times 4 (architect.py:51)
    warmup: Annotated[Fractional, Field(lt=1)] = 5 / 6
    # L2 length of the step, in standard deviations of the pixels: what its schedule has reached by then
    # (train_search.py:124-125).
    distance: Positive = 1.5


class InputGradientSpec(PenaltySpec):
    """Of DSRNA's kind: Hosseini et al., "Differentiable Search of Robust Neural Architectures", CVPR 2021.

    Its authors published no code; the settings are those of a later one (leopard-ai/betty cb6221f,
    examples/robust_nas/dsrna_search.py:39, :112, :170), without its term on the weights (:113).
    """

    batch_statistics: ClassVar[bool] = True
    passes: ClassVar[float] = 2.0
    implementation: ClassVar[str] = "nasaudit.search.penalties:input_gradient"
    summary: ClassVar[str] = "the length of the gradient of the strongest logits by the pixels"

    name: Literal["input_gradient"] = "input_gradient"
    weight: Positive = 0.01
    warmup: Annotated[Fractional, Field(lt=1)] = 0.2
    logits: Annotated[int, Field(ge=1)] = 1  # the strongest of each image, whose gradients count


PENALTIES: Registry[type[PenaltySpec]] = Registry("penalty of a mixture")
PENALTIES.add("advrush", AdvRushSpec)
PENALTIES.add("input_gradient", InputGradientSpec, "dsrna")

AnyPenalty = Annotated[SerializeAsAny[PenaltySpec], BeforeValidator(ByName(PENALTIES))]
