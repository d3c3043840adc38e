"""Membership inference: how many members and non-members are told apart, and at what cost in shadow models."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.attacks.evasion_base import Norm
from nasaudit.spec.units import Fractional

SpecFpr = Annotated[float, Field(gt=0, lt=1)]
# The false positive rates that the field quotes. Those that the non-members cannot resolve are left out.
USUAL_FPRS: tuple[float, ...] = (0.001, 0.01)
ROUNDING = 1e-9  # 0.001 * 1000 is one false positive, whatever binary fractions make of it


class MembershipSpec(AttackSpec):
    """What every membership attack shares: as many members as non-members, the same transform (none) for both."""

    family: ClassVar[Family] = "membership"
    most_examples: ClassVar[int] = 1000  # when `examples` is None
    graded: ClassVar[bool] = True  # False: a score has two values only, so its ROC is one corner

    # Members, and as many non-members (test images); None: as many as there are, up to `most_examples`.
    examples: Annotated[int, Field(ge=2)] | None = None
    # At which the TPR is measured; None: those of `USUAL_FPRS` that so many non-members can resolve.
    fprs: Annotated[tuple[SpecFpr, ...], Field(min_length=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0  # decides which members, and the subsets of the shadow models

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.fprs is not None and list(self.fprs) != sorted(set(self.fprs)):
            raise SpecError("fprs", "ascending values, each once", self.fprs)
        return self

    @property
    def needs_recipe(self) -> bool:
        """Of the shadow models."""
        return self.shadow_models > 0

    @property
    def shadow_models(self) -> int:
        """How many shadow models the attacker trains."""
        return 0

    def count(self, train: int, test: int) -> int:
        """How many members, and as many non-members, are examined.

        Args:
            train: how many training images there are.
            test: how many test images.
        """
        return self.examples or min(self.most_examples, train, test)

    def resolved_fprs(self, others: int) -> tuple[float, ...]:
        """The false positive rates at which the TPR is measured with so many non-members."""
        return tuple(fpr for fpr in self.fprs or USUAL_FPRS if resolves(others, fpr))

    def check(self, facts: DataFacts) -> None:
        """There must be enough of both, and enough non-members to see the smallest false positive rate."""
        most = min(facts.sizes["train"], facts.sizes["test"])
        if self.examples is not None and self.examples > most:
            raise SpecError(
                "examples",
                f"at most {most}, the smaller of the training (members) and the test set (non-members)",
                self.examples,
            )
        n = self.count(facts.sizes["train"], facts.sizes["test"])
        if n < 2:
            raise SpecError("examples", "data with at least 2 test images: raise data.test_fraction", n)
        if self.fprs is not None and not resolves(n, self.fprs[0]):
            raise SpecError(
                "fprs", f"at least 1/{n}, which is one false positive among the {n} non-members", self.fprs[0]
            )


def resolves(others: int, fpr: float) -> bool:
    """Whether a false positive rate is at least one of so many non-members."""
    return others * fpr >= 1 - ROUNDING


class GapSpec(MembershipSpec):
    """Yeom et al., "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", CSF 2018."""

    threat_model: ClassVar[ThreatModel] = "label_based"
    implementation: ClassVar[str] = "nasaudit.attacks.membership.gap:Gap"
    title: ClassVar[str] = "gap baseline"
    graded: ClassVar[bool] = False
    summary: ClassVar[str] = (
        "members are classified correctly (the baseline: it finds the generalisation gap)"
    )
    expected_epochs: ClassVar[float] = 0.3

    name: Literal["gap"] = "gap"


class LossThresholdSpec(MembershipSpec):
    """Yeom et al., "Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting", CSF 2018."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.membership.loss_threshold:LossThreshold"
    summary: ClassVar[str] = "members have a smaller loss"
    expected_epochs: ClassVar[float] = 0.3

    name: Literal["loss_threshold"] = "loss_threshold"


class ShadowSpec(MembershipSpec):
    """What attacks with shadow models share. Equal `models` and `seed` mean the same models, trained once."""

    models: Annotated[int, Field(ge=4)] = 8  # trained by the attacker, each on a random part of the images
    # online: compares models that were trained on the image with models that were not; offline: the latter only.
    mode: Literal["online", "offline"] = "online"

    @property
    def shadow_models(self) -> int:
        """How many shadow models the attacker trains."""
        return self.models

    def label(self) -> str:
        """E.g. `lira (online, 8 shadow models)`."""
        return f"{self.name} ({self.mode}, {self.models} shadow models)"


