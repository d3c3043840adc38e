"""What can be said of an attack before it runs: family, access, budget, hyper-parameters.

Each class names its implementation as `module:Class`, which is imported when the attack runs, so that
listing or validating attacks imports no torch.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from nasaudit.errors import SpecError
from nasaudit.registry import Registry
from nasaudit.spec.base import Spec
from nasaudit.spec.units import Epsilon, Fractional

Family = Literal["evasion", "poisoning", "backdoor", "extraction", "membership"]
FAMILIES: tuple[Family, ...] = ("evasion", "poisoning", "backdoor", "extraction", "membership")
ThreatModel = Literal["white_box", "score_based", "label_based", "transfer"]
Norm = Literal["linf", "l2"]
Goal = Literal["untargeted", "least_likely", "targeted"]

LINF_GRID: tuple[float, ...] = tuple(level / 255 for level in (1, 2, 3, 4, 6, 8, 10, 12, 14, 16))
L2_GRID: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


class AttackSpec(Spec):
    """Root of the attacks' specs."""

    family: ClassVar[Family]
    threat_model: ClassVar[ThreatModel]
    implementation: ClassVar[str]  # "module:Class"
    summary: ClassVar[str]

    name: str

    def label(self) -> str:
        """What a person reads beside the progress bar."""
        return self.name


class EvasionSpec(AttackSpec):
    """What every evasion attack shares: a norm, a goal, the epsilons of its security curve, the images."""

    family: ClassVar[Family] = "evasion"

    norm: Norm = "linf"
    goal: Goal = "untargeted"
    target_class: Annotated[int, Field(ge=0)] | None = None  # for the goal `targeted`
    epsilons: tuple[Epsilon, ...] = ()  # ascending; empty: the norm's default grid
    images: Annotated[int, Field(ge=1)] = 500  # the same indices for every architecture, by data seed
    only_correct: bool = False  # protocol `paper`: attack correctly classified images only
    min_confidence: Fractional = 0.0  # protocol `paper`: the target's probability must exceed this

    @model_validator(mode="before")
    @classmethod
    def _default_grid(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("epsilons"):
            norm = values.get("norm", cls.model_fields["norm"].default)
            return {**values, "epsilons": L2_GRID if norm == "l2" else LINF_GRID}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.epsilons) != sorted(set(self.epsilons)):
            raise SpecError("epsilons", "ascending values, each once", self.epsilons)
        if self.norm == "linf" and self.epsilons[-1] > 1:
            raise SpecError("epsilons", "at most 1 for linf: write 8/255, not 8", self.epsilons[-1])
        if (self.goal == "targeted") != (self.target_class is not None):
            raise SpecError(
                "target_class", "a class for the goal `targeted`, none otherwise", self.target_class
            )
        return self

    def label(self) -> str:
        """E.g. `pgd (linf, untargeted)`."""
        return f"{self.name} ({self.norm}, {self.goal})"


class PgdSpec(EvasionSpec):
    """Projected gradient descent: Madry et al., "Towards Deep Learning Models Resistant to Adversarial
    Attacks", ICLR 2018.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.pgd:Pgd"
    summary: ClassVar[str] = "projected gradient descent, linf or l2, untargeted or targeted"

    name: Literal["pgd"] = "pgd"
    steps: Annotated[int, Field(ge=1)] = 20
    step_size: Epsilon | None = None  # None: 2.5 * epsilon / steps, as Madry et al. advise
    restarts: Annotated[int, Field(ge=1)] = 1
    random_start: bool = True


ATTACKS: Registry[type[AttackSpec]] = Registry("attack", "nasaudit.attacks", type)
ATTACKS.add("pgd", PgdSpec)


def _by_name(values: Any) -> Any:
    """Build the spec class that `name` stands for; a bare string is a name with all defaults."""
    if isinstance(values, str):
        values = {"name": values}
    if isinstance(values, dict):
        if not isinstance(values.get("name"), str):
            raise SpecError("name", "the name of an attack", values.get("name"))
        return ATTACKS[values["name"]].parse({**values, "name": ATTACKS.canonical(values["name"])})
    return values


AnyAttack = Annotated[SerializeAsAny[AttackSpec], BeforeValidator(_by_name)]
