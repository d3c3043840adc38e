"""What `backdoor` stands for."""

from collections.abc import Iterable
from typing import TypeVar

from nasaudit.spec.arch import Scale
from nasaudit.spec.attacks import (
    BackdoorSpec,
    BadNetsSpec,
    BlendedSpec,
    ImcSpec,
    LatentSpec,
    SigSpec,
    TrojanNNSpec,
    WaNetSpec,
)
from nasaudit.spec.tasks import Protocol

Spec = TypeVar("Spec", bound=BackdoorSpec)

# The talk's fine-tuning: a long one at a small rate.
PAPER_TRAINING: dict[str, object] = {
    "epochs": 20,
    "learning_rate": 0.01,
    "optimizer": "sgd",
    "weight_decay": 5e-4,
    "batch_size": 96,
}


def backdoor(protocol: Protocol, scale: Scale) -> tuple[BackdoorSpec, ...]:
    """The backdoors of a protocol: `sound` has one of every kind, and BadNets at three sizes.

    The first is the one that architectures are compared by.
    """
    if protocol == "paper":
        return (paper_badnets(), paper_trojannn())
    attacks: tuple[BackdoorSpec, ...] = (
        *sweep(BadNetsSpec(), "size", (3, 2, 4)),
        BlendedSpec(),
        SigSpec(),
        WaNetSpec(),
        TrojanNNSpec(),
        LatentSpec(),
        ImcSpec(),
    )
    if scale == "mini":
        return attacks
    # A share of the victim's 600 epochs would be far more than a fine-tuning needs.
    return tuple(attack if attack.from_scratch else _changed(attack, PAPER_TRAINING) for attack in attacks)


def sweep(attack: Spec, field: str, values: Iterable[object]) -> tuple[Spec, ...]:
    """The same attack at several values of one field; three or more of them are drawn as a curve.

    Raises:
        SpecError: the attack has no such field, or a value is out of range.

    >>> [attack.size for attack in sweep(BadNetsSpec(), "size", (1, 2, 3))]
    [1, 2, 3]
    """
    return tuple(_changed(attack, {field: value}) for value in values)


def paper_badnets() -> BadNetsSpec:
    """BadNets as in the talk's artifact: a white 3x3 patch top left, copies appended to each batch."""
    return BadNetsSpec.parse(
        {**PAPER_TRAINING, "poison_fraction": 0.02, "copies": "append", "paper_rule": True},
    )


def paper_trojannn() -> TrojanNNSpec:
    """TrojanNN as in the talk's artifact, with its trigger really optimised."""
    return TrojanNNSpec.parse(
        {
            **PAPER_TRAINING,
            "poison_fraction": 0.01,
            "opacity": 0.3,
            "neurons": 2,
            "target_value": 10.0,
            "threshold": 5.0,
            "steps": 20,
            "step_size": 0.015,
            "paper_rule": True,
        }
    )


def _changed(attack: Spec, changes: dict[str, object]) -> Spec:
    """Another spec with some fields changed, validated anew."""
    return type(attack).parse({**attack.model_dump(), **changes})
