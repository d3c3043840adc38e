"""Evasion by queries alone: attacks that see a victim's scores, or nothing but the class that it names."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, ThreatModel
from nasaudit.spec.attacks.evasion_base import EvasionSpec, Norm
from nasaudit.spec.units import Epsilon, Fractional, PixelSize


class NesSpec(EvasionSpec):
    """Ilyas et al., "Black-box Adversarial Attacks with Limited Queries and Information", ICML 2018."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.black_box.nes:Nes"
    title: ClassVar[str] = "NES"
    summary: ClassVar[str] = "PGD on a gradient estimated from the answers to pairs of noisy images"
    expected_epochs: ClassVar[float] = 3.4

    name: Literal["nes"] = "nes"
    steps: Annotated[int, Field(ge=1)] = 40  # 2,041 queries in all: a fifth of the authors' budget
    samples: Annotated[int, Field(ge=2)] = 50  # queries of one gradient estimate: pairs, so an even number
    sigma: Annotated[PixelSize, Field(gt=0)] = 1e-3  # standard deviation of the noise
    step_size: Epsilon | None = (
        None  # the first; None: epsilon / 5, as the authors', but 2.5 * epsilon / steps or more
    )
    # The step is divided by `plateau_drop` when F has fallen over so many estimates; None: it never is.
    plateau_length: Annotated[int, Field(ge=2)] | None = 5
    # By which the step size is divided on a plateau of the loss.
    plateau_drop: Annotated[float, Field(gt=1)] = 2.0
    least_step: Annotated[Fractional, Field(gt=0)] = 1 / 200  # of the first one
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # share of the former estimates in a step; 0: none

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if self.samples % 2:
            raise SpecError("samples", "an even number: the samples are antithetic pairs", self.samples)
        return self

    @property
    def most_steps(self) -> int:
        """As many as the spec says."""
        return self.steps

    @property
    def most_queries(self) -> int:
        """An estimate for every step, and one question before each of them and after the last: is it broken?"""
        return self.steps * (self.samples + 1) + 1


class SquareSpec(EvasionSpec):
    """Andriushchenko et al., "Square Attack: A Query-Efficient Black-Box Adversarial Attack via Random
    Search", ECCV 2020.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.black_box.square:Square"
    summary: ClassVar[str] = "random search over squares of the image, which needs no gradient"
    expected_epochs: ClassVar[float] = 7.0

    name: Literal["square"] = "square"
    queries: Annotated[int, Field(ge=1)] = 1000  # for each image, its start included; 10,000 in the paper
    # Share of the pixels in the first squares; None: the paper's, .05 in linf and .1 in l2.
    p_init: Annotated[Fractional, Field(gt=0)] | None = None
    # The budget that the published schedule of the share is stretched to; None: `queries`.
    schedule_queries: Annotated[int, Field(ge=1)] | None = None

    @property
    def first_share(self) -> float:
        """That of the spec, or the paper's (section 5.1 and the help of the authors' `attack.py`)."""
        if self.p_init is not None:
            return self.p_init
        return 0.05 if self.norm == "linf" else 0.1

    @property
    def most_queries(self) -> int:
        """As many as the spec says."""
        return self.queries


class HopSkipJumpSpec(EvasionSpec):
    """Chen, Jordan and Wainwright, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", IEEE
    Symposium on Security and Privacy 2020.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "label_based"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.black_box.hop_skip_jump:HopSkipJump"
    summary: ClassVar[str] = "a walk along the decision boundary to the nearest adversarial example"
    expected_epochs: ClassVar[float] = 5.5
    minimal: ClassVar[bool] = True

    name: Literal["hop_skip_jump"] = "hop_skip_jump"
    norm: Norm = "l2"  # by which the size of a change is measured
    iterations: Annotated[int, Field(ge=0)] = 10  # 0: a search along one line only
    evaluations: Annotated[int, Field(ge=1)] = 100  # queries of the first gradient estimate (B_0)
    max_evaluations: Annotated[int, Field(ge=1)] = 10_000  # of any estimate; they grow as B_0 sqrt(t)
    initial_tries: Annotated[int, Field(ge=1)] = (
        100  # random images to start from, until one is misclassified
    )
    query_budget: Annotated[int, Field(ge=1)] | None = None  # for each image; None: as many as it takes

    @model_validator(mode="after")
    def _can_start(self) -> Self:
        if self.goal != "untargeted":
            raise SpecError(
                "goal", "`untargeted`: a targeted walk would need an image of the target class", self.goal
            )
        return self

    @property
    def most_queries(self) -> int | None:
        """The budget of each image."""
        return self.query_budget


ATTACKS.add("nes", NesSpec)
ATTACKS.add("square", SquareSpec)
ATTACKS.add("hop_skip_jump", HopSkipJumpSpec, "hsja")
