"""Methods whose children are trained one by one, each as a task of the study."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Group, Scale
from nasaudit.spec.searches.base import SEARCHES, SearchSpec, Shape
from nasaudit.spec.searches.constraints import Constraints
from nasaudit.spec.searches.objectives import ACCURACY, OBJECTIVES
from nasaudit.spec.searches.one_shot import Count, Positive
from nasaudit.spec.searches.space import SPACES, AnySpace
from nasaudit.spec.units import Fractional

# Where nothing is said of the children's size, they are as large as what is audited.
_AS_AUDITED: dict[str, Any] = {"child_cells": None, "child_channels": None}
PLAIN = (ACCURACY,)
FRONT = 4  # cells of a front that are audited, where nothing is said
MOST_LOST = (
    0.25  # wide, as after so few epochs accuracy tells how fast a child learns more than how far it gets
)


def _canonical(value: Any) -> Any:
    """Names of objectives as they are registered; one text may have several, with commas."""
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, list | tuple):
        return value
    return tuple(OBJECTIVES.canonical(name) if isinstance(name, str) else name for name in value)


class SampledSpec(SearchSpec):
    """Root of the methods that train children briefly and judge them by their accuracy, and by more where asked.

    A child is trained by the study's recipe but for its epochs, with the seed of the search.

    Attributes:
        several: whether it can have several objectives, and keep its children within constraints.
    """

    shape: ClassVar[Shape] = "sampled"
    several: ClassVar[bool] = False

    children: Count  # that are trained in all
    child_epochs: Count  # of each
    # Cells of a child; none: as many as what is audited has. Of no account to NAS-Bench-201.
    child_cells: Annotated[int, Field(ge=1, le=100)] | None = None
    # Channels of its first cell; none: as many as what is audited has. Of no account to NAS-Bench-201.
    child_channels: Annotated[int, Field(ge=1, le=512)] | None = None
    # What children are judged by: accuracy, evasion, poisoning, backdoor, extraction, membership, flops, parameters.
    # Of several the search finds a front: the children that no other one beats.
    objectives: Annotated[tuple[str, ...], BeforeValidator(_canonical)] = Field(
        default=PLAIN, exclude_if=lambda value: value == PLAIN
    )
    # Cells that are audited in full: the most accurate, or of several objectives those that stand for the front.
    # None: 1, or of several objectives 4.
    front: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )
    # Of several objectives: how much less accurate than the best child others may be. Those below lose every
    # tournament and are on no front, as a network that has learned little is safe from most attacks.
    accuracy_drop: Fractional = Field(default=MOST_LOST, exclude_if=lambda value: value == MOST_LOST)
    # Bounds of the cells' shape: min_depth, max_depth, min_width, max_width, min_skip_share, max_skip_share.
    constraints: Constraints = Field(default=Constraints(), exclude_if=lambda value: value == Constraints())

    @property
    def secure(self) -> bool:
        """Whether it has several objectives."""
        return len(self.objectives) > 1

    @property
    def audited(self) -> int:
        """How many of its cells are audited, at most."""
        return self.front or (FRONT if self.secure else 1)

    @model_validator(mode="after")
    def _objectives_fit(self) -> "SampledSpec":
        if ACCURACY not in self.objectives or len(set(self.objectives)) != len(self.objectives):
            raise SpecError(
                "objectives",
                f"each once, and {ACCURACY} among them (what has learned nothing is safe from most attacks)",
                list(self.objectives),
            )
        if not self.several and self.secure:
            raise SpecError(
                "objectives",
                f"{ACCURACY} alone, as {self.title} is rewarded by a single figure (amoebanet, random: a front)",
                list(self.objectives),
            )
        if not self.several and self.constraints.bounds:
            raise SpecError(
                "constraints",
                f"nothing of {self.title}, whose controller learns from all that it draws (amoebanet and random have "
                "them)",
                self.constraints.bounds,
            )
        try:
            self.constraints.check(self.space)
        except SpecError as error:
            field = ".".join(filter(None, ("constraints", error.field)))
            raise SpecError(field, error.expected, error.got) from error
        return self


class NasNetSpec(SampledSpec):
    """A controller that learns by PPO from trained children. All figures are the paper's, from memory."""

    summary: ClassVar[str] = "an LSTM learns by PPO from children that are trained one by one"
    source: ClassVar[str] = (
        "Zoph et al., Learning Transferable Architectures for Scalable Image Recognition, CVPR 2018"
    )
    implementation: ClassVar[str] = "nasaudit.search.methods.nasnet:NasNet"
    title: ClassVar[str] = "NASNet"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        # A hundredth of the published updates: each moves ten times as far.
        "mini": {
            **_AS_AUDITED,
            "children": 30,
            "child_epochs": 4,
            "batch": 6,
            "controller_learning_rate": 0.0035,
        },
        "small": {**_AS_AUDITED, "children": 200, "child_epochs": 10, "controller_learning_rate": 0.0035},
    }

    name: Literal["nasnet"] = "nasnet"
    space: AnySpace = SPACES["nasnet"]
    children: Count = 20_000
    child_epochs: Count = 20
    child_cells: Annotated[int, Field(ge=1, le=100)] | None = 8
    child_channels: Annotated[int, Field(ge=1, le=512)] | None = 32
    batch: Count = 20  # children for each update
    controller_size: Count = 100  # numbers in the state of the LSTM
    controller_learning_rate: Positive = 0.00035  # of Adam
    entropy_weight: Annotated[float, Field(ge=0)] = 1e-5  # of the entropy in what is maximised
    # Of the mean of rewards that is taken off.
    baseline_decay: Annotated[float, Field(ge=0, lt=1)] = 0.95
    # Of PPO: how far an update moves a probability. It is not published; from Schulman et al. 2017.
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    passes: Count = 3  # over the children of an update; not published either


