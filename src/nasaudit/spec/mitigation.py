"""MitigationSpec: which remedies a study tries on its architectures, and what they may cost."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.registry import normalise
from nasaudit.spec.base import Spec
from nasaudit.spec.genotype import OPS, SKIP
from nasaudit.spec.units import Fractional

REWIRINGS: tuple[str, ...] = ("deepen", "drop_skips", "both")
Scope = Literal["normal", "reduction", "all"]
RemedyKind = Literal["rewiring", "training", "answers"]
REPLACEMENTS: tuple[str, ...] = ("sep_conv_3x3",)
PUBLISHED_REPLACEMENTS: tuple[str, ...] = ("sep_conv_3x3", "dil_conv_3x3")  # of DARTS-ii and DARTS-iii

# Remedies of the training, by the fields of the recipe that they set. Their sources are with the fields.
TRAINING_REMEDIES: Mapping[str, Mapping[str, Any]] = {
    "adversarial_training": {"adversarial": {"method": "pgd"}},
    "trades": {"adversarial": {"method": "trades"}},
    "label_smoothing": {"label_smoothing": 0.1},
    "dp_sgd": {"private": {}},
}
# Remedies of what a served model answers, by the fields of the extraction attacks that they set.
ANSWER_REMEDIES: Mapping[str, Mapping[str, Any]] = {
    "rounded_answers": {"decimals": 1},
    "top_answers": {"top_k": 1},
}
# What stands for several of them.
FAMILIES_OF_REMEDIES: Mapping[str, tuple[str, ...]] = {
    "rewiring": REWIRINGS,
    "training": tuple(TRAINING_REMEDIES),
    "answers": tuple(ANSWER_REMEDIES),
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

    remedies: tuple[str, ...] = REWIRINGS  # names, or `rewiring`, `training`, `answers` for all of a kind
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
        names = [
            *FAMILIES_OF_REMEDIES,
            *(name for of_kind in FAMILIES_OF_REMEDIES.values() for name in of_kind),
            *(own if isinstance(own, dict) else ()),
        ]
        known = {normalise(name): name for name in names}
        chosen: dict[str, None] = {}
        for said in values["remedies"]:
            name = known.get(normalise(str(said)))
            if name is None:
                raise UnknownNameError("remedy", str(said), names)
            chosen.update(dict.fromkeys(FAMILIES_OF_REMEDIES.get(name, (name,))))
        return {**values, "remedies": tuple(chosen)}

    @field_validator("doses", mode="before")
    @classmethod
    def _doses(cls, doses: Any) -> Any:
        """One message for what could be either."""
        said = (
            [int(dose) if str(dose).isdecimal() else 0 for dose in doses]
            if isinstance(doses, list | tuple)
            else []
        )
        if doses in ("full", "curve") or (said and min(said) > 0):
            return said or doses
        raise SpecError("", "full, curve, or numbers of nodes or skips from 1 on", doses)

    @model_validator(mode="after")
    def _consistent(self) -> "MitigationSpec":
        check_replacements(self.replacements)
        if not self.remedies:
            raise SpecError("remedies", "at least one remedy", [])
        return self

    def of_kind(self, kind: Literal["rewiring", "answers"]) -> tuple[str, ...]:
        """The chosen remedies of a kind, in the order asked."""
        return tuple(name for name in self.remedies if name in FAMILIES_OF_REMEDIES[kind])

    @property
    def recipes(self) -> dict[str, dict[str, Any]]:
        """The chosen remedies of the training, with the fields of the recipe that they set."""
        known = {**TRAINING_REMEDIES, **self.training}
        return {name: dict(known[name]) for name in self.remedies if name in known}
