"""The records of one experiment on one architecture, over its seeds: what rows are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from nasaudit.measure.estimate import Estimate, Measurement, Setting
from nasaudit.planning.plan import Plan
from nasaudit.results.artefacts import Arrays, attacked
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import AttackSpec
from nasaudit.spec.tasks import (
    ArchitectureAnalysisTask,
    AttackTask,
    PoisonTask,
    Task,
    TrainTask,
    VictimAnalysisTask,
)
from nasaudit.store.artefacts import EVASION
from nasaudit.store.records import Record

Seed = int | Literal["all"]
Key = tuple[str, Setting]  # metric and setting


@dataclass(frozen=True)
class Subject:
    """What a task measures.

    Attributes:
        architecture: of the victim.
        seed: of its training; "all" for what no training changes.
        family: an attack's, an analysis by name, or "training".
        attack: None outside of attacks.
    """

    architecture: ArchSpec
    seed: Seed
    family: str
    attack: AttackSpec | None = None


def subject_of(task: Task) -> Subject | None:
    """Say what a task measures; None when it only decides, or makes what an attack needs (a poison, say)."""
    match task:
        case TrainTask(poison=None, subset=None):
            return Subject(task.architecture, task.seed, "training")
        case TrainTask() | PoisonTask():
            return None
        case ArchitectureAnalysisTask():
            return Subject(task.architecture, "all", task.analysis.name)
        case VictimAnalysisTask():
            return Subject(task.victim.architecture, task.victim.seed, task.analysis.name)
        case AttackTask():
            victim = task.victim
            return Subject(victim.architecture, victim.seed, task.attack.family, task.attack)
    return None


def measured_tasks(planned: Plan) -> Iterator[tuple[Task, Subject]]:
    """The tasks whose measurements become rows, with what they measure.

    Trainings that serve an attack are left out: the attacker's own model may be of an architecture of the study. So
    are the children of searches, with what is measured on them.
    """
    victims = {victim.digest() for victim in planned.victims}
    audited = {architecture.name for architecture in planned.architectures}
    for task in planned.tasks:
        subject = subject_of(task)
        if subject is None or subject.architecture.name not in audited:
            continue
        if not isinstance(task, TrainTask) or task.digest() in victims:
            yield task, subject


@dataclass(frozen=True)
class Replicates:
    """One experiment on one architecture, over the seeds of its trainings.

    Attributes:
        architecture: the victim's.
        family: see `Subject`.
        attack: None outside of attacks.
        records: the successful ones, by seed, with the folder of their artefacts.
    """

    architecture: ArchSpec
    family: str
    attack: AttackSpec | None
    records: dict[Seed, tuple[Record, Path]]

    @cached_property
    def measured(self) -> dict[Key, dict[Seed, Estimate]]:
        """Every metric and setting, in the order of the first record, with the seeds that have it."""
        estimates: dict[Key, dict[Seed, Estimate]] = {}
        for seed, measurement in self.measurements():
            key = measurement.metric, measurement.setting
            estimates.setdefault(key, {})[seed] = measurement.estimate
        return estimates

    def measured_by_all(self) -> Iterator[tuple[Key, dict[Seed, Estimate]]]:
        """The measurements that every seed has: without the others a mean were one of the lucky seeds."""
        return (item for item in self.measured.items() if len(item[1]) == len(self.records))

    def measurements(self) -> Iterator[tuple[Seed, Measurement]]:
        """What the records say, seed by seed."""
        for seed, (record, _) in self.records.items():
            for measurement in record.measurements:
                yield seed, measurement

    def attacked(self, seed: Seed) -> Arrays:
        """What became of each image of an evasion attack."""
        return attacked(self.records[seed][1] / EVASION)


def collect_replicates(planned: Plan, opened: Mapping[str, tuple[Record, Path]]) -> Iterator[Replicates]:
    """All experiments, one after the other: architectures as asked, and for each the kinds as planned.

    The records of an experiment are opened when it is its turn: those of 100,000 tasks would fill the memory.

    Args:
        planned: the study's plan.
        opened: the successful records and their folders, by digest.
    """
    experiments: dict[tuple[str, str, str], tuple[Subject, dict[Seed, str]]] = {}
    for task, subject in measured_tasks(planned):
        attack = subject.attack
        key = (subject.architecture.name, subject.family, attack.digest() if attack else "")
        _, digests = experiments.setdefault(key, (subject, {}))
        if task.digest() in opened:
            digests[subject.seed] = task.digest()
    order = {architecture.name: place for place, architecture in enumerate(planned.architectures)}
    for subject, digests in sorted(experiments.values(), key=lambda one: order[one[0].architecture.name]):
        records = {seed: opened[digest] for seed, digest in digests.items()}
        yield Replicates(subject.architecture, subject.family, subject.attack, records)


def distinguishing(attacks: Sequence[AttackSpec]) -> dict[str, dict[str, str]]:
    """For each attack, by digest, the fields that tell it from others that would share its rows.

    Rows carry an attack's name, norm and goal. Two attacks that agree in these and differ in, say, their
    steps get `steps=20` and `steps=40` in the setting of their rows; a field called `images` is written as
    `images_asked`, because `images` says which images a rate counts.
    """
    extra: dict[str, dict[str, str]] = {attack.digest(): {} for attack in attacks}
    values = {attack.digest(): attack.model_dump(mode="json") for attack in attacks}
    for attack in attacks:
        mine = values[attack.digest()]
        for theirs in values.values():
            if all(theirs.get(field) == mine.get(field) for field in ("name", "norm", "goal")):
                # Either may leave out what is off; nothing is said of a field that has nothing to tell.
                for field in sorted({*mine, *theirs} & type(attack).model_fields.keys()):
                    if mine.get(field) != theirs.get(field) and (told := attack.told(field)):
                        extra[attack.digest()]["images_asked" if field == "images" else field] = told
    return extra
