"""What can be analysed of a victim, and with which settings: the only home of these defaults."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from nasaudit.errors import UnknownNameError
from nasaudit.registry import Registry
from nasaudit.spec.named import NamedSpec, by_name

Landscape = Literal["first_layer", "input", "filters", "slice"]


class AnalysisSpec(NamedSpec):
    """Root of all analyses."""


class TopologySpec(AnalysisSpec):
    """The shape of the cells and the size of the network, from the genotype and untrained weights."""

    summary: ClassVar[str] = "depth, width, skips, ops, parameters and FLOPs by op, effective receptive field"

    name: Literal["topology"] = "topology"
    images: Annotated[int, Field(ge=1)] = 32  # of noise, through which the receptive field is seen
    seed: Annotated[int, Field(ge=0)] = 0


class ConvergenceSpec(AnalysisSpec):
    """How fast a victim learned, from the history of its training."""

    summary: ClassVar[str] = (
        "steps to fixed accuracies, area under the loss curve, accuracy early in training"
    )

    name: Literal["convergence"] = "convergence"


class GradientsSpec(AnalysisSpec):
    """How much the loss gradient varies over images and over batches, at three moments of training."""

    summary: ClassVar[str] = "gradient variance at initialisation, after one epoch and at the end; per layer"

    name: Literal["gradients"] = "gradients"
    images: Annotated[int, Field(ge=2)] = 512  # one by one: gradient_std_sum (validation images; or test)
    batches: Annotated[int, Field(ge=3)] = 16  # of training images, whose gradients are compared
    batch_size: Annotated[int, Field(ge=2)] = 64
    seed: Annotated[int, Field(ge=0)] = 0


class SmoothnessSpec(AnalysisSpec):
    """How fast the loss gradient changes, in the space of parameters and in that of images."""

    summary: ClassVar[str] = (
        "top Hessian eigenvalue, trace and Lipschitz constants, for parameters and pixels"
    )

    name: Literal["smoothness"] = "smoothness"
    images: Annotated[int, Field(ge=2)] = 128  # training images: curvature of the loss by the parameters
    probes: Annotated[int, Field(ge=1)] = 2  # of Hutchinson's trace: of each block of images, of each image
    iterations: Annotated[int, Field(ge=2)] = 12  # of Lanczos, at most: one Hessian-vector product each
    input_images: Annotated[int, Field(ge=2)] = 64  # test images, each with curvature of its own
    input_iterations: Annotated[int, Field(ge=2)] = 10  # of Lanczos in the space of pixels
    directions: Annotated[int, Field(ge=1)] = 4  # tried for each finite difference
    radius: Annotated[float, Field(gt=0)] = 0.01  # length of the step, relative to the norm of the parameters
    input_radius: Annotated[float, Field(gt=0)] = 0.1  # length of the step in pixels (l2, pixels in [0,1])
    seed: Annotated[int, Field(ge=0)] = 0


class LandscapeSpec(AnalysisSpec):
    """The loss on planes and lines through a victim, to look at."""

    summary: ClassVar[str] = (
        "contours of the loss: first convolution, input, all filters; slice between seeds"
    )

    name: Literal["landscape"] = "landscape"
    kinds: tuple[Landscape, ...] = ("first_layer", "input", "filters", "slice")
    images: Annotated[int, Field(ge=1)] = 100  # test images, over which the loss is averaged
    points: Annotated[int, Field(ge=3)] = 11  # of the grid along each axis
    slice_points: Annotated[int, Field(ge=3)] = 21
    norm_images: Annotated[int, Field(ge=2)] = 256  # training images: statistics of BN along the slice
    seed: Annotated[int, Field(ge=0)] = 0


ANALYSES: Registry[type[AnalysisSpec]] = Registry("analysis")
for _spec in (TopologySpec, ConvergenceSpec, GradientsSpec, SmoothnessSpec, LandscapeSpec):
    ANALYSES.add(_spec.model_fields["name"].default, _spec)


AnyAnalysis = Annotated[SerializeAsAny[AnalysisSpec], BeforeValidator(by_name(ANALYSES))]


def default_analyses() -> tuple[AnalysisSpec, ...]:
    """Every analysis of this version with its defaults."""
    return tuple(ANALYSES[name](name=name) for name in ANALYSES)


def analyses_for(names: Iterable[str]) -> tuple[AnalysisSpec, ...]:
    """The analyses that a command line asks for: names, or `all`.

    Raises:
        UnknownNameError: no such analysis; the nearest names are shown.
    """
    chosen: dict[str, AnalysisSpec] = {}
    for name in names:
        if name != "all" and name not in ANALYSES:
            raise UnknownNameError("analysis", name, ["all", *ANALYSES])
        for spec in default_analyses() if name == "all" else (ANALYSES[name](name=ANALYSES.canonical(name)),):
            chosen.setdefault(spec.name, spec)
    return tuple(chosen.values())
