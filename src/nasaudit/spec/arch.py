"""ArchSpec: all that is needed to build a network, and nothing else."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.base import Spec
from nasaudit.spec.data import MAX_CLASSES, MAX_SIDE
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.model import ModelSpec, Moments, Normalisation
from nasaudit.spec.units import Fractional

Scale = Literal["mini", "small", "paper"]
# How much of the published setting is kept: to the letter, or repaired where its figures would mislead.
Protocol = Literal["sound", "paper"]
# `hardened`: rewired from a published cell; in neither group when NAS is compared with hand-made.
# `robust_nas`: cells that were searched and published for their robustness; in neither group either.
Group = Literal["manual", "nas", "random", "hardened", "robust_nas", "custom"]

# (init_channels, n_cells) of a cell network at each scale; image side that sizes are stated for. `small` is the size
# of the networks that one-shot searches train (Liu et al. 2019, section 3.1.1: 16 channels, 8 cells).
CELL_SIZE: dict[Scale, tuple[int, int]] = {"mini": (8, 5), "small": (16, 8), "paper": (36, 20)}
IMAGE_SIDE: dict[Scale, int] = {"mini": 28, "small": 32, "paper": 32}
# Drop-path of the published training of cell networks (Liu et al. 2019), the default at `paper` scale.
PAPER_DROP_PATH = 0.2
# What protocol `paper` has in its place: nn.Dropout behind every op of a cell but the identity (ain-soph/autovul,
# autovul/vision/utils/model_archs/darts/operations.py:72; its probability: models/nas/darts.py:54).
PAPER_DROPOUT = 0.2
# Forward FLOPs (2 per multiply-add) of an image of 3 channels and that side: every network of the catalogue stays
# within them, hand-made ones too. At `paper` scale each has its published size.
FLOPS_BUDGET: dict[Scale, tuple[float, float]] = {"mini": (9e6, 18e6), "small": (65e6, 130e6)}
# (channels of the stem, cells of each of the 3 stages) of a NAS-Bench-201 network; below
# `paper` scale the cells of 3x3 convolutions, which win, are within the budget, and cells of skips below it.
SIZE_201: dict[Scale, tuple[int, int]] = {"mini": (8, 1), "small": (16, 1), "paper": (16, 5)}

# Time of an op relative to a 3x3 separable convolution, forward and backward on a CPU core.
OP_TIME = {
    "none": 0.0,
    "skip_connect": 0.1,
    "max_pool_3x3": 0.2,
    "avg_pool_3x3": 0.2,
    "sep_conv_3x3": 1.0,
    "sep_conv_5x5": 1.6,
    "sep_conv_7x7": 2.5,
    "dil_conv_3x3": 0.6,
    "dil_conv_5x5": 1.0,
    "conv_7x1_1x7": 1.2,
}
# What a network of cells takes beside their ops (1x1 convolutions before each cell, stem, classifier), and other
# networks, in the same unit: CPU time of a step of 64 grey images of 28x28 at `mini`, measured.
CELLS_TIME = 8.0
OTHER_TIME = 9.0
FAMILY_TIME = {"resnet": 4.4, "vgg": 4.1, "bit": 12.0, "wideresnet": 8.5}
MINI_CELLS = 8**2 * 5  # init_channels^2 x n_cells: what the ops of a cell network grow with
SCALE_TIME: dict[Scale, float] = {"mini": 1.0, "small": 7.0, "paper": 80.0}  # the same of other networks
EPOCH_IMAGES, EPOCH_PIXELS = 3000, 28 * 28  # of the epoch that expected times are stated in: one of mnist5k
# Each image costs as much beside its pixels as so many pixels. In a batch of 64: measured. In the large ones of
# attacks, and what these take in all beside a step of training: chosen so that the times left of recorded audits came
# out well (tests/running/audits).
STEP_PIXELS, LARGE_BATCH_PIXELS = 176, 40
LARGE_BATCH_TIME = 0.8
MAX_OPS = 10_000  # of a network of cells; the largest published one has 200


class ArchSpec(Spec):
    """A network before it has weights.

    A cell network carries its genotype, so a record or a checkpoint can be rebuilt without the catalogue.
    A manual family carries its name and scale; its numbers are in `nasaudit.arch.manual.families`. A network that
    is defined elsewhere carries its `model`.
    """

    name: Annotated[str, Field(max_length=200)]
    group: Group
    scale: Scale = "mini"
    classes: Annotated[int, Field(ge=2, le=MAX_CLASSES)] = 10
    input_shape: tuple[int, int, int] = (3, 28, 28)  # channels, height, width
    genotype: Genotype | None = None
    init_channels: Annotated[int, Field(ge=1, le=512)] | None = None
    n_cells: Annotated[int, Field(ge=1, le=100)] | None = None
    auxiliary: bool = False  # a second classifier at 2/3 of the depth, during training only
    drop_path: Fractional = 0.0  # final probability of dropping an op's output for an image
    # Probability of zeroing each number of an op's output, from the first epoch to the last.
    dropout: Annotated[float, Field(ge=0, lt=1, exclude_if=lambda value: value == 0)] = 0.0
    # Left out of the digest where they say nothing, so that records made before these fields existed are found.
    model: ModelSpec | None = Field(default=None, exclude_if=lambda value: value is None)
    normalise: Normalisation = Field(default="dataset", exclude_if=lambda value: value == "dataset")
    # The manual family, where the architecture goes by another name than it.
    family: str | None = Field(default=None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _cells_need_sizes(self) -> "ArchSpec":
        is_cell = self.genotype is not None
        if is_cell and self.model is not None:
            raise SpecError("model", "a genotype or a model, not both", self.model.target)
        if self.normalise == "own" and (self.model is None or self.model.builder == "nasbench201"):
            raise SpecError(
                "normalise",
                "dataset, none, or mean and std (timm, torchvision and Python models come with their own)",
                self.normalise,
            )
        for field in ("init_channels", "n_cells"):
            if (getattr(self, field) is not None) != is_cell:
                raise SpecError(
                    field, "a number for a genotype, nothing for other networks", getattr(self, field)
                )
        for field, default in (("auxiliary", False), ("drop_path", 0.0), ("dropout", 0.0)):
            if not is_cell and getattr(self, field) != default:
                raise SpecError(
                    field, f"{default} (the option exists for cell networks)", getattr(self, field)
                )
        channels, height, width = self.input_shape
        if channels not in (1, 3) or not 8 <= min(height, width) <= max(height, width) <= MAX_SIDE:
            raise SpecError("input_shape", f"1 or 3 channels and sides of 8 to {MAX_SIDE}", self.input_shape)
        if self.genotype is not None and self.n_cells is not None:
            largest = max(len(cell.edges) for cell in (self.genotype.normal, self.genotype.reduction))
            if self.n_cells * largest > MAX_OPS:
                raise SpecError("genotype", f"at most {MAX_OPS} ops in all cells", self.n_cells * largest)
        if isinstance(self.normalise, Moments):
            for field in ("mean", "std"):
                values = getattr(self.normalise, field)
                if len(values) not in (1, channels):
                    raise SpecError(f"normalise.{field}", f"1 number or {channels}, one a channel", values)
        return self

    @property
    def epoch_time(self) -> float:
        """How long an epoch of training takes, roughly and in no unit: to compare architectures of one study."""
        return self._time * pixels_time(self.input_shape[1:], STEP_PIXELS)

    @property
    def pass_time(self) -> float:
        """How long as many images take forward and backward in large batches, in the same unit."""
        return self._time * pixels_time(self.input_shape[1:], LARGE_BATCH_PIXELS) * LARGE_BATCH_TIME

    @property
    def _time(self) -> float:
        if self.genotype is None:
            return FAMILY_TIME.get(self.family or self.name, OTHER_TIME) * SCALE_TIME[self.scale]
        cells = (self.genotype.normal, self.genotype.reduction)
        ops = sum(OP_TIME[edge.op] for cell in cells for edge in cell.edges)
        return cells_time(ops, self.init_channels or 1, self.n_cells or 1)


def cells_time(ops: float, init_channels: int, n_cells: int) -> float:
    """What a network of cells takes, in the unit of `OP_TIME`; `ops` are those of a normal and a reduction cell."""
    return (CELLS_TIME + ops) * init_channels**2 * n_cells / MINI_CELLS


def pixels_time(size: tuple[int, int], fixed: int) -> float:
    """What images of this height and width take, of what those of mnist5k do; see `STEP_PIXELS` for `fixed`."""
    return (size[0] * size[1] + fixed) / (EPOCH_PIXELS + fixed)