class LiraSpec(ShadowSpec):
    """Carlini et al., "Membership Inference Attacks From First Principles", IEEE S&P 2022."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.membership.lira:Lira"
    title: ClassVar[str] = "LiRA"
    summary: ClassVar[str] = (
        "likelihood ratio of the confidence under shadow models with and without the image"
    )
    expected_epochs: ClassVar[float] = 1.7

    name: Literal["lira"] = "lira"
    # Of the Gaussians: each image's own, or one for all images. auto: one for all below 64 shadow models.
    variance: Literal["auto", "example", "global"] = "auto"
    centre: Literal["mean", "median"] = "mean"  # of the Gaussians; the authors' code takes the median
    augmentations: Annotated[int, Field(ge=1)] = 1  # queries an image; 1: the image as it is


class RmiaSpec(ShadowSpec):
    """Zarifzadeh et al., "Low-Cost High-Power Membership Inference Attacks", ICML 2024."""

    threat_model: ClassVar[ThreatModel] = "score_based"
    implementation: ClassVar[str] = "nasaudit.attacks.membership.rmia:Rmia"
    title: ClassVar[str] = "RMIA"
    summary: ClassVar[str] = "pairwise likelihood ratios against images of the population, few shadow models"
    expected_epochs: ClassVar[float] = 2.4

    name: Literal["rmia"] = "rmia"
    mode: Literal["online", "offline"] = "offline"
    gamma: Annotated[float, Field(gt=0)] = (
        1.0  # how much more likely than an image z, to count as dominating it
    )
    a: Fractional = 0.3  # offline: Pr(x) = ((1 + a) Pr(x)_OUT + 1 - a) / 2
    population: Annotated[int, Field(ge=1)] | None = None  # images z, of the attacker's pool; None: all of it

    def check(self, facts: DataFacts) -> None:
        """There must be a population: images that are known not to be members."""
        super().check(facts)
        available = facts.sizes["pool"]
        if available == 0:
            raise SpecError(
                "population",
                "a pool to draw from: set data.pool_fraction above 0, or leave this attack out",
                self.population,
            )
        if self.population is not None and self.population > available:
            raise SpecError("population", f"at most {available}, the images of the pool", self.population)


class BoundaryDistanceSpec(MembershipSpec):
    """Choquette-Choo et al., "Label-Only Membership Inference Attacks", ICML 2021."""

    threat_model: ClassVar[ThreatModel] = "label_based"
    implementation: ClassVar[str] = "nasaudit.attacks.membership.boundary_distance:BoundaryDistance"
    summary: ClassVar[str] = "members are farther from the decision boundary (HopSkipJump, labels only)"
    expected_epochs: ClassVar[float] = 20.0
    most_examples: ClassVar[int] = 500

    name: Literal["boundary_distance"] = "boundary_distance"
    norm: Norm = "l2"  # in which the distance to the boundary is measured
    # Of HopSkipJump; see its spec.
    iterations: Annotated[int, Field(ge=0)] = 10
    evaluations: Annotated[int, Field(ge=1)] = 100  # queries of the first estimate of a direction
    max_evaluations: Annotated[int, Field(ge=1)] = 10_000  # queries of an estimate at most
    query_budget: Annotated[int, Field(ge=1)] | None = None  # for each image; None: as many as it takes
    # What the boundary is that of: the true label's, as in the paper (a misclassified image is at distance 0), or the
    # victim's own prediction's (every image has a distance).
    leave: Literal["label", "prediction"] = "label"
    score_norm: Norm | None = None  # of the distance that is the score; None: `norm`


ATTACKS.add("gap", GapSpec)
ATTACKS.add("loss_threshold", LossThresholdSpec)
ATTACKS.add("lira", LiraSpec)
ATTACKS.add("rmia", RmiaSpec)
ATTACKS.add("boundary_distance", BoundaryDistanceSpec, "boundary", "label_only")

# Shadow models of each architecture: at `paper` scale as many as LiRA's authors need for one variance an image.
FEW_SHADOWS: int = LiraSpec.model_fields["models"].default
SHADOW_MODELS: dict[Scale, int] = {"mini": FEW_SHADOWS, "small": FEW_SHADOWS, "paper": 64}


def defaults(protocol: Protocol, scale: Scale) -> tuple[MembershipSpec, ...]:
    """The membership attacks of a protocol, those without shadow models first."""
    if protocol == "paper":
        return (paper_boundary_distance(),)
    models = SHADOW_MODELS[scale]
    return (
        LossThresholdSpec(),
        GapSpec(),
        small_boundary_distance() if scale == "mini" else BoundaryDistanceSpec(),
        RmiaSpec(models=models),
        LiraSpec(models=models, mode="offline"),
        LiraSpec(models=models),
    )


def paper_boundary_distance() -> BoundaryDistanceSpec:
    """The label-only attack as in the talk's artifact (ain-soph/autovul, projects/membership.py:37-71)."""
    return BoundaryDistanceSpec(
        examples=50, iterations=10, evaluations=25, max_evaluations=100, leave="prediction", score_norm="linf"
    )


def small_boundary_distance() -> BoundaryDistanceSpec:
    """The label-only attack with so few queries that a CPU answers them in a minute or two: by trial at `mini`."""
    return BoundaryDistanceSpec(iterations=3, evaluations=30, query_budget=250)
