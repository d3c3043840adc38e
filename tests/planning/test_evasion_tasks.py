"""What a study makes of evasion attacks: the surrogate of a transfer attack, and the rows of nearest examples."""

from pathlib import Path

import numpy as np
import pytest

from nasaudit.measure.estimate import Measurement, exact
from nasaudit.planning.plan import plan
from nasaudit.results.pooled import derived
from nasaudit.results.replicates import Replicates, measured_tasks
from nasaudit.spec.attacks import DdnSpec, EvasionSpec, PgdSpec, SquareSpec, TransferSpec
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.spec.tasks import EvasionTask, TrainTask
from nasaudit.store.artefacts import EVASION
from nasaudit.store.records import Record


def planned(tmp_path: Path, *attacks: EvasionSpec):
    architectures = (ArchChoice(name="darts"), ArchChoice(name="resnet"))
    study = StudySpec(
        architectures=architectures, data={"name": "digits"}, attacks=attacks, seeds=(0, 1), analyses=()
    )
    return plan(study, tmp_path)


def test_one_surrogate_serves_all_victims_and_is_none_of_them(tmp_path: Path) -> None:
    found = planned(tmp_path, TransferSpec(), PgdSpec())
    tasks = [task for task in found.tasks if isinstance(task, EvasionTask)]
    surrogates = {task.surrogate.digest(): task.surrogate for task in tasks if task.attack.name == "transfer"}
    assert len(surrogates) == 1
    (surrogate,) = surrogates.values()
    assert surrogate.architecture.name == "resnet"
    assert surrogate not in found.victims
    assert len(found.victims) == 4
    assert all(task.surrogate is None for task in tasks if task.attack.name == "pgd")
    measured = [task for task, _ in measured_tasks(found) if isinstance(task, TrainTask)]
    assert len(measured) == 4


def test_the_surrogate_may_be_of_the_victims_architecture(tmp_path: Path) -> None:
    found = planned(tmp_path, TransferSpec(surrogate="same"))
    tasks = [task for task in found.tasks if isinstance(task, EvasionTask)]
    assert {(task.victim.architecture.name, task.surrogate.architecture.name) for task in tasks} == {
        ("darts", "darts"), ("resnet", "resnet")
    }  # fmt: skip


def group(tmp_path: Path, attack: EvasionSpec, minimal: list[np.ndarray], found: list[list[Measurement]]):
    records = {}
    for seed, (distances, measurements) in enumerate(zip(minimal, found, strict=True)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        np.savez(
            folder / EVASION, index=np.arange(len(distances)), correct=np.full(len(distances), True),
            minimal_epsilon=distances, steps=np.full(len(distances), 3),
        )  # fmt: skip
        record = Record(
            digest="0" * 20, kind="evasion", label="", task={}, state="ok", measurements=tuple(measurements),
            seconds=1.0, finished="", versions={},
        )  # fmt: skip
        records[seed] = (record, folder)
    return Replicates(None, "evasion", attack, records)


def pooled_value(rows, metric: str) -> float:
    (only,) = [m for seed, m in rows if seed == "all" and m.metric == metric and "common" not in str(m)]
    return only.estimate.value


def test_pooled_figures_of_nearest_examples_are_those_of_their_distances(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    minimal = [rng.uniform(0, 2.0, 300), rng.uniform(0.5, 2.0, 300)]
    rows = list(derived(group(tmp_path, DdnSpec(), minimal, [[], []]), np.empty(0, np.int64)))
    half = np.mean([np.median(distances) for distances in minimal])
    assert pooled_value(rows, "median_minimal_epsilon") == pytest.approx(half, abs=0.01)
    # From 1/64 to 8 are nine factors of 2.
    area = np.mean([np.log2(8 / distances.clip(1 / 64)).mean() / 9 for distances in minimal])
    assert pooled_value(rows, "curve_area") == pytest.approx(area, abs=0.005)


def test_queries_are_pooled_over_seeds(tmp_path: Path) -> None:
    minimal = [np.full(5, 8 / 255), np.full(5, 8 / 255)]
    found = [[Measurement("mean_queries", exact(value, "queries", n=5))] for value in (100, 140)]
    rows = list(derived(group(tmp_path, SquareSpec(), minimal, found), np.empty(0, np.int64)))
    assert pooled_value(rows, "mean_queries") == 120
