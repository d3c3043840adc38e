"""Tasks: pure units of work. A task nests the tasks that it needs, so its digest covers everything upstream.

`version` is raised when the code of a kind changes what it computes: records of older code are then
not taken for new ones.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import AnyAttack
from nasaudit.spec.base import Spec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.training import TrainingSpec

Protocol = Literal["sound", "paper"]


class Task(Spec):
    """Root of all kinds. `work` names the function that does it, as `module:function`."""

    work: ClassVar[str]

    kind: str

    def needs(self) -> tuple["Task", ...]:
        """The tasks whose records must exist before this one runs."""
        return ()

    def label(self) -> str:
        """What a person reads beside the progress bar."""
        return self.kind


class TrainTask(Task):
    """Train one architecture on one data set with one seed; the victim that other tasks attack."""

    work: ClassVar[str] = "nasaudit.training.work:train_victim"

    kind: Literal["train"] = "train"
    version: int = 1
    architecture: ArchSpec
    data: DataSpec
    training: TrainingSpec
    seed: Annotated[int, Field(ge=0)]

    def label(self) -> str:
        """E.g. `train darts (seed 0)`."""
        return f"train {self.architecture.name} (seed {self.seed})"


class EvasionTask(Task):
    """Attack one victim's test images over the epsilons of the attack's security curve."""

    work: ClassVar[str] = "nasaudit.attacks.evasion.work:measure_evasion"

    kind: Literal["evasion"] = "evasion"
    version: int = 1
    victim: TrainTask
    attack: AnyAttack

    def needs(self) -> tuple[Task, ...]:
        """The victim."""
        return (self.victim,)

    def label(self) -> str:
        """E.g. `pgd (linf, untargeted) on darts (seed 0)`."""
        return f"{self.attack.label()} on {self.victim.architecture.name} (seed {self.victim.seed})"


class TopologyTask(Task):
    """Parameters, FLOPs and the shape of the cells: needs no training."""

    work: ClassVar[str] = "nasaudit.analysis.work:measure_topology"

    kind: Literal["topology"] = "topology"
    version: int = 1
    architecture: ArchSpec

    def label(self) -> str:
        """E.g. `topology of darts`."""
        return f"topology of {self.architecture.name}"


class ConvergenceTask(Task):
    """How fast a victim learned, from the history that its training left."""

    work: ClassVar[str] = "nasaudit.analysis.work:measure_convergence"

    kind: Literal["convergence"] = "convergence"
    version: int = 1
    victim: TrainTask

    def needs(self) -> tuple[Task, ...]:
        """The victim."""
        return (self.victim,)

    def label(self) -> str:
        """E.g. `convergence of darts (seed 0)`."""
        return f"convergence of {self.victim.architecture.name} (seed {self.victim.seed})"


TASKS: dict[str, type[Task]] = {
    kind.model_fields["kind"].default: kind
    for kind in (TrainTask, EvasionTask, TopologyTask, ConvergenceTask)
}
AnyTask = SerializeAsAny[Task]