class AmoebaNetSpec(SampledSpec):
    """Regularised evolution (google-research 67e6932, regularized_evolution.ipynb); figures from memory."""

    summary: ClassVar[str] = "evolution in which the oldest dies, not the worst"
    source: ClassVar[str] = (
        "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019"
    )
    implementation: ClassVar[str] = "nasaudit.search.methods.amoebanet:AmoebaNet"
    several: ClassVar[bool] = True
    title: ClassVar[str] = "AmoebaNet"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {
            **_AS_AUDITED,
            "children": 30,
            "child_epochs": 4,
            "population": 10,
            "tournament": 3,
            "in_flight": 4,
        },
        "small": {
            **_AS_AUDITED,
            "children": 200,
            "child_epochs": 10,
            "population": 40,
            "tournament": 10,
            "in_flight": 8,
        },
    }

    name: Literal["amoebanet"] = "amoebanet"
    space: AnySpace = SPACES["nasnet"]
    children: Count = 20_000
    child_epochs: Count = 25
    child_cells: Annotated[int, Field(ge=1, le=100)] | None = 11
    child_channels: Annotated[int, Field(ge=1, le=512)] | None = 24
    # The youngest children, of which parents are drawn; the first of them are random. As many as `children` at most.
    population: Count = 100
    tournament: Count = 25  # children that are drawn with replacement; the best of them is the parent
    identity: Annotated[float, Field(ge=0, lt=1)] = 0.05  # probability that a child is as its parent
    # Children that are under way at once: each is decided when all but the youngest of these have ended. 1: one after
    # the other, as the notebook does; the published search had 450 workers.
    in_flight: Count = 450


class RandomSearchSpec(SampledSpec):
    """Children drawn at random, of which the best is taken: 24 of 100 epochs (Liu et al. 2019, from memory)."""

    summary: ClassVar[str] = "the best of some random cells; of one, the baseline of every search"
    source: ClassVar[str] = (
        "Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019"
    )
    implementation: ClassVar[str] = "nasaudit.search.methods.random:RandomSearch"
    several: ClassVar[bool] = True
    title: ClassVar[str] = "Random search"
    group: ClassVar[Group] = "random"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {"children": 24, "child_epochs": 4},
        "small": {"child_epochs": 20},
    }

    name: Literal["random"] = "random"
    children: Count = 24
    child_epochs: Count = 100

    @property
    def is_a_draw(self) -> bool:
        """Of one child."""
        return self.children == 1


SEARCHES.add("nasnet", NasNetSpec)
SEARCHES.add("amoebanet", AmoebaNetSpec)
SEARCHES.add("random", RandomSearchSpec)
