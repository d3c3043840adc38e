"""Tasks: pure units of work. A task nests the tasks that it needs, so its digest covers everything upstream.

`version` is raised when the code of a kind changes what it computes: records of older code are then
not taken for new ones. The code of a plugin changes without us: its package's version and a hash of its source
are a part of what is hashed.
"""

import json
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import Field

from nasaudit.errors import InputError
from nasaudit.spec.analyses import AnyAnalysis
from nasaudit.spec.arch import EPOCH_IMAGES, ArchSpec
from nasaudit.spec.attacks import AnyAttack, ExtractionSpec, PoisoningSpec
from nasaudit.spec.base import Spec
from nasaudit.spec.data import DataSpec, ShadowSubset
from nasaudit.spec.named import TRIFLE, foreign_code
from nasaudit.spec.recipes import surrogate_training
from nasaudit.spec.training import TrainingSpec
from nasaudit.strangers import sha256

MINI_EPOCHS = TrainingSpec().epochs  # of the training that the cost of a backdoor is stated in
STEP_IMAGES = TrainingSpec().batch_size
STEP_COST = (
    24  # images that take as long as what a step of training does beside its images; by recorded audits
)


def _images_of_a_step(batch_size: int) -> float:
    """As many images of an ordinary training take as long as a step of this batch."""
    return (batch_size + STEP_COST) / (STEP_IMAGES + STEP_COST) * STEP_IMAGES


class Task(Spec):
    """Root of all kinds. `work` names the function that does it, as `module:function`."""

    work: ClassVar[str]
    nests: ClassVar[bool] = True

    kind: str

    @property
    def expected_time(self) -> float:
        """How long it takes, roughly and in no unit: the longest runs first, and a study's ETA hangs on it."""
        return TRIFLE

    def needs(self) -> tuple["Task", ...]:
        """The tasks whose records must exist before this one runs."""
        return ()

    def canonical_json(self) -> str:
        """All fields, and the code of plugins that they name, with that of the tasks that it needs."""
        code = foreign_code(self)
        return super().canonical_json() + (json.dumps(code, sort_keys=True) if code else "")

    def label(self) -> str:
        """What a person reads beside the progress bar."""
        return self.kind


MAX_WEIGHTS_BYTES = 2**33  # the largest networks that timm builds have 4 GB


class WeightsFile(Spec):
    """A file with trained weights; `sha256` says which content was planned with."""

    path: str
    sha256: str

    @classmethod
    def of(cls, path: str) -> Self:
        """The file as it is now. Raises InputError: it is no regular file, or too large for weights."""
        return cls(path=path, sha256=sha256(Path(path), InputError, most=MAX_WEIGHTS_BYTES))


class TrainTask(Task):
    """Train one architecture on one data set with one seed.

    As it stands it makes a victim; with `poison` the training images are first changed by an attacker, with
    `subset` it makes a shadow model. With `weights` the victim was trained elsewhere and is taken as it is.
    """

    work: ClassVar[str] = "nasaudit.training.work:train_network"

    kind: Literal["train"] = "train"
    version: int = 2
    architecture: ArchSpec
    data: DataSpec
    training: TrainingSpec
    seed: Annotated[int, Field(ge=0)]
    poison: "PoisonTask | None" = None
    subset: ShadowSubset | None = None
    weights: WeightsFile | None = None

    @property
    def expected_time(self) -> float:
        """Of its epochs."""
        epochs = self.training.epochs * self.data.expected_images() / EPOCH_IMAGES
        return epochs * self.architecture.epoch_time * self.training.expected_time

    def needs(self) -> tuple[Task, ...]:
        """The poison, where there is one."""
        return () if self.poison is None else (self.poison,)

    def label(self) -> str:
        """E.g. `train darts (seed 0)`, `train darts (seed 0) on 10% label_flip`, `train darts (shadow 3 of 8)`."""
        if self.weights is not None:
            return f"load {self.architecture.name} from {self.weights.path}"
        if self.subset is not None:
            return f"train {self.architecture.name} (shadow {self.subset.model + 1} of {self.subset.models})"
        poison = "" if self.poison is None else f" on {self.poison.label()}"
        return f"train {self.architecture.name} (seed {self.seed}){poison}"


