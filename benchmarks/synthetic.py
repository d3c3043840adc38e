"""A study of any size whose records are made up: for measuring what a study costs beside its tasks.

One architecture is trained and attacked in earnest; every other task gets the record of its like, with the figures
moved at random and the same artefacts.
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.planning.plan import Plan, plan
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import AttackTask, Task
from nasaudit.store import files
from nasaudit.store import store as storing
from nasaudit.store.records import Record
from nasaudit.store.store import Store

SEEDS = 5
TASKS_OF_AN_ARCHITECTURE = 100
DATA = {"name": "digits", "train_images": 100}
QUICK = {"images": 20}
ATTACKS = [
    *({"name": "fgsm", "epsilons": [f"{k}/255"], **QUICK} for k in (2, 4, 8, 16)),
    *({"name": "pgd", "epsilons": ["8/255"], "steps": steps, **QUICK} for steps in (1, 2, 3, 5)),
    *({"name": "fgsm", "norm": "l2", "epsilons": [size], **QUICK} for size in (0.25, 0.5)),
    *({"name": "knockoff", "budget_shares": [], "budgets": [budget]} for budget in (10, 20)),
    *({"name": "badnets", "poison_fraction": share} for share in (0.05, 0.1)),
    {"name": "architectural"},
    *({"name": "gap"}, {"name": "loss_threshold"}),
    *(
        {"name": "fgsm", "goal": "targeted", "target_class": 0, "epsilons": [f"{k}/255"], **QUICK}
        for k in (8, 16)
    ),
]


def study(tasks: int, seeds: int = SEEDS) -> StudySpec:
    """Of so many tasks: a hundred for each architecture, five trainings with nineteen attacks each."""
    cells = tasks // (seeds * (1 + len(ATTACKS)))
    return StudySpec.parse(
        {
            "name": f"synthetic-{tasks}",
            "population": {"cells": cells, "published": False, "hardened": False},
            "data": DATA,
            "seeds": list(range(seeds)),
            "attacks": ATTACKS,
            "analyses": [],
            "training": {"epochs": 1},
        }
    )


def fill(tasks: int, store: Path, samples: Path) -> Plan:
    """Write a record for every task of the study that has none; nothing is synced to the disk.

    Args:
        tasks: see `study`.
        store: folder of the records.
        samples: folder of the study that is done in earnest.
    """
    real = study(1 + len(ATTACKS), seeds=1)
    run(real, samples, RunOptions(executor="serial"))
    kept = Store(samples / "store")
    like = {_kind(task): kept.open(task) for task in plan(real, Path("data")).tasks}
    planned = plan(study(tasks), Path("data"))
    target, rng = Store(store), random.Random(tasks)
    storing.sync = files.sync = lambda path: None
    files.os.fsync = lambda descriptor: None
    with target.writing():
        for task in planned.tasks:
            if not (target.path(task.digest()) / "record.json").exists():
                record, folder = like[_kind(task)]
                workspace = target.workspace(task)
                for name in record.artefacts:
                    shutil.copyfile(folder / name, workspace / name)
                target.commit(made_up(task, record, rng), workspace)
    return planned


def made_up(task: Task, record: Record, rng: random.Random) -> Record:
    """The record of its like with other figures, between the same limits."""
    share = rng.random() / 2
    return record.model_copy(
        update={
            "digest": task.digest(),
            "label": task.label(),
            "task": task.model_dump(mode="json"),
            "measurements": tuple(_moved(record.measurements, share)),
            "artefacts": {},
            "seconds": rng.uniform(0.5, 1.5) * record.seconds,
        }
    )


def _moved(measurements: tuple[Measurement, ...], share: float) -> Iterator[Measurement]:
    for measured in measurements:
        old = measured.estimate
        numbers = [(1 - share) * number for number in (old.value, old.low, old.high)]
        yield Measurement(measured.metric, Estimate(*numbers, old.n, old.unit, old.bound), measured.setting)


def _kind(task: Task) -> str:
    return task.attack.digest() if isinstance(task, AttackTask) else task.kind
