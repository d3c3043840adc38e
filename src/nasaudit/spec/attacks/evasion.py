"""Evasion: a norm, a goal, the epsilons of the security curve, and each attack's hyper-parameters."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.units import Epsilon, Fractional

Norm = Literal["linf", "l2"]
Goal = Literal["untargeted", "least_likely", "second_likely", "targeted"]
LossName = Literal["ce", "dlr"]

LINF_GRID: tuple[float, ...] = tuple(level / 255 for level in (1, 2, 3, 4, 6, 8, 10, 12, 14, 16))
L2_GRID: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


class EvasionSpec(AttackSpec):
    """What every evasion attack shares: a norm, a goal, the epsilons of its security curve, the images.

    The threat model decides what the attack is given: `white_box` a Classifier; `score_based` an Oracle that
    answers with probabilities; `label_based` and `transfer` an Oracle that answers with the predicted class.
    """

    family: ClassVar[Family] = "evasion"
    trains: ClassVar[bool] = False
    # True: the attack looks for the nearest example itself (a MinimalAttack), and the epsilons only say where its
    # success is counted. False: it is run with one epsilon after another.
    minimal: ClassVar[bool] = False

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
        if self.min_confidence > 0 and self.threat_model in ("label_based", "transfer"):
            raise SpecError(
                "min_confidence", "0 for an attacker who sees no probabilities", self.min_confidence
            )
        if (self.goal == "targeted") != (self.target_class is not None):
            raise SpecError(
                "target_class", "a class for the goal `targeted`, none otherwise", self.target_class
            )
        return self

    def check(self, facts: DataFacts) -> None:
        """The class to reach must exist."""
        if self.target_class is not None and self.target_class >= facts.classes:
            raise SpecError("target_class", f"a class from 0 to {facts.classes - 1}", self.target_class)

    @property
    def most_steps(self) -> int | None:
        """How many updates an image gets at most; None where steps are no measure of this attack's effort."""
        return None

    @property
    def most_queries(self) -> int | None:
        """How many images the victim answers for each attacked one at most; None without a limit or an Oracle."""
        return None

    def label(self) -> str:
        """E.g. `pgd (linf, untargeted)`."""
        return f"{self.name} ({self.norm}, {self.goal})"


class PgdSpec(EvasionSpec):
    """Projected gradient descent: Madry et al., "Towards Deep Learning Models Resistant to Adversarial
    Attacks", ICLR 2018.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.pgd:Pgd"
    title: ClassVar[str] = "PGD"
    summary: ClassVar[str] = "projected gradient descent, linf or l2, untargeted or targeted"
    expected_epochs: ClassVar[float] = 10.0

    name: Literal["pgd"] = "pgd"
    steps: Annotated[int, Field(ge=1)] = 20
    step_size: Epsilon | None = None  # None: 2.5 * epsilon / steps, as Madry et al. advise
    restarts: Annotated[int, Field(ge=1)] = 1
    random_start: bool = True

    @property
    def most_steps(self) -> int:
        """Restarts add up."""
        return self.steps * self.restarts


class FgsmSpec(EvasionSpec):
    """Goodfellow, Shlens and Szegedy, "Explaining and Harnessing Adversarial Examples", ICLR 2015."""

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.fgsm:Fgsm"
    title: ClassVar[str] = "FGSM"
    summary: ClassVar[str] = "one step along the gradient: the cheapest attack, and no measure of robustness"
    expected_epochs: ClassVar[float] = 1.6

    name: Literal["fgsm"] = "fgsm"


class ApgdSpec(EvasionSpec):
    """Croce and Hein, "Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse Parameter-free
    Attacks", ICML 2020.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.apgd:Apgd"
    title: ClassVar[str] = "APGD"
    summary: ClassVar[str] = "projected gradient descent that chooses its own step size"

    name: Literal["apgd"] = "apgd"
    loss: LossName = "ce"
    steps: Annotated[int, Field(ge=1)] = 100
    restarts: Annotated[int, Field(ge=1)] = 1

    @property
    def most_steps(self) -> int:
        """Restarts add up."""
        return self.steps * self.restarts

    def check(self, facts: DataFacts) -> None:
        """The ratio of logits needs a third class, and towards a target a fourth one."""
        super().check(facts)
        least = 3 if self.goal == "untargeted" else 4
        if self.loss == "dlr" and facts.classes < least:
            raise SpecError("loss", f"`ce` for data with fewer than {least} classes", self.loss)


class DdnSpec(EvasionSpec):
    """Rony et al., "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks and Defenses",
    CVPR 2019.
    """  # noqa: D205

    threat_model: ClassVar[ThreatModel] = "white_box"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.ddn:Ddn"
    title: ClassVar[str] = "DDN"
    summary: ClassVar[str] = "the nearest adversarial example in l2, by a norm that grows and shrinks"
    expected_epochs: ClassVar[float] = 2.4
    minimal: ClassVar[bool] = True

    name: Literal["ddn"] = "ddn"
    norm: Literal["l2"] = "l2"
    steps: Annotated[int, Field(ge=1)] = 100
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.05  # share by which the norm changes in a step
    initial_norm: Annotated[Epsilon, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _any_confidence(self) -> Self:
        if self.min_confidence > 0:
            raise SpecError(
                "min_confidence", "0: the nearest example lies on the boundary", self.min_confidence
            )
        return self


class TransferSpec(EvasionSpec):
    """Dong et al., "Boosting Adversarial Attacks with Momentum", CVPR 2018, on the attacker's own model."""

    threat_model: ClassVar[ThreatModel] = "transfer"
    implementation: ClassVar[str] = "nasaudit.attacks.evasion.black_box.transfer:Transfer"
    summary: ClassVar[str] = "examples made on another model of the attacker's, by momentum iterative FGSM"
    expected_epochs: ClassVar[float] = 4.0

    name: Literal["transfer"] = "transfer"
    surrogate: str = (
        "resnet"  # an architecture for all victims, or `same` as the victim's; another seed trains it
    )
    steps: Annotated[int, Field(ge=1)] = 10
    decay: Annotated[float, Field(ge=0)] = 1.0  # of the momentum; 0: iterative FGSM

    @model_validator(mode="after")
    def _on_the_surrogate(self) -> Self:
        if self.norm != "linf":
            raise SpecError("norm", "`linf`", self.norm)
        return self

    @property
    def made_on(self) -> str:
        """The surrogate."""
        return self.surrogate

    @property
    def most_queries(self) -> int:
        """One: does the example fool the victim?"""
        return 1


ATTACKS.add("pgd", PgdSpec)
ATTACKS.add("fgsm", FgsmSpec)
ATTACKS.add("apgd", ApgdSpec, "auto_pgd")
ATTACKS.add("ddn", DdnSpec)
ATTACKS.add("transfer", TransferSpec, "mi_fgsm")
