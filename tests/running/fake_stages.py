"""Stages that cost nothing: a search whose finding is audited, and an evolution of several rounds."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from fake_tasks import SHAPE, TROUBLES, FakeConvergence, FakeEvasion, FakeTrain, fake_plan

from nasaudit.arch.catalogue import resolve
from nasaudit.measure.estimate import Measurement
from nasaudit.planning.plan import Plan
from nasaudit.planning.stages import Ask, Outcome, Part, Stage, Steps
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import Task
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace

ROUNDS, CHILDREN = 3, 2


class FakeSearch(Task):
    """One task that owns its supernet, and leaves the name of what it found."""

    work: ClassVar[str] = "fake_stages:fake_search"

    kind: Literal["search"] = "search"
    winner: str = "vgg"
    trouble: str = ""
    folder: str = ""
    seed: int = 0

    @property
    def expected_time(self) -> float:
        return 1e9

    def label(self) -> str:
        return "search by toy"


def fake_search(task: FakeSearch, workspace: Workspace) -> list[Measurement]:
    workspace.progress(0.5, "half of the supernet")
    if task.trouble in TROUBLES:
        TROUBLES[task.trouble](task)
    (workspace.folder / "found.json").write_text(json.dumps({"name": task.winner}))
    return []


def train(folder: Path, name: str, seed: int, trouble: str = "", naps: int = 3) -> FakeTrain:
    return FakeTrain(
        architecture=resolve(ArchChoice(name=name), "mini", 10, SHAPE),
        data=DataSpec(name="npz", path=str(folder / "tiny.npz")),
        training=TrainingSpec(),
        seed=seed,
        trouble=trouble,
        folder=str(folder),
        naps=naps,
    )


def audited(victims: tuple[FakeTrain, ...], attack: PgdSpec) -> Part:
    """An architecture with all its trainings, attacked like those that the study names."""
    measured = [
        task
        for victim in victims
        for task in (FakeEvasion(victim=victim, attack=attack), FakeConvergence(victim=victim))
    ]
    return Part((victims[0].architecture,), victims, tuple(measured))


def searched(folder: Path, attack: PgdSpec, trouble: str = "") -> Callable[[], Steps]:
    def steps() -> Steps:
        task = FakeSearch(trouble=trouble, folder=str(folder))
        (outcome,) = yield Ask((task,), expected=6)
        _, found = outcome.require()
        name = json.loads((found / "found.json").read_text())["name"]
        return audited((train(folder, name, 0), train(folder, name, 1)), attack)

    return steps


def fitness(outcome: Outcome) -> float:
    """A child that failed is no reason to stop; it is only never the best."""
    return -1.0 if outcome.record is None or outcome.why else outcome.record.measured("clean_accuracy").value


def evolved(folder: Path, attack: PgdSpec, lost: int = -1, naps: int = 3) -> Callable[[], Steps]:
    """Children are trainings of one architecture that differ in their seed, which is all that is inherited."""

    def steps() -> Steps:
        best, gene = -2.0, 40
        for left in reversed(range(ROUNDS)):
            children = tuple(
                train(folder, "nasnet", gene + k, "fail" if gene + k == lost else "", naps)
                for k in range(1, CHILDREN + 1)
            )
            outcomes = yield Ask(children, expected=left * CHILDREN + 3)
            for child, outcome in zip(children, outcomes, strict=True):
                if fitness(outcome) > best:
                    best, gene = fitness(outcome), child.seed
            gene += CHILDREN  # so that no child is asked for twice
        return audited((train(folder, "densenet", gene),), attack)

    return steps


def staged_plan(folder: Path, *, search: str = "", lost: int = -1, naps: int = 3) -> Plan:
    """A plan of one named architecture, one search and one evolution.

    `search` befalls the search; the child with the seed `lost` fails.
    """
    planned = fake_plan(folder, ("darts",), (0, 1), naps=naps)
    attack = planned.study.attacks[0]
    assert isinstance(attack, PgdSpec)
    stages = (
        Stage("search by toy", searched(folder, attack, search)),
        Stage("evolution of nasnet", evolved(folder, attack, lost, naps)),
    )
    return replace(planned, stages=stages)