class TrialTask(Task):
    """Build a network that a user brought, try all that will be done with it, and fill in its weights.

    It is a task so that an executor can do it: code that ends its process shall not end the runner's. No record is
    kept of it.
    """

    work: ClassVar[str] = "nasaudit.training.work:try_network"

    kind: Literal["trial"] = "trial"
    architecture: ArchSpec
    weights: WeightsFile | None = None
    # Attacks and analyses of the study, by name, that take gradients by pixels, and by weights.
    by_pixels: tuple[str, ...] = ()
    by_weights: tuple[str, ...] = ()

    def label(self) -> str:
        """E.g. `try net.py:build`."""
        return f"try {self.architecture.name}"


class PoisonTask(Task):
    """Change a share of the training images. One poison serves every training that it does not hang on."""

    work: ClassVar[str] = "nasaudit.attacks.poisoning.work:craft_poison"

    kind: Literal["poison"] = "poison"
    version: int = 1
    data: DataSpec
    attack: AnyAttack  # a PoisoningSpec with one fraction
    surrogate: TrainTask | None = None  # the model that an optimised poison is made on

    @property
    def expected_time(self) -> float:
        """As the attack expects, where the poison is optimised."""
        if self.surrogate is None:
            return super().expected_time
        images = self.data.expected_images() / EPOCH_IMAGES
        return self.attack.expected_epochs * images * self.surrogate.architecture.epoch_time

    def needs(self) -> tuple[Task, ...]:
        """The attacker's model, where there is one."""
        return () if self.surrogate is None else (self.surrogate,)

    def label(self) -> str:
        """E.g. `0.1 label_flip`, `0.03 gradient_matching made on resnet`."""
        model = "" if self.surrogate is None else f" made on {self.surrogate.architecture.name}"
        return f"{cast(PoisoningSpec, self.attack).fractions[0]:.3g} {self.attack.name}{model}"


class AttackTask(Task):
    """Root of the tasks that attack one trained victim."""

    victim: TrainTask
    attack: AnyAttack

    @property
    def expected_time(self) -> float:
        """As the attack expects, of as many images whatever the data."""
        return self.attack.expected_epochs * self.victim.architecture.pass_time

    def needs(self) -> tuple[Task, ...]:
        """The victim."""
        return (self.victim,)

    def label(self) -> str:
        """E.g. `pgd (linf, untargeted) on darts (seed 0)`."""
        return f"{self.attack.label()} on {self.victim.architecture.name} (seed {self.victim.seed})"


class EvasionTask(AttackTask):
    """Attack one victim's test images over the epsilons of the attack's security curve."""

    work: ClassVar[str] = "nasaudit.attacks.evasion.work:measure_evasion"

    kind: Literal["evasion"] = "evasion"
    version: int = 2
    surrogate: TrainTask | None = None  # the attacker's own model, for the threat model `transfer`

    def needs(self) -> tuple[Task, ...]:
        """The victim, and the attacker's model where there is one."""
        return (self.victim,) if self.surrogate is None else (self.victim, self.surrogate)


class PoisoningTask(AttackTask):
    """Compare trainings on poisoned data with the one on clean data.

    `trainings` has one for each fraction of the attack, in its order; that of the fraction 0 is the clean one.
    """

    work: ClassVar[str] = "nasaudit.attacks.poisoning.work:measure_poisoning"

    kind: Literal["poisoning"] = "poisoning"
    version: int = 2
    clean: TrainTask
    trainings: tuple[TrainTask, ...]

    @property
    def expected_time(self) -> float:
        """Next to nothing: the time goes into what it compares."""
        return TRIFLE

    def needs(self) -> tuple[Task, ...]:
        """Every training that is compared."""
        return (self.clean, *self.trainings)


