"""Methods whose children share the weights of one supernet, of which each step trains one path."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import CELL_SIZE, Scale
from nasaudit.spec.searches.base import SEARCHES
from nasaudit.spec.searches.one_shot import Count, OneShotSpec, Positive
from nasaudit.spec.searches.space import SPACES, AnySpace

_MINI: dict[str, Any] = {
    # By trial on digits: each step trains one path of very many, so there must be about a thousand of them before any
    # is far above chance; three cells learn sooner than the five of what is audited.
    "epochs": 60,
    "batch_size": 32,
    "init_channels": CELL_SIZE["mini"][0],
    "n_cells": 3,
    "learning_rate": 0.025,
}


class PathsSpec(OneShotSpec):
    """Root of these methods: their cells are sampled, and no gradient reaches a choice of ops."""

    path_time: ClassVar[
        float
    ]  # of one path and what scores it, of what all ops of the supernet take; on digits

    @property
    def step_time(self) -> float:
        """Of one path."""
        return self.path_time

    @model_validator(mode="before")
    @classmethod
    def _without_penalty(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("penalty") is not None:
            name = cls.model_fields["name"].default
            raise SpecError("penalty", f"nothing: no gradient reaches what {name} samples", values["penalty"])
        return values


class EnasSpec(PathsSpec):
    """A controller and shared weights by turns (melodyguan/enas 4bcfd73, scripts/cifar10_micro_search.sh:11-37)."""

    summary: ClassVar[str] = "an LSTM learns by REINFORCE which paths of a supernet are good"
    source: ClassVar[str] = (
        "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018"
    )
    path_time: ClassVar[float] = 0.25
    implementation: ClassVar[str] = "nasaudit.search.methods.enas:Enas"
    title: ClassVar[str] = "ENAS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {
            **_MINI,
            "held_out_share": 0.5,
            "first_restart": 60,
            "controller_steps": 2,
        }
    }

    name: Literal["enas"] = "enas"
    space: AnySpace = SPACES["enas"]
    epochs: Count = 150
    batch_size: Annotated[int, Field(ge=2)] = 160
    init_channels: Annotated[int, Field(ge=1, le=512)] = 20
    learning_rate: Positive = 0.05
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0005
    # Of the weights: twice the published factor, as that is one of the sum of squares in the loss (src/utils.py:118).
    weight_decay: Annotated[float, Field(ge=0)] = 2e-4
    # None in fact: the published run computed clipped gradients and applied the others (src/utils.py:141-150).
    gradient_clip: Positive = 1e9
    # Of the training images, the share that the controller learns from (data_utils.py:51-56).
    held_out_share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    first_restart: Count = 10  # epochs of the first cosine of the rate
    restart_factor: Count = 2  # how many times as long as the one before each further cosine is
    controller_size: Count = 64  # numbers in the state of the LSTM (main.py:153)
    # Of Adam, betas 0 and .999, epsilon 1e-3 (src/utils.py:218).
    controller_learning_rate: Positive = 0.0035
    controller_steps: Count = 30  # after each epoch
    controller_samples: Count = 10  # over which each step averages
    tanh_constant: Positive = 1.1  # that logits of sources stay within
    op_tanh_reduce: Positive = 2.5  # what that is divided by for ops
    entropy_weight: Annotated[float, Field(ge=0)] = 1e-4  # of the entropy in the reward
    # Of the mean of rewards that is taken off (main.py:72).
    baseline_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    # What logits of separable convolutions begin with, before tanh (micro_controller.py:100). A lever: 0 likes none.
    op_bias: float = 10.0
    # What these have more in the normal cell, and the others less, for good (micro_controller.py:106). A lever too.
    normal_bias: float = 0.25
    candidates: Count = 10  # drawn at last, of which the best is taken (main.py:309)


class RandomWsSpec(PathsSpec):
    """Random search with weight sharing (liamcli/randomNAS_release 6513a0a, random_weight_share.py:81-115)."""

    summary: ClassVar[str] = (
        "random paths of a supernet are trained, and the best of many random paths is taken"
    )
    source: ClassVar[str] = (
        "Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019"
    )
    implementation: ClassVar[str] = "nasaudit.search.methods.random_ws:RandomWs"
    title: ClassVar[str] = "Random search with weight sharing"
    path_time: ClassVar[float] = 0.12
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {**_MINI, "samples": 100, "sample_batches": 4, "finalists": 5, "batch_statistics": True}
    }

    name: Literal["random_ws"] = "random_ws"
    # .25 is its code's default; 5 is the paper's for images, from memory.
    gradient_clip: Positive = 5.0
    samples: Count = 1000  # drawn at last, and scored on some of the held-out half
    sample_batches: Count = 10  # that each is scored on
    finalists: Count = 10  # the best of them, scored on the whole half
    # Whether paths are scored with the statistics of each batch in BN; published: with those that it keeps.
    batch_statistics: bool = Field(default=False, exclude_if=lambda value: not value)
    steps_a_round: Count = 10_000  # of the weights, for each of which samples and finalists are drawn once


SEARCHES.add("enas", EnasSpec)
SEARCHES.add("random_ws", RandomWsSpec)
