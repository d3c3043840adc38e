"""MitigationSpec: which remedies a study tries on its architectures, and what they may cost."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.registry import normalise
from nasaudit.spec.base import Spec
from nasaudit.spec.genotype import OPS, SKIP
from nasaudit.spec.remedies.catalogue import (
    REMEDIES,
    AnswersRemedy,
    Remedy,
    RemedyKind,
    Rewiring,
    TrainingRemedy,
    remedies_of,
)
from nasaudit.spec.units import Fractional

Scope = Literal["normal", "reduction", "all"]
REPLACEMENTS: tuple[str, ...] = ("sep_conv_3x3",)
PUBLISHED_REPLACEMENTS: tuple[str, ...] = ("sep_conv_3x3", "dil_conv_3x3")  # of DARTS-ii and DARTS-iii

# What a user may say for all remedies of a kind.
KINDS: Mapping[RemedyKind, type[Remedy]] = {
    "rewiring": Rewiring,
    "training": TrainingRemedy,
    "answers": AnswersRemedy,
}


def check_replacements(replacements: Sequence[str]) -> None:
    """Whether skips can be replaced by these.

    Raises:
        SpecError: none, or one that is no op, `none` or another skip.
    """
    allowed = [op for op in OPS if op not in (SKIP, "none")]
    if isinstance(replacements, str) or not replacements:
        raise SpecError("replacements", "a sequence of ops, at least one", replacements)
    for op in replacements:
        if op not in allowed:
            raise SpecError("replacements", f"ops other than a skip: {', '.join(allowed)}", op)


class MitigationSpec(Spec):
    """Further architectures: those of the study, hardened. Which is paired with which follows from what they are."""

    remedies: tuple[str, ...] = (
        "deepen",
        "drop_skips",
        "both",
    )  # names, or `rewiring`, `training`, `answers` for all of a kind
    scope: Scope = "normal"  # cells that are rewired
    # Nodes or skips of each cell: all of them; every number up to all, for a curve; or these numbers.
    doses: Literal["full", "curve"] | tuple[int, ...] = "full"
    replacements: tuple[str, ...] = REPLACEMENTS  # of the skips in turn; the last serves all further ones
    # Remedies of the training by name, with the fields of the recipe that they set: others than the known ones, or
    # these with other fields.
    training: dict[str, dict[str, Any]] = Field(default_factory=dict)
    max_drop: Fractional = 0.01  # of the clean accuracy that a recommended remedy may cost

    @model_validator(mode="before")
    @classmethod
    def _by_kind(cls, values: Any) -> Any:
        """Each remedy once, by its full name."""
        if not isinstance(values, dict) or not isinstance(values.get("remedies"), (list, tuple)):
            return values
        own = values.get("training")
        meant: dict[str, tuple[str, ...]] = {
            **{name: (name,) for name in (*REMEDIES, *(own if isinstance(own, dict) else ()))},
            **{kind: tuple(remedies_of(remedies)) for kind, remedies in KINDS.items()},
        }
        known = {normalise(name): names for name, names in meant.items()}
        chosen: dict[str, None] = {}
        for remedy in values["remedies"]:
            names = known.get(normalise(str(remedy)))
            if names is None:
                raise UnknownNameError("remedy", str(remedy), meant)
            chosen.update(dict.fromkeys(names))
        return {**values, "remedies": tuple(chosen)}

    @field_validator("doses", mode="before")
    @classmethod
    def _doses(cls, doses: Any) -> Any:
        """One message for what could be either."""
        numbers = (
            [int(dose) if len(str(dose)) < 9 and str(dose).isdecimal() else 0 for dose in doses]
            if isinstance(doses, list | tuple)
            else []
        )
        once = numbers and min(numbers) > 0 and len(set(numbers)) == len(numbers)
        if doses in ("full", "curve") or once:
            return numbers or doses
        raise SpecError("", "full, curve, or numbers of nodes or skips from 1 on, each once", doses)

    @model_validator(mode="after")
    def _consistent(self) -> "MitigationSpec":
        check_replacements(self.replacements)
        if not self.remedies:
            raise SpecError("remedies", "at least one remedy", [])
        return self

    def of_kind(self, kind: Literal["rewiring", "answers"]) -> tuple[str, ...]:
        """The chosen remedies of a kind, in the order asked."""
        of_this = remedies_of(KINDS[kind])
        return tuple(name for name in self.remedies if name in of_this and name not in self.training)

    @property
    def recipes(self) -> dict[str, dict[str, Any]]:
        """The chosen remedies of the training, with the fields of the recipe that they set."""
        known = {name: remedy.recipe(name) for name, remedy in remedies_of(TrainingRemedy).items()}
        known.update(self.training)
        return {name: dict(known[name]) for name in self.remedies if name in known}
