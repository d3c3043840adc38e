"""Methods that train one supernet: their settings, as their authors published them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nasaudit.spec.arch import CELL_SIZE, Scale
from nasaudit.spec.searches.base import SEARCHES, SearchSpec, Shape
from nasaudit.spec.units import Fractional

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class OneShotSpec(SearchSpec):
    """Root of the methods that descend on the weights of a supernet and on how its ops are mixed, by turns.

    Attributes:
        epochs: of the search; an epoch sees each image of the weights' half once.
        warmup_epochs: at whose beginning the mixture stands still.
        batch_size: of weights and of the mixture.
        init_channels: of the supernet's first cell.
        n_cells: of the supernet.
        learning_rate, min_learning_rate: of the weights: SGD, from the one to the other by a cosine.
        momentum, weight_decay, gradient_clip: of the weights.
        alpha_learning_rate, alpha_weight_decay: of the mixture: Adam, betas .5 and .999.
        skip_weight: what the weight of a skip is multiplied by in every mixture and in the cells that are derived
            from it; 1: as published. A lever: less means fewer skips.
        inner_steps: steps of the weights for each one of the mixture; 1: as published. A lever: more lets ops that
            learn slowly show what they are worth.
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


class DartsSpec(OneShotSpec):
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


SEARCHES.add("darts", DartsSpec)
