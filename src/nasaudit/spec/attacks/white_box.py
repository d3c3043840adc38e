"""Evasion by gradients: of the victim, or of a model of the attacker's own."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.attacks.base import ATTACKS, DataFacts, ThreatModel
from nasaudit.spec.attacks.evasion_base import EvasionSpec, LossName
from nasaudit.spec.units import Epsilon

# Of the Skip Gradient Method: by how much gradients are decayed that do not go through a skip connection (1: not at
# all). Left out of the digest where it is off.
SkipGamma = Annotated[float, Field(gt=0, le=1, exclude_if=lambda value: value == 1)]


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
    steps: Annotated[int, Field(ge=1)] = 20  # of each start
    step_size: Epsilon | None = None  # None: 2.5 * epsilon / steps, as Madry et al. advise
    restarts: Annotated[int, Field(ge=1)] = 1  # starts, of which the best counts
    random_start: bool = True  # begin at a random point of the ball
    skip_gamma: SkipGamma = 1.0  # on the victim itself; see `victim.skips`

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
    loss: LossName = "ce"  # cross entropy, or the difference of logits ratio
    steps: Annotated[int, Field(ge=1)] = 100  # of each start
    restarts: Annotated[int, Field(ge=1)] = 1  # starts, of which the best counts
    # Runs towards so many of the likeliest wrong classes, all where the data have fewer; None: one away from the own.
    target_classes: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _any_wrong_class(self) -> Self:
        if self.target_classes is not None and self.goal != "untargeted":
            raise SpecError("target_classes", "none for a goal that has its class", self.target_classes)
        return self

    @property
    def most_steps(self) -> int:
        """Restarts and targets add up."""
        return self.steps * self.restarts * (self.target_classes or 1)

    def check(self, facts: DataFacts) -> None:
        """The ratio of logits needs a third class, and towards a target a fourth one."""
        super().check(facts)
        least = 3 if self.goal == "untargeted" and self.target_classes is None else 4
        if self.loss == "dlr" and facts.classes < least:
            raise SpecError("loss", f"`ce` for data with fewer than {least} classes", self.loss)


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
    steps: Annotated[int, Field(ge=1)] = 10  # on the surrogate
    decay: Annotated[float, Field(ge=0)] = 1.0  # of the momentum; 0: iterative FGSM
    # Below 1 the attack is run without it as well, and what it gained is measured: see `victim.skips`.
    skip_gamma: SkipGamma = 1.0

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
ATTACKS.add("transfer", TransferSpec, "mi_fgsm")
