"""What a study makes of an attack or an analysis, given a victim: the task that measures it, with all that it needs.

A victim's defences are its own. Models that attackers make for themselves (to transfer examples from, to optimise a
poison on) are trained without them. Two kinds of trainings keep them: on poisoned images, because it is the victim
itself that trains on those; and shadow models, because what they imitate is the victim's training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.randomness import derive_seed
from nasaudit.spec.analyses import AnalysisSpec
from nasaudit.spec.arch import ArchSpec, Protocol, Scale
from nasaudit.spec.attacks import (
    AttackSpec,
    ExtractionSpec,
    Family,
    MembershipSpec,
    PoisoningSpec,
)
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.data import ShadowSubset
from nasaudit.spec.tasks import (
    AnalysisTask,
    ArchitectureAnalysisTask,
    AttackTask,
    BackdoorTask,
    EvasionTask,
    ExtractionTask,
    MembershipTask,
    PoisoningTask,
    PoisonTask,
    TrainTask,
    VictimAnalysisTask,
)
from nasaudit.spec.training import TrainingSpec

# Trainings of an attacker who does not know the victim's weights are seeded from here on, away from the victims'.
ATTACKERS_SEEDS = 10_000


@dataclass(frozen=True)
class Build:
    """What the architectures of a study have in common, so that an attacker's own model is built alike."""

    scale: Scale
    classes: int
    shape: tuple[int, int, int]
    protocol: Protocol = "sound"

    def architecture(self, name: str, victim: TrainTask) -> ArchSpec:
        """The attacker's architecture: `same` as the victim's, or one by name."""
        if name == SAME:
            return victim.architecture
        return resolve(choose(name), self.scale, self.classes, self.shape, self.protocol)


def evasion(victim: TrainTask, attack: AttackSpec, build: Build) -> AttackTask:
    """One task for the whole security curve; the attacker's own model, where one is needed, serves all victims."""
    if attack.made_on is None:
        return EvasionTask(victim=victim, attack=attack)
    surrogate = TrainTask(
        architecture=build.architecture(attack.made_on, victim),
        data=victim.data,
        training=victim.training.undefended(),
        seed=ATTACKERS_SEEDS + (victim.seed == ATTACKERS_SEEDS),
    )
    return EvasionTask(victim=victim, attack=attack, surrogate=surrogate)


def poisoning(victim: TrainTask, attack: AttackSpec, build: Build) -> AttackTask:
    """A training for each fraction; the clean one is the victim itself unless the attack asks for other epochs."""
    spec = cast(PoisoningSpec, attack)
    surrogate = None
    if spec.made_on is not None:
        surrogate = _poisoners_model(victim, spec, build.architecture(spec.made_on, victim))
    return PoisoningTask(
        victim=victim,
        attack=attack,
        clean=poisoned_training(victim, spec, 0.0),
        trainings=tuple(poisoned_training(victim, spec, fraction, surrogate) for fraction in spec.fractions),
    )


def poisoned_training(
    victim: TrainTask, attack: PoisoningSpec, fraction: float, surrogate: TrainTask | None = None
) -> TrainTask:
    """The victim's training with a share of its images poisoned. At 0 it is the clean training itself.

    Args:
        victim: the training as it would be.
        attack: decides which images are poisoned, and how.
        fraction: of the training images. Of a victim that came with weights the clean one is a training too, since
            what is compared must have the same recipe.
        surrogate: the attacker's own model, where the poison is optimised on one.
    """
    poison = None
    if fraction > 0:
        poison = PoisonTask(data=victim.data, attack=attack.at(fraction), surrogate=surrogate)
    return victim.model_copy(update={"training": _recipe(victim, attack), "poison": poison, "weights": None})


def _recipe(victim: TrainTask, attack: PoisoningSpec) -> TrainingSpec:
    """The victim's recipe, with the attack's epochs where it asks for others."""
    if attack.epochs is None:
        return victim.training
    return victim.training.model_copy(update={"epochs": attack.epochs})


def _poisoners_model(victim: TrainTask, attack: PoisoningSpec, architecture: ArchSpec) -> TrainTask:
    """The attacker's own clean training, from weights that no victim has: one serves the victims of all seeds."""
    seed = ATTACKERS_SEEDS + attack.seed
    return TrainTask(
        architecture=architecture,
        data=victim.data,
        training=_recipe(victim, attack).undefended(),
        seed=seed + (seed == victim.seed),
    )


def backdoor(victim: TrainTask, attack: AttackSpec, build: Build) -> AttackTask:
    """One task: the victim is copied, and the copy is backdoored."""
    return BackdoorTask(victim=victim, attack=attack)


def extraction(victim: TrainTask, attack: AttackSpec, build: Build) -> AttackTask:
    """One task for all budgets of a surrogate."""
    surrogate = build.architecture(cast(ExtractionSpec, attack).surrogate, victim)
    return ExtractionTask(victim=victim, attack=attack, surrogate=surrogate)


def membership(victim: TrainTask, attack: AttackSpec, build: Build) -> AttackTask:
    """One task, with the shadow models that the attack asks for."""
    spec = cast(MembershipSpec, attack)
    shadows = tuple(_shadow(victim, spec, model) for model in range(spec.shadow_models))
    return MembershipTask(victim=victim, attack=attack, shadows=shadows)


def _shadow(victim: TrainTask, attack: MembershipSpec, model: int) -> TrainTask:
    """A model that the attacker trains as the victim was trained, from weights that no victim has.

    Nothing in it hangs on the victim's seed: the victims of all seeds, and all attacks that ask for as many models,
    share it.
    """
    return TrainTask(
        architecture=victim.architecture,
        data=victim.data,
        training=victim.training,
        seed=derive_seed("shadow model", model, attack.seed),
        subset=ShadowSubset(model=model, models=attack.shadow_models, seed=attack.seed),
    )


EXPERIMENTS: dict[Family, Callable[[TrainTask, AttackSpec, Build], AttackTask]] = {
    "evasion": evasion,
    "poisoning": poisoning,
    "backdoor": backdoor,
    "extraction": extraction,
    "membership": membership,
}


def analysis(victim: TrainTask, spec: AnalysisSpec, trainings: Sequence[TrainTask]) -> AnalysisTask | None:
    """The task of an analysis; None where it is not of this victim.

    Args:
        victim: one of the trainings.
        spec: says what it is of.
        trainings: all those of the victim's architecture.
    """
    model = victim.architecture.model
    if spec.needs_history and victim.weights is not None:
        return None
    # A program is no fresh network; and nothing can be hooked to the layers of TorchScript.
    if model is not None and (model.is_torchscript or (model.is_program and spec.needs_fresh)):
        return None
    match spec.of:
        case "architecture":
            return ArchitectureAnalysisTask(architecture=victim.architecture, analysis=spec)
        case "victim":
            return VictimAnalysisTask(victim=victim, analysis=spec)
        case "pair":
            first, *others = trainings
            other = others[0] if others else None
            return VictimAnalysisTask(victim=first, analysis=spec, other=other) if victim == first else None
