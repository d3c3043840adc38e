"""Remedies: what can be done about a model that is easy to attack. Each is declared here, once.

A remedy is of the cell (another genotype), of the training (fields of the recipe, a defence among them), or of the
answers (a limit on what the victim tells). Its name is what a user asks for; the same name switches the defence on in
a recipe (`defences: [trades]`) and the limit in an attack (`answers: [rounded_answers]`). Another package adds its
own by an entry point in the group `nasaudit.remedies`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, SerializeAsAny

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.registry import Registry, normalise
from nasaudit.spec.base import Spec
from nasaudit.spec.remedies.answers import LimitSpec, RoundedSpec, TopSpec
from nasaudit.spec.remedies.defences import DefenceSpec, PgdTrainingSpec, PrivateSpec, TradesSpec

RemedyKind = Literal["rewiring", "training", "answers"]


@dataclass(frozen=True)
class Remedy:
    """Root of the three kinds.

    Attributes:
        title: as the report says it, in the middle of a sentence.
    """

    kind: ClassVar[RemedyKind]

    title: str


@dataclass(frozen=True)
class Rewiring(Remedy):
    """Of the cell.

    Attributes:
        implementation: `module:function`, from (cell, dose, replacements) to a cell, as `arch.rewiring.drop_skips`.
        partly: the title of a part of it, with `{dose}` and `{most}`; "": the title with the dose behind it.
        doing: the title as the subject of a sentence; "": by the title.
    """

    kind: ClassVar[RemedyKind] = "rewiring"

    implementation: str
    partly: str = ""
    doing: str = ""


@dataclass(frozen=True)
class TrainingRemedy(Remedy):
    """Of the training.

    Attributes:
        spec: the defence that it switches on; it bears the remedy's name.
        fields: other fields of the recipe that it sets.
    """

    kind: ClassVar[RemedyKind] = "training"

    spec: type[DefenceSpec] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def recipe(self, name: str) -> dict[str, Any]:
        """The fields of the recipe that the remedy of this name sets."""
        return {**self.fields, "defences": [name]} if self.spec is not None else dict(self.fields)


@dataclass(frozen=True)
class AnswersRemedy(Remedy):
    """Of the answers.

    Attributes:
        spec: the limit; it bears the remedy's name.
    """

    kind: ClassVar[RemedyKind] = "answers"

    spec: type[LimitSpec]


REMEDIES: Registry[Remedy] = Registry("remedy", "nasaudit.remedies", Remedy)
REMEDIES.add(
    "deepen",
    Rewiring(
        "deepen", "nasaudit.arch.rewiring:deepen", "deepen {dose} of {most} nodes", "Making a cell deeper"
    ),
)
REMEDIES.add(
    "drop_skips",
    Rewiring(
        "drop skips",
        "nasaudit.arch.rewiring:drop_skips",
        "drop {dose} of {most} skips",
        "Putting convolutions in the place of skips",
    ),
)
REMEDIES.add(
    "both",
    Rewiring(
        "both rewirings",
        "nasaudit.arch.rewiring:both",
        doing="Making a cell deeper and dropping its skips",
    ),
)
REMEDIES.add("adversarial_training", TrainingRemedy("adversarial training (PGD)", PgdTrainingSpec))
REMEDIES.add("trades", TrainingRemedy("TRADES", TradesSpec))
REMEDIES.add("label_smoothing", TrainingRemedy("label smoothing", fields={"label_smoothing": 0.1}))
REMEDIES.add("dp_sgd", TrainingRemedy("DP-SGD-like training", PrivateSpec))
REMEDIES.add("rounded_answers", AnswersRemedy("rounded answers", RoundedSpec))
REMEDIES.add("top_answers", AnswersRemedy("top answers", TopSpec))

R = TypeVar("R", bound=Remedy)


def remedies_of(kind: type[R]) -> dict[str, R]:
    """All remedies of a kind, in the order of registration, plugins' last."""
    return {name: remedy for name in REMEDIES if isinstance(remedy := REMEDIES[name], kind)}


@dataclass(frozen=True)
class Switched:
    """A validator that builds the spec of a remedy: `trades`, or `{name: trades, beta: 3}`."""

    kind: type[TrainingRemedy | AnswersRemedy]
    noun: str

    def specs(self) -> dict[str, type[Spec]]:
        """What may be named."""
        remedies = remedies_of(self.kind).items()
        return {name: remedy.spec for name, remedy in remedies if remedy.spec is not None}

    def __call__(self, values: Any) -> Any:
        """The spec of what a user wrote; what is none already is left to pydantic."""
        if isinstance(values, str):
            values = {"name": values}
        if not isinstance(values, dict):
            return values
        specs, given = self.specs(), values.get("name")
        if not isinstance(given, str):
            raise SpecError("name", f"one of {', '.join(specs)}", given)
        name = next((known for known in specs if normalise(known) == normalise(given)), None)
        if name is None:
            raise UnknownNameError(self.noun, given, specs)
        return specs[name].parse({**values, "name": name})


DEFENCE = Switched(TrainingRemedy, "defence")
LIMIT = Switched(AnswersRemedy, "limit of the answers")
AnyDefence = Annotated[SerializeAsAny[DefenceSpec], BeforeValidator(DEFENCE)]
AnyLimit = Annotated[SerializeAsAny[LimitSpec], BeforeValidator(LIMIT)]
