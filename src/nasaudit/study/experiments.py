"""What a study makes of an attack, given a victim: the task that measures it, with all that it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.spec.arch import ArchSpec, Scale
from nasaudit.spec.attacks import AttackSpec, ExtractionSpec, Family, PoisoningSpec
from nasaudit.spec.attacks.extraction import SAME
from nasaudit.spec.tasks import (
    AttackTask,
    BackdoorTask,
    EvasionTask,
    ExtractionTask,
    MembershipTask,
    PoisoningTask,
    PoisonTask,
    TrainTask,
)


@dataclass(frozen=True)
class Setting:
    """What the architectures of a study have in common, so that an attacker's own model is built alike."""

    scale: Scale
    classes: int
    shape: tuple[int, int, int]

    def architecture(self, name: str, victim: TrainTask) -> ArchSpec:
        """The attacker's architecture: `same` as the victim's, or one by name."""
        if name == SAME:
            return victim.architecture
        return resolve(choose(name), self.scale, self.classes, self.shape)


def evasion(victim: TrainTask, attack: AttackSpec, setting: Setting) -> AttackTask:
    """One task for the whole security curve."""
    return EvasionTask(victim=victim, attack=attack)


def poisoning(victim: TrainTask, attack: AttackSpec, setting: Setting) -> AttackTask:
    """A training for each fraction; the clean one is the victim itself unless the attack asks for other epochs."""
    spec = cast(PoisoningSpec, attack)
    return PoisoningTask(
        victim=victim,
        attack=attack,
        clean=poisoned_training(victim, spec, 0.0),
        trainings=tuple(poisoned_training(victim, spec, fraction) for fraction in spec.fractions),
    )


def poisoned_training(victim: TrainTask, attack: PoisoningSpec, fraction: float) -> TrainTask:
    """The victim's training with a share of its images poisoned. At 0 it is the clean training itself."""
    training = victim.training
    if attack.epochs is not None:
        training = training.model_copy(update={"epochs": attack.epochs})
    poison = PoisonTask(data=victim.data, attack=attack.at(fraction)) if fraction > 0 else None
    return victim.model_copy(update={"training": training, "poison": poison})


def backdoor(victim: TrainTask, attack: AttackSpec, setting: Setting) -> AttackTask:
    """One task: the victim is copied, and the copy is backdoored."""
    return BackdoorTask(victim=victim, attack=attack)


def extraction(victim: TrainTask, attack: AttackSpec, setting: Setting) -> AttackTask:
    """One task for all budgets of a surrogate."""
    surrogate = setting.architecture(cast(ExtractionSpec, attack).surrogate, victim)
    return ExtractionTask(victim=victim, attack=attack, surrogate=surrogate)


def membership(victim: TrainTask, attack: AttackSpec, setting: Setting) -> AttackTask:
    """One task, with the shadow models that the attack asks for."""
    return MembershipTask(victim=victim, attack=attack)


EXPERIMENTS: dict[Family, Callable[[TrainTask, AttackSpec, Setting], AttackTask]] = {
    "evasion": evasion,
    "poisoning": poisoning,
    "backdoor": backdoor,
    "extraction": extraction,
    "membership": membership,
}
