"""What can be analysed of a victim, and with which settings: the only home of these defaults."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from nasaudit.errors import UnknownNameError
from nasaudit.registry import Registry
from nasaudit.spec.base import Spec
from nasaudit.spec.named import ByName, NamedSpec
from nasaudit.spec.units import Fractional

Landscape = Literal["first_layer", "input", "filters", "slice"]


# What is analysed. An architecture, which no training changes; each victim; or the first victim of an architecture,
# with the next one beside it where there is one.
Analysed = Literal["architecture", "victim", "pair"]


class AnalysisSpec(NamedSpec):
    """Root of all analyses; `implementation` is a function of a task and a workspace to measurements."""

    of: ClassVar[Analysed] = "victim"
    needs_history: ClassVar[bool] = False  # of a training: weights that were trained elsewhere have none
    needs_fresh: ClassVar[bool] = (
        False  # a network before it was trained, which the file of a trained one is not
    )
    by: ClassVar[Literal["pixels", "weights"]] = "weights"  # what it takes gradients by


class TopologySpec(AnalysisSpec):
    """The shape of the cells and the size of the network, from the genotype and untrained weights."""

    summary: ClassVar[str] = "depth, width, skips, ops, parameters and FLOPs by op, effective receptive field"
    implementation: ClassVar[str] = "nasaudit.analysis.topology.work:measure_topology"
    of: ClassVar[Analysed] = "architecture"
    by: ClassVar[Literal["pixels", "weights"]] = "pixels"
    expected_epochs: ClassVar[float] = 0.3

    name: Literal["topology"] = "topology"
    images: Annotated[int, Field(ge=1)] = 32  # of noise, through which the receptive field is seen
    seed: Annotated[int, Field(ge=0)] = 0  # of the weights and the noise


class ConvergenceSpec(AnalysisSpec):
    """How fast a victim learned, from the history of its training."""

    summary: ClassVar[str] = (
        "steps to fixed accuracies, area under the loss curve, accuracy early in training"
    )
    implementation: ClassVar[str] = "nasaudit.analysis.convergence.work:measure_convergence"
    needs_history: ClassVar[bool] = True

    name: Literal["convergence"] = "convergence"
    accuracies: tuple[Fractional, ...] = (
        0.5,
        0.8,
        0.9,
        0.95,
    )  # of training batches, to which steps are counted
    # Batch accuracies are averaged over this many images before they are compared with an accuracy.
    window_images: Annotated[int, Field(ge=1)] = 1280
    # Shares of the training after which its accuracy is read: does the early order of architectures foretell the
    # last one?
    early: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.1, 0.25, 0.5)


class GradientsSpec(AnalysisSpec):
    """How much the loss gradient varies over images and over batches, at three moments of training."""

    summary: ClassVar[str] = "gradient variance at initialisation, after one epoch and at the end; per layer"
    implementation: ClassVar[str] = "nasaudit.analysis.gradients.work:measure_gradients"
    expected_epochs: ClassVar[float] = 3.5
    needs_fresh: ClassVar[bool] = True

    name: Literal["gradients"] = "gradients"
    images: Annotated[int, Field(ge=2)] = 512  # one by one: gradient_std_sum (validation images; or test)
    batches: Annotated[int, Field(ge=3)] = 16  # of training images, whose gradients are compared
    batch_size: Annotated[int, Field(ge=2)] = 64  # images of each of these batches
    seed: Annotated[int, Field(ge=0)] = 0  # decides the images and batches


class SmoothnessSpec(AnalysisSpec):
    """How fast the loss gradient changes, in the space of parameters and in that of images."""

    summary: ClassVar[str] = (
        "top Hessian eigenvalue, trace and Lipschitz constants, for parameters and pixels"
    )
    implementation: ClassVar[str] = "nasaudit.analysis.smoothness.work:measure_smoothness"
    expected_epochs: ClassVar[float] = 4.5

    name: Literal["smoothness"] = "smoothness"
    images: Annotated[int, Field(ge=2)] = 128  # training images: curvature of the loss by the parameters
    probes: Annotated[int, Field(ge=1)] = 2  # of Hutchinson's trace: of each block of images, of each image
    iterations: Annotated[int, Field(ge=2)] = 12  # of Lanczos, at most: one Hessian-vector product each
    input_images: Annotated[int, Field(ge=2)] = 64  # test images, each with curvature of its own
    input_iterations: Annotated[int, Field(ge=2)] = 10  # of Lanczos in the space of pixels
    directions: Annotated[int, Field(ge=1)] = 4  # tried for each finite difference
    radius: Annotated[float, Field(gt=0)] = 0.01  # length of the step, relative to the norm of the parameters
    input_radius: Annotated[float, Field(gt=0)] = 0.1  # length of the step in pixels (l2, pixels in [0,1])
    seed: Annotated[int, Field(ge=0)] = 0  # decides images, probes and directions


class Reach(Spec):
    """How far a plane goes from the victim along each direction: the published grids.

    That of Li et al. goes as far as the filters are long.
    """

    first_layer: Annotated[float, Field(gt=0)] = 0.5
    input: Annotated[float, Field(gt=0)] = 0.2
    filters: Annotated[float, Field(gt=0)] = 1.0


class LandscapeSpec(AnalysisSpec):
    """The loss on planes and lines through a victim, to look at."""

    summary: ClassVar[str] = (
        "contours of the loss: first convolution, input, all filters; slice between seeds"
    )
    implementation: ClassVar[str] = "nasaudit.analysis.landscape.work:measure_landscape"
    of: ClassVar[Analysed] = "pair"
    expected_epochs: ClassVar[float] = 6.0

    name: Literal["landscape"] = "landscape"
    # Planes, and the slice between two trainings.
    kinds: tuple[Landscape, ...] = ("first_layer", "input", "filters", "slice")
    images: Annotated[int, Field(ge=1)] = 100  # test images, over which the loss is averaged
    points: Annotated[int, Field(ge=3)] = 11  # of the grid along each axis
    reach: Reach = Reach()  # how far each plane goes
    slice_points: Annotated[int, Field(ge=3)] = 21  # of the slice
    norm_images: Annotated[int, Field(ge=2)] = 256  # training images: statistics of BN along the slice
    seed: Annotated[int, Field(ge=0)] = 0  # decides the images and random directions


ANALYSES: Registry[type[AnalysisSpec]] = Registry("analysis", "nasaudit.analyses", plugin_base=AnalysisSpec)
DEFAULT_ANALYSES = (TopologySpec(), ConvergenceSpec(), GradientsSpec(), SmoothnessSpec(), LandscapeSpec())
for _spec in DEFAULT_ANALYSES:
    ANALYSES.add(_spec.name, type(_spec))


AnyAnalysis = Annotated[SerializeAsAny[AnalysisSpec], BeforeValidator(ByName(ANALYSES))]


def analyses_for(names: Iterable[str]) -> tuple[AnalysisSpec, ...]:
    """The analyses that a command line asks for: names, or `all`, those of plugins too.

    Raises:
        UnknownNameError: no such analysis; the nearest names are shown.
    """
    chosen: dict[str, AnalysisSpec] = {}
    for name in names:
        if name != "all" and name not in ANALYSES:
            raise UnknownNameError("analysis", name, ["all", *ANALYSES])
        for canonical in ANALYSES if name == "all" else (ANALYSES.canonical(name),):
            chosen.setdefault(canonical, ANALYSES[canonical](name=canonical))
    return tuple(chosen.values())
