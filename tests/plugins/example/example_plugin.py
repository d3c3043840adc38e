"""One plugin of each kind: what can be said of it before torch is imported."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from nasaudit.data.catalogue import DataSource
from nasaudit.data.raw import RawData
from nasaudit.measure.catalogue import Metric
from nasaudit.spec.analyses import AnalysisSpec
from nasaudit.spec.attacks import EvasionSpec, ModelPoisoningSpec, ThreatModel
from nasaudit.spec.genotype import Cell, Edge
from nasaudit.spec.remedies.answers import LimitSpec
from nasaudit.spec.remedies.catalogue import AnswersRemedy, Rewiring, TrainingRemedy
from nasaudit.spec.remedies.defences import DefenceSpec, Seam
from nasaudit.spec.searches import OneShotSpec, SampledSpec


class SignStepSpec(EvasionSpec):
    """A white-box evasion attack."""

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "example_work:SignStep"
    title: ClassVar[str] = "SignStep"
    summary: ClassVar[str] = "one step of the sign of the gradient"
    expected_epochs: ClassVar[float] = 1.5

    name: Literal["sign_step"] = "sign_step"


class NudgeSpec(ModelPoisoningSpec):
    """A poison that is made on a model of the attacker's own."""

    implementation: ClassVar[str] = "example_work:Nudge"
    summary: ClassVar[str] = "images of the wanted class, moved towards what the model takes for it"
    poisoned: ClassVar[str] = "of the training images nudged"
    expected_epochs: ClassVar[float] = 2.0

    name: Literal["nudge"] = "nudge"


class WeightsSpec(AnalysisSpec):
    """An analysis of each victim."""

    implementation: ClassVar[str] = "example_work:measure_weights"
    summary: ClassVar[str] = "length of the vector of all weights"
    expected_epochs: ClassVar[float] = 0.5

    name: Literal["weights"] = "weights"


WEIGHT_LENGTH = Metric("weight_length", "length of the weights", "length", limits=(0.0, float("inf")))

BARS = DataSource(
    name="bars",
    title="Bars",
    summary="a bright bar in one of four places",
    loader="example_plugin:load_bars",
    needs="nothing",
    shape=(1, 8, 8),
    classes=4,
    origin="drawn by the plugin",
    names=("first", "second", "third", "fourth"),
)


def load_bars(spec: object, downloads: object) -> RawData:
    """240 images: noise, and two bright rows that say the class."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 4
    images = rng.integers(0, 100, (240, 1, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 120
    return RawData("bars", images, labels.astype(np.int64), ("first", "second", "third", "fourth"))


def undilate(cell: Cell, dose: int | None = None, replacements: object = None) -> Cell:
    """Every dilated convolution becomes a separable one."""
    swap = {"dil_conv_3x3": "sep_conv_3x3", "dil_conv_5x5": "sep_conv_5x5"}
    nodes = tuple(
        tuple(Edge(swap.get(edge.op, edge.op), edge.source) for edge in node) for node in cell.nodes
    )
    return Cell(nodes=nodes, concat=cell.concat)


UNDILATE = Rewiring("undilate", "example_plugin:undilate")


class NoisySpec(DefenceSpec):
    """A remedy of the training."""

    seam: ClassVar[Seam] = "batch"
    implementation: ClassVar[str] = "example_work:Noisy"

    name: Literal["noisy"] = "noisy"

    @property
    def expected_cost(self) -> float:
        """Drawing noise."""
        return 0.25


NOISY = TrainingRemedy("training on noisy images", NoisySpec)


class HalvedSpec(LimitSpec):
    """A remedy of the answers."""

    implementation: ClassVar[str] = "example_work:Halved"

    name: Literal["halved"] = "halved"


HALVED = AnswersRemedy("answers drawn towards chance", HalvedSpec)


class SalientSpec(OneShotSpec):
    """A search with a supernet."""

    implementation: ClassVar[str] = "example_work:Salient"
    summary: ClassVar[str] = "each edge takes the op of which the loss wants more"
    source: ClassVar[str] = "made up"

    name: Literal["salient"] = "salient"


class OneByOneSpec(SampledSpec):
    """A search whose children are tasks of the study."""

    implementation: ClassVar[str] = "example_work:OneByOne"
    summary: ClassVar[str] = "random cells, one after the other"
    source: ClassVar[str] = "made up"

    name: Literal["one_by_one"] = "one_by_one"
    children: Annotated[int, Field(ge=1)] = 3
    child_epochs: Annotated[int, Field(ge=1)] = 1
