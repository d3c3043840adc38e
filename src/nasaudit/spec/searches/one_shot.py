"""Methods that train one supernet: their settings, as their authors published them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import CELL_SIZE, Scale
from nasaudit.spec.searches.base import SEARCHES, SearchSpec, Shape
from nasaudit.spec.searches.space import SPACES, AnySpace
from nasaudit.spec.units import Fractional

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class OneShotSpec(SearchSpec):
    """Root of the methods that train the weights of one supernet.

    Attributes:
        epochs: of the search; an epoch sees each image of the weights' half once.
        warmup_epochs: at whose beginning the weights alone are trained.
        batch_size: of weights, and of what chooses the ops.
        init_channels: of the supernet's first cell.
        n_cells: of the supernet.
        learning_rate, min_learning_rate: of the weights: SGD, from the one to the other by a cosine.
        momentum, weight_decay, gradient_clip: of the weights.
    """

    shape: ClassVar[Shape] = "one_shot"

    epochs: Count = 50
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=2)] = 64
    init_channels: Annotated[int, Field(ge=1, le=512)] = 16
    n_cells: Annotated[int, Field(ge=1, le=100)] = 8
    learning_rate: Positive = 0.025
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.001
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 3e-4
    gradient_clip: Positive = 5.0

    @property
    def all_epochs(self) -> int:
        """Of the whole search."""
        return self.epochs


class AlphaSpec(OneShotSpec):
    """Root of those that descend on the weights and on how ops are mixed, by turns.

    Attributes:
        alpha_learning_rate, alpha_weight_decay: of the mixture: Adam, betas .5 and .999.
        skip_weight: what the weight of a skip is multiplied by in every mixture and in the cells that are derived
            from it; 1: as published. A lever: less means fewer skips.
        inner_steps: steps of the weights for each one of the mixture; 1: as published. A lever: more lets ops that
            learn slowly show what they are worth.
    """

    alpha_learning_rate: Positive = 3e-4
    alpha_weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    skip_weight: Fractional | Literal[1] = 1
    inner_steps: Count = 1


_MINI: dict[str, Any] = {
    # By trial on digits: a step of the mixture must move as far in hundreds of steps as it does in the published
    # tens of thousands.
    "epochs": 15,
    "init_channels": CELL_SIZE["mini"][0],
    "n_cells": CELL_SIZE["mini"][1],
    "alpha_learning_rate": 0.02,
}


class DartsSpec(AlphaSpec):
    """Descent on a softmax over ops (quark0/darts f276dd3, cnn/train_search.py:23-43, cnn/architect.py:17-18).

    Attributes:
        order: 2 takes the gradient of the mixture after a step of the weights; 1 before it.
    """

    summary: ClassVar[str] = "bilevel descent on a softmax over all ops of each edge"
    source: ClassVar[str] = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
    implementation: ClassVar[str] = "nasaudit.search.methods.darts:Darts"
    title: ClassVar[str] = "DARTS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {"mini": _MINI}

    name: Literal["darts"] = "darts"
    order: Literal[1, 2] = 1


class PcDartsSpec(AlphaSpec):
    """Partial channels and edge normalisation (yuhuixu1993/PC-DARTS b74702f, train_search.py:24-44 and :156).

    Attributes:
        parts: of the channels, of which ops read the first.
    """

    summary: ClassVar[str] = "DARTS on a part of the channels, with a learned weight for each edge"
    source: ClassVar[str] = "Xu et al., PC-DARTS, ICLR 2020"
    implementation: ClassVar[str] = "nasaudit.search.methods.pc_darts:PcDarts"
    title: ClassVar[str] = "PC-DARTS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {**_MINI, "warmup_epochs": 4, "batch_size": 64, "learning_rate": 0.05}
    }

    name: Literal["pc_darts"] = "pc_darts"
    parts: Count = 4
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
    """A Dirichlet draw for each edge, in stages (xiangning-chen/DrNAS f2caa4d, train_search.py:25-46, :119-150).

    Attributes:
        epochs: of each stage.
        warmup_epochs: of each stage.
        stage_parts: of the channels, in each stage; never more than before.
        stage_ops: of each edge, in each stage.
        regulariser: of the alphas: weight decay, or the divergence from an even Dirichlet.
    """

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
    epochs: Count = 25
    warmup_epochs: Annotated[int, Field(ge=0)] = 10
    init_channels: Annotated[int, Field(ge=1, le=512)] = 36
    n_cells: Annotated[int, Field(ge=1, le=100)] = 20
    learning_rate: Positive = 0.1
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    alpha_learning_rate: Positive = 6e-4
    stage_parts: Annotated[tuple[Count, ...], Field(min_length=1)] = (6, 4)
    stage_ops: Annotated[tuple[Count, ...], Field(min_length=1)] = (7, 4)
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
    """Three stages (chenxin061/pdarts b880e87, train_search.py:23-43, :109-157).

    Attributes:
        epochs: of each stage.
        warmup_epochs: of each stage.
        stage_cells: of the supernet of each stage.
        stage_ops: of each edge in each stage; after the last one is left.
        skip_dropout: behind skips, in each stage (README: 0.1, 0.4, 0.7; its code's default is 0).
        skips: that the derived normal cell has at most (the paper's choice of those that its code prints).
    """

    summary: ClassVar[str] = "ever deeper supernets of ever fewer ops, with dropout behind skips"
    source: ClassVar[str] = "Chen et al., Progressive Differentiable Architecture Search, ICCV 2019"
    implementation: ClassVar[str] = "nasaudit.search.methods.p_darts:PDarts"
    title: ClassVar[str] = "P-DARTS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {**_MINI, "epochs": 5, "warmup_epochs": 2, "batch_size": 64, "stage_cells": (3, 5, 7)}
    }

    name: Literal["p_darts"] = "p_darts"
    epochs: Count = 25
    warmup_epochs: Annotated[int, Field(ge=0)] = 10
    batch_size: Annotated[int, Field(ge=2)] = 96
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    alpha_learning_rate: Positive = 6e-4
    stage_cells: Annotated[tuple[Count, ...], Field(min_length=1)] = (5, 11, 17)
    stage_ops: Annotated[tuple[Count, ...], Field(min_length=1)] = (8, 5, 3)
    skip_dropout: tuple[Fractional, ...] = (0.1, 0.4, 0.7)
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

    Attributes:
        epochs: not said: they follow from the decisions.
        first_decision: epochs before it.
        decision_every: epochs between two.
        last_epochs: after the last one.
        batch_increase: images more in a batch after each decision.
        criterion: 1: importance and certainty; 2: and stability.
        history: epochs that stability looks back on.
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
    first_decision: Annotated[int, Field(ge=0)] = 9
    decision_every: Count = 5
    last_epochs: Annotated[int, Field(ge=0)] = 5
    batch_increase: Annotated[int, Field(ge=0)] = 8
    criterion: Literal[1, 2] = 1
    history: Count = 4

    @property
    def all_epochs(self) -> int:
        """As many as all decisions need, and a few after the last."""
        decisions = self.space.nodes * (self.space.edges or 0)
        return self.first_decision + self.decision_every * (decisions - 1) + self.last_epochs + 1


class SnasSpec(AlphaSpec):
    """Relaxed samples (SNAS-Series/SNAS-Series 9a43adb, SNAS/train_search.py:31-52, README's single-GPU command).

    Attributes:
        temperature: of the first epoch.
        min_temperature: of the last.
        resource_weight: lambda, of what a sample costs.
        drop_path: probability of dropping an edge for an image.
    """

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
    temperature: Positive = 1.0
    min_temperature: Positive = 0.03
    resource_weight: Annotated[float, Field(ge=0)] = 1.5e-3
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.3


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