class BackdoorTask(AttackTask):
    """Plant a backdoor in one victim, and measure it."""

    work: ClassVar[str] = "nasaudit.attacks.backdoor.work:measure_backdoor"

    kind: Literal["backdoor"] = "backdoor"
    version: int = 2

    @property
    def expected_time(self) -> float:
        """In proportion to the victim's training."""
        recipe = self.victim.training.undefended()
        victim = self.victim.model_copy(update={"training": recipe})
        return self.attack.expected_epochs / MINI_EPOCHS * victim.expected_time


class ExtractionTask(AttackTask):
    """Steal one victim's function with every budget of the attack."""

    work: ClassVar[str] = "nasaudit.attacks.extraction.work:measure_extraction"

    kind: Literal["extraction"] = "extraction"
    version: int = 2
    surrogate: ArchSpec  # what is trained on the victim's answers

    @property
    def expected_time(self) -> float:
        """Of the steps of a surrogate for each budget, and of what is tried on it."""
        attack, victim = cast(ExtractionSpec, self.attack), self.victim
        images = attack.budgets or tuple(
            round(victim.data.expected_images(share * victim.data.pool_fraction))
            for share in attack.budget_shares
        )
        recipes = [surrogate_training(attack, victim.training, budget) for budget in images]
        learned = sum(
            recipe.epochs * max(1, budget // recipe.batch_size) * _images_of_a_step(recipe.batch_size)
            for recipe, budget in zip(recipes, images, strict=True)
        )
        training = learned / EPOCH_IMAGES * self.surrogate.epoch_time
        return training + len(images) * attack.expected_epochs * self.surrogate.pass_time


class MembershipTask(AttackTask):
    """Tell one victim's training images from others."""

    work: ClassVar[str] = "nasaudit.attacks.membership.work:measure_membership"

    kind: Literal["membership"] = "membership"
    version: int = 2
    shadows: tuple[TrainTask, ...] = ()

    @property
    def expected_time(self) -> float:
        """As the attack expects, of all images that the victim was or was not trained on."""
        images = self.victim.data.expected_images() / EPOCH_IMAGES
        return self.attack.expected_epochs * images * self.victim.architecture.pass_time

    def needs(self) -> tuple[Task, ...]:
        """The victim and the shadow models."""
        return (self.victim, *self.shadows)


class AnalysisTask(Task):
    """Root of the tasks that analyse; the function that does the work is the analysis's own."""

    version: int = 4
    analysis: AnyAnalysis

    @property
    def work(self) -> str:  # type: ignore[override]
        """The analysis's implementation."""
        return self.analysis.implementation


class ArchitectureAnalysisTask(AnalysisTask):
    """Analyse an architecture: needs no training."""

    kind: Literal["architecture_analysis"] = "architecture_analysis"
    architecture: ArchSpec

    @property
    def expected_time(self) -> float:
        """As the analysis expects."""
        return self.analysis.expected_epochs * self.architecture.pass_time

    def label(self) -> str:
        """E.g. `topology of darts`."""
        return f"{self.analysis.name} of {self.architecture.name}"


class VictimAnalysisTask(AnalysisTask):
    """Analyse one trained victim; `other` is a second training of its architecture, for analyses of a pair."""

    kind: Literal["victim_analysis"] = "victim_analysis"
    victim: TrainTask
    other: TrainTask | None = None

    @property
    def expected_time(self) -> float:
        """As the analysis expects."""
        return self.analysis.expected_epochs * self.victim.architecture.pass_time

    def needs(self) -> tuple[Task, ...]:
        """The victim, and the other one."""
        return (self.victim,) if self.other is None else (self.victim, self.other)

    def label(self) -> str:
        """E.g. `convergence of darts (seed 0)`."""
        return f"{self.analysis.name} of {self.victim.architecture.name} (seed {self.victim.seed})"


TrainTask.model_rebuild()
