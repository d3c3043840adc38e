"""Methods whose children share the weights of one supernet, of which each step trains one path."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nasaudit.spec.arch import CELL_SIZE, Scale
from nasaudit.spec.searches.base import SEARCHES
from nasaudit.spec.searches.one_shot import Count, OneShotSpec, Positive
from nasaudit.spec.searches.space import SPACES, AnySpace

_SIZE: dict[str, Any] = {"init_channels": CELL_SIZE["mini"][0], "n_cells": CELL_SIZE["mini"][1]}


class EnasSpec(OneShotSpec):
    """A controller and shared weights by turns (melodyguan/enas 4bcfd73, scripts/cifar10_micro_search.sh:11-37).

    Attributes:
        held_out_share: of the training images, which the controller learns from (data_utils.py:51-56).
        first_restart: epochs of the first cosine of the rate.
        restart_factor: how many times as long as the one before each further cosine is.
        controller_size: numbers in the state of the LSTM (main.py:153).
        controller_learning_rate: of Adam, betas 0 and .999, epsilon 1e-3 (utils.py:218).
        controller_steps: after each epoch.
        controller_samples: over which each step averages.
        tanh_constant: of the logits of sources.
        op_tanh_reduce: what it is divided by for ops.
        entropy_weight: of the entropy in the reward.
        baseline_decay: of the mean of rewards that is taken off (main.py:72).
        op_bias: with which the logits of the separable convolutions begin, before tanh (micro_controller.py:100).
        normal_bias: what the logits of these have more in the normal cell, and those of the others less, for good
            (micro_controller.py:106-109).
        candidates: drawn at last, of which the best is taken (main.py:309).
    """

    summary: ClassVar[str] = "an LSTM learns by REINFORCE which paths of a supernet are good"
    source: ClassVar[str] = (
        "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018"
    )
    implementation: ClassVar[str] = "nasaudit.search.methods.enas:Enas"
    title: ClassVar[str] = "ENAS"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {
            **_SIZE,
            "epochs": 30,
            "batch_size": 64,
            "held_out_share": 0.5,
            "first_restart": 30,
            "controller_steps": 3,
        }
    }

    name: Literal["enas"] = "enas"
    space: AnySpace = SPACES["enas"]
    epochs: Count = 150
    batch_size: Annotated[int, Field(ge=2)] = 160
    init_channels: Annotated[int, Field(ge=1, le=512)] = 20
    learning_rate: Positive = 0.05
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0005
    # 1e-4 times the sum of squares in the loss, whose gradient is twice that (src/utils.py:118-123).
    weight_decay: Annotated[float, Field(ge=0)] = 2e-4
    held_out_share: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    first_restart: Count = 10
    restart_factor: Count = 2
    controller_size: Count = 64
    controller_learning_rate: Positive = 0.0035
    controller_steps: Count = 30
    controller_samples: Count = 10
    tanh_constant: Positive = 1.1
    op_tanh_reduce: Positive = 2.5
    entropy_weight: Annotated[float, Field(ge=0)] = 1e-4
    baseline_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    op_bias: float = 10.0
    normal_bias: float = 0.25
    candidates: Count = 10


class RandomWsSpec(OneShotSpec):
    """Random search with weight sharing (liamcli/randomNAS_release 6513a0a, searchers/random_weight_share.py:81-115).

    Attributes:
        gradient_clip: .25 is its code's default, 5 what the paper has for images (from memory).
        samples: drawn at last, and scored on a part of the held-out half.
        sample_batches: of that part.
        finalists: the best of them, scored on the whole half.
        steps_a_round: of the weights, for each of which samples and finalists are drawn once.
    """

    summary: ClassVar[str] = (
        "random paths of a supernet are trained, and the best of many random paths is taken"
    )
    source: ClassVar[str] = (
        "Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019"
    )
    implementation: ClassVar[str] = "nasaudit.search.methods.random_ws:RandomWs"
    title: ClassVar[str] = "Random search with weight sharing"
    at_scale: ClassVar[dict[Scale, dict[str, Any]]] = {
        "mini": {**_SIZE, "epochs": 30, "samples": 100, "sample_batches": 2, "finalists": 5}
    }

    name: Literal["random_ws"] = "random_ws"
    samples: Count = 1000
    sample_batches: Count = 10
    finalists: Count = 10
    steps_a_round: Count = 10_000


SEARCHES.add("enas", EnasSpec)
SEARCHES.add("random_ws", RandomWsSpec)
