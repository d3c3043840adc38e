"""Methods that train one supernet: their settings, as their authors published them."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import CELL_SIZE, Scale
from nasaudit.spec.searches.base import SEARCHES, SearchSpec, Shape
from nasaudit.spec.searches.penalties import AnyPenalty
from nasaudit.spec.searches.space import SPACES, AnySpace
from nasaudit.spec.units import Fractional

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class OneShotSpec(SearchSpec):
    """Root of the methods that train the weights of one supernet."""

    shape: ClassVar[Shape] = "one_shot"

    epochs: Count = 50  # of the search; an epoch sees each image of the weights' half once
    warmup_epochs: Annotated[int, Field(ge=0)] = 0  # first epochs, in which the weights alone learn
    batch_size: Annotated[int, Field(ge=2)] = 64  # of the weights, and of what chooses ops
    init_channels: Annotated[int, Field(ge=1, le=512)] = 16  # of the supernet's first cell
    n_cells: Annotated[int, Field(ge=1, le=100)] = 8  # of the supernet
    learning_rate: Positive = 0.025  # of the weights, by SGD: the first
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.001  # the last, to which a cosine leads
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # of the weights
    weight_decay: Annotated[float, Field(ge=0)] = 3e-4  # of the weights
    gradient_clip: Positive = 5.0  # of the weights: the largest L2 norm of a step's gradient

    @property
    def all_epochs(self) -> int:
        """Of the whole search."""
        return self.epochs

    @property
    def step_time(self) -> float:
        """Of weights and mixture, in units of one without levers."""
        return 1.0

    @property
    def levers(self) -> tuple[str, ...]:
        """What is not as published, in words."""
        return ()

    @property
    def secure(self) -> bool:
        """Whether a lever is pulled."""
        return bool(self.levers)

    @property
    def as_published(self) -> Self:
        """The same search without levers."""
        return self


class AlphaSpec(OneShotSpec):
    """Root of those that descend on the weights and on how ops are mixed, by turns."""

    alpha_learning_rate: Positive = 3e-4  # of the mixture, by Adam with betas .5 and .999
    alpha_weight_decay: Annotated[float, Field(ge=0)] = 1e-3  # of the mixture
    # What the weight of a skip is multiplied by in every mixture and in the cells that are derived from it; 1: as
    # published. A lever: less means fewer skips.
    skip_weight: Fractional | Literal[1] = 1
    # Steps of the weights for each one of the mixture; 1: as published. A lever: more lets ops that learn slowly show
    # what they are worth.
    inner_steps: Count = 1
    # What the mixture pays beside its loss: `advrush` or `input_gradient`, by name or with their fields. A lever:
    # cells whose loss changes little with the pixels. Left out of the digest where there is none.
    penalty: AnyPenalty | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def step_time(self) -> float:
        """And of the penalty."""
        return 1.0 + (self.penalty.expected_cost / self.inner_steps if self.penalty is not None else 0.0)

    @property
    def levers(self) -> tuple[str, ...]:
        """E.g. `("skip_weight 0.5", "advrush")`."""
        turned = (f"skip_weight {self.skip_weight:g}" if self.skip_weight != 1 else "",
                  f"inner_steps {self.inner_steps}" if self.inner_steps != 1 else "",
                  "" if self.penalty is None else self.penalty.name)  # fmt: skip
        return tuple(filter(None, turned))

    @property
    def as_published(self) -> Self:
        """The same search without levers."""
        return self.model_copy(update={"skip_weight": 1, "inner_steps": 1, "penalty": None})


_MINI: dict[str, Any] = {
    # By trial on digits: a step of the mixture must move as far in hundreds of steps as it does in the published
    # tens of thousands.
    "epochs": 15,
    "init_channels": CELL_SIZE["mini"][0],
    "n_cells": CELL_SIZE["mini"][1],
    "alpha_learning_rate": 0.02,
}


class DartsSpec(AlphaSpec):
    """Descent on a softmax over ops (quark0/darts f276dd3, cnn/train_search.py:23-43, cnn/architect.py:17-18)."""

    summary: ClassVar[str] = "bilevel descent on a softmax over all ops of each edge"
    source: ClassVar[str] = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
    implementation: ClassVar[str] = "nasaudit.search.methods.darts:Darts"
    title: ClassVar[str] = "DARTS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {"mini": _MINI}

    name: Literal["darts"] = "darts"
    order: Literal[1, 2] = 1  # 2 takes the gradient of the mixture after a step of the weights; 1 before it


class PcDartsSpec(AlphaSpec):
    """Partial channels and edge normalisation (yuhuixu1993/PC-DARTS b74702f, train_search.py:24-44 and :156)."""

    summary: ClassVar[str] = "DARTS on a part of the channels, with a learned weight for each edge"
    source: ClassVar[str] = "Xu et al., PC-DARTS, ICLR 2020"
    implementation: ClassVar[str] = "nasaudit.search.methods.pc_darts:PcDarts"
    title: ClassVar[str] = "PC-DARTS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {**_MINI, "warmup_epochs": 4, "batch_size": 64, "learning_rate": 0.05}
    }

    name: Literal["pc_darts"] = "pc_darts"
    parts: Count = 4  # of the channels, of which ops read the first
    warmup_epochs: Annotated[int, Field(ge=0)] = 15
    batch_size: Annotated[int, Field(ge=2)] = 256
    learning_rate: Positive = 0.1
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    alpha_learning_rate: Positive = 6e-4

    @model_validator(mode="after")
    def _parts_are_whole(self) -> "PcDartsSpec":
        if self.init_channels % self.parts:
            raise SpecError("init_channels", f"a multiple of {self.parts}, the parts", self.init_channels)
        return self


class DrnasSpec(AlphaSpec):
    """A Dirichlet draw for each edge, in stages (xiangning-chen/DrNAS f2caa4d, train_search.py:25-46, :119-150)."""

    summary: ClassVar[str] = "the mixture of each edge is drawn from a learned Dirichlet, progressively"
    source: ClassVar[str] = "Chen et al., DrNAS: Dirichlet Neural Architecture Search, ICLR 2021"
    implementation: ClassVar[str] = "nasaudit.search.methods.drnas:Drnas"
    title: ClassVar[str] = "DrNAS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {
            **_MINI,
            "epochs": 8,
            "warmup_epochs": 2,
            "init_channels": 12,
            "learning_rate": 0.05,
        },
        "small": {"init_channels": 24, "n_cells": 8},
    }

    name: Literal["drnas"] = "drnas"
    space: AnySpace = SPACES["darts"].model_copy(
        update={"name": "darts without none", "primitives": SPACES["darts"].ops}
    )
    epochs: Count = 25  # of each stage
    warmup_epochs: Annotated[int, Field(ge=0)] = 10  # of each stage
    init_channels: Annotated[int, Field(ge=1, le=512)] = 36
    n_cells: Annotated[int, Field(ge=1, le=100)] = 20
    learning_rate: Positive = 0.1
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    alpha_learning_rate: Positive = 6e-4
    # Of the channels, in each stage; never more than before.
    stage_parts: Annotated[tuple[Count, ...], Field(min_length=1)] = (6, 4)
    stage_ops: Annotated[tuple[Count, ...], Field(min_length=1)] = (7, 4)  # of each edge, in each stage
    # Of the alphas: weight decay, or the divergence from an even Dirichlet.
    regulariser: Literal["l2", "kl"] = "l2"

    @property
    def all_epochs(self) -> int:
        """Of all stages."""
        return self.epochs * len(self.stage_parts)

    @model_validator(mode="after")
    def _stages_fit(self) -> "DrnasSpec":
        _check_stages(self.stage_ops, len(self.space.primitives), len(self.stage_parts), "stage_parts")
        if list(self.stage_parts) != sorted(self.stage_parts, reverse=True):
            raise SpecError("stage_parts", "never more than before", list(self.stage_parts))
        for parts in self.stage_parts:
            if self.init_channels % parts:
                raise SpecError(
                    "init_channels", f"a multiple of {parts}, the parts of a stage", self.init_channels
                )
        return self


class PDartsSpec(AlphaSpec):
    """Three stages (chenxin061/pdarts b880e87, train_search.py:23-43, :109-157)."""

    summary: ClassVar[str] = "ever deeper supernets of ever fewer ops, with dropout behind skips"
    source: ClassVar[str] = "Chen et al., Progressive Differentiable Architecture Search, ICCV 2019"
    implementation: ClassVar[str] = "nasaudit.search.methods.p_darts:PDarts"
    title: ClassVar[str] = "P-DARTS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {**_MINI, "epochs": 5, "warmup_epochs": 2, "batch_size": 64, "stage_cells": (3, 5, 7)}
    }

    name: Literal["p_darts"] = "p_darts"
    epochs: Count = 25  # of each stage
    warmup_epochs: Annotated[int, Field(ge=0)] = 10  # of each stage
    batch_size: Annotated[int, Field(ge=2)] = 96
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    alpha_learning_rate: Positive = 6e-4
    # Of the supernet of each stage.
    stage_cells: Annotated[tuple[Count, ...], Field(min_length=1)] = (5, 11, 17)
    # Of each edge in each stage; after the last one is left.
    stage_ops: Annotated[tuple[Count, ...], Field(min_length=1)] = (8, 5, 3)
    # Behind skips, in each stage (README: 0.1, 0.4, 0.7; its code's default is 0).
    skip_dropout: tuple[Fractional, ...] = (0.1, 0.4, 0.7)
    # That the derived normal cell has at most (the paper's choice of those that its code prints).
    skips: Annotated[int, Field(ge=0)] = 2

    @property
    def all_epochs(self) -> int:
        """Of all stages."""
        return self.epochs * len(self.stage_cells)

    @model_validator(mode="after")
    def _stages_fit(self) -> "PDartsSpec":
        _check_stages(self.stage_ops, len(self.space.primitives), len(self.stage_cells), "stage_cells")
        if len(self.skip_dropout) != len(self.stage_cells):
            raise SpecError("skip_dropout", f"{len(self.stage_cells)}, one a stage", list(self.skip_dropout))
        return self


class SgasSpec(AlphaSpec):
    """Greedy decisions (lightaime/sgas 9cfff65, cnn/train_search.py:26-50, :86-141, :194-198).

    `epochs` is of no account: they follow from the decisions.
    """

    summary: ClassVar[str] = "edges are decided one by one while the others are still searched"
    source: ClassVar[str] = "Li et al., SGAS: Sequential Greedy Architecture Search, CVPR 2020"
    implementation: ClassVar[str] = "nasaudit.search.methods.sgas:Sgas"
    title: ClassVar[str] = "SGAS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {
            **{field: value for field, value in _MINI.items() if field != "epochs"},
            "first_decision": 4,
            "decision_every": 1,
            "last_epochs": 2,
        }
    }

    name: Literal["sgas"] = "sgas"
    first_decision: Annotated[int, Field(ge=0)] = 9  # epochs before the first decision
    decision_every: Count = 5  # epochs between two decisions
    last_epochs: Annotated[int, Field(ge=0)] = 5  # epochs after the last decision
    batch_increase: Annotated[int, Field(ge=0)] = 8  # images more in a batch after each decision
    criterion: Literal[1, 2] = 1  # 1: importance and certainty; 2: and stability
    history: Count = 4  # epochs that stability looks back on

    @property
    def all_epochs(self) -> int:
        """As many as all decisions need, and a few after the last."""
        decisions = self.space.nodes * (self.space.edges or 0)
        return self.first_decision + self.decision_every * (decisions - 1) + self.last_epochs + 1


class SnasSpec(AlphaSpec):
    """Relaxed samples (SNAS-Series/SNAS-Series 9a43adb, SNAS/train_search.py:31-52, README's single-GPU command)."""

    summary: ClassVar[str] = "relaxed samples of ops, one loss on one batch, and a price of what they cost"
    source: ClassVar[str] = "Xie et al., SNAS: Stochastic Neural Architecture Search, ICLR 2019"
    implementation: ClassVar[str] = "nasaudit.search.methods.snas:Snas"
    title: ClassVar[str] = "SNAS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        # Plain SGD on alphas needs a rate of another order than Adam.
        "mini": {**_MINI, "alpha_learning_rate": 1.0}
    }

    name: Literal["snas"] = "snas"
    space: AnySpace = SPACES["darts"].model_copy(update={"name": "darts, all edges", "edges": None})
    epochs: Count = 150
    temperature: Positive = 1.0  # of the first epoch
    min_temperature: Positive = 0.03  # of the last
    resource_weight: Annotated[float, Field(ge=0)] = 1.5e-3  # lambda, of what a sample costs
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.3  # probability of dropping an edge for an image


def _check_stages(ops: tuple[int, ...], most: int, stages: int, other: str) -> None:
    if len(ops) != stages:
        raise SpecError("stage_ops", f"{stages}, as many as {other}", list(ops))
    if list(ops) != sorted(ops, reverse=True) or ops[0] > most:
        raise SpecError("stage_ops", f"at most {most} ops, never more than before", list(ops))


SEARCHES.add("darts", DartsSpec)
SEARCHES.add("drnas", DrnasSpec)
SEARCHES.add("pc_darts", PcDartsSpec)
SEARCHES.add("p_darts", PDartsSpec)
SEARCHES.add("sgas", SgasSpec)
SEARCHES.add("snas", SnasSpec)
