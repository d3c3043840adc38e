"""Rows, flags and tables, checked against figures computed here from the artefacts themselves."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from fake_tasks import TEST_IMAGES, fake_plan

from nasaudit.planning.plan import Plan
from nasaudit.results.assemble import to_frame
from nasaudit.results.base import format_setting
from nasaudit.results.flags import Facts, raise_flags
from nasaudit.results.folder import StudyFolder, to_csv
from nasaudit.results.replicates import distinguishing
from nasaudit.results.schema import COLUMNS, Row, StudyResults
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.running.run import run_plan
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.tasks import EvasionTask, TrainTask
from nasaudit.store.records import Problem, Record
from nasaudit.store.store import Store
from nasaudit.verdicts.decide import collect

EPSILON = {"epsilon": "4/255", "norm": "linf", "goal": "untargeted"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Store, StudyResults, Path]:
    path = tmp_path_factory.mktemp("study")
    planned = fake_plan(path / "inputs")
    context = RunContext(path / "out" / "store", path / "inputs")
    results = run_plan(planned, path / "out", context, lambda: Serial(context))
    return planned, Store(context.store), results, path / "out"


def outcomes(study, kind: type, file: str) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    planned, store, _, _ = study
    found = {}
    for task in planned.tasks:
        if isinstance(task, kind):
            victim = task.victim if isinstance(task, EvasionTask) else task
            with np.load(store.open(task)[1] / file) as arrays:
                found[victim.architecture.name, victim.seed] = dict(arrays)
    return found


def one(results: StudyResults, **wanted: object) -> Row:
    rows = results.select(**wanted)
    assert len(rows) == 1, rows
    return rows[0]


def test_pooled_accuracy_counts_images_times_seeds(study) -> None:
    correct = outcomes(study, TrainTask, "outcomes.npz")
    row = one(study[2], architecture="darts", metric="clean_accuracy", seed="all")
    expected = np.mean([correct["darts", seed]["correct"].mean() for seed in (0, 1)])
    assert row.value == pytest.approx(expected)
    assert row.n == 2 * TEST_IMAGES
    assert row.low < row.value < row.high


def test_common_images_are_those_that_every_model_of_every_architecture_gets_right(study) -> None:
    correct = outcomes(study, TrainTask, "outcomes.npz")
    right = np.logical_and.reduce([arrays["correct"] for arrays in correct.values()])
    assert 0 < right.sum() < min(arrays["correct"].sum() for arrays in correct.values())
    attacked = outcomes(study, EvasionTask, "evasion.npz")
    for (name, seed), arrays in attacked.items():
        row = one(study[2], architecture=name, seed=seed, metric="asr", images="common", **EPSILON)
        broken = (arrays["minimal_epsilon"] <= 4 / 255) & right
        assert (row.value, row.n) == (pytest.approx(broken.sum() / right.sum()), right.sum())


@pytest.mark.parametrize("images", ["all", "correct", "common"])
def test_pooled_rates_are_means_over_seeds(study, images: str) -> None:
    correct = outcomes(study, TrainTask, "outcomes.npz")
    everyone = np.logical_and.reduce([arrays["correct"] for arrays in correct.values()])
    rates, counts = [], 0
    for seed in (0, 1):
        arrays = outcomes(study, EvasionTask, "evasion.npz")["resnet", seed]
        counted = {"all": np.ones(TEST_IMAGES, bool), "correct": arrays["correct"], "common": everyone}[
            images
        ]
        rates.append((arrays["minimal_epsilon"][counted] <= 4 / 255).mean())
        counts += int(counted.sum())
    row = one(study[2], architecture="resnet", seed="all", metric="asr", images=images, **EPSILON)
    assert (row.value, row.n) == (pytest.approx(np.mean(rates)), counts)


def test_robust_accuracy_is_what_the_attack_leaves(study) -> None:
    where = {"architecture": "darts", "seed": "all", "images": "all", **EPSILON}
    broken, kept = (one(study[2], metric=metric, **where) for metric in ("asr", "robust_accuracy"))
    assert kept.value == pytest.approx(1 - broken.value)
    assert kept.low == pytest.approx(1 - broken.high)


def test_a_bound_in_one_seed_is_a_bound_of_the_mean(study) -> None:
    row = one(study[2], architecture="darts", metric="steps_to_accuracy", seed="all")
    assert (row.value, row.n, row.setting, row.bound) == (10.5, 2, {"accuracy": "0.9"}, "lower")
    by_seed = study[2].select(architecture="darts", metric="steps_to_accuracy")
    assert [row.bound for row in by_seed] == ["", "lower", "lower"]
    assert one(study[2], architecture="darts", metric="loss_area", seed="all").bound == ""


def test_rows_are_unique(study) -> None:
    keys = [
        (row.architecture, row.seed, row.family, row.attack, row.metric, format_setting(row.setting))
        for row in study[2].rows
    ]
    assert len(set(keys)) == len(keys)


def test_examples_are_copied_into_the_folder(study) -> None:
    _, _, results, out = study
    assert len(results.examples) == 4
    for example in results.examples:
        with np.load(out / example.file) as arrays:
            assert arrays["clean"].shape == (1, 1, 8, 8)


def test_histories_are_kept(study) -> None:
    history = study[2].histories[0]
    assert (history.architecture, history.step, history.loss) == ("darts", [1, 2, 3], [2.0, 1.0, 0.5])


def test_the_table_reads_back_exactly(study) -> None:
    _, _, results, out = study
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [float(row["value"]) for row in rows] == [row.value for row in results.rows]
    assert [float(row["high"]) for row in rows] == [row.high for row in results.rows]
    assert rows[-1]["setting"] == format_setting(results.rows[-1].setting)


def test_names_with_commas_and_quotes_survive_the_table(study) -> None:
    row = study[2].rows[0].model_copy(update={"architecture": 'a, "b"\nc'})
    read = next(csv.DictReader(io.StringIO("".join(to_csv([row])))))
    assert read["architecture"] == 'a, "b"\nc'


def test_results_read_back_and_make_a_frame(study) -> None:
    _, _, results, out = study
    assert StudyFolder(out).results() == results
    frame = to_frame(results)
    assert list(frame.columns[: len(COLUMNS)]) == list(COLUMNS)
    picked = frame[(frame.metric == "asr") & (frame["setting.epsilon"] == "4/255") & (frame.seed == "all")]
    assert set(picked["setting.images"]) == {"all", "correct", "common"}
    assert len(picked) == 6


def test_attacks_that_share_norm_and_goal_are_told_apart_by_what_differs() -> None:
    short, long = PgdSpec(steps=20), PgdSpec(steps=40, images=100)
    other = PgdSpec(goal="least_likely", steps=80)
    told = distinguishing([short, long, other])
    assert told[short.digest()] == {"steps": "20", "images_asked": "500"}
    assert told[long.digest()] == {"steps": "40", "images_asked": "100"}
    assert told[other.digest()] == {}


# Flags, from rows made by hand.


def accuracy_row(template: Row, name: str, value: float) -> Row:
    return template.model_copy(update={"architecture": name, "value": value, "seed": "all"})


@pytest.fixture
def accurate(study) -> Row:
    return study[2].select(metric="clean_accuracy", seed="all")[0]


def kinds(
    planned: Plan, rows: list[Row], records: dict[str, Record] | None = None, common: int = 100
) -> list[str]:
    return [flag.kind for flag in raise_flags(Facts(planned, records or {}, rows, (), common))]


@pytest.mark.parametrize(("other", "flagged"), [(0.961, False), (0.959, True), (0.999, False), (1.0, True)])
def test_accuracies_more_than_two_points_apart_are_flagged(
    study, accurate, other: float, flagged: bool
) -> None:
    rows = [accuracy_row(accurate, "darts", 0.9795), accuracy_row(accurate, "resnet", other)]
    assert ("accuracy_gap" in kinds(study[0], rows)) is flagged


def test_every_pair_is_compared(study, accurate) -> None:
    rows = [accuracy_row(accurate, name, value) for name, value in (("a", 0.9), ("b", 0.95), ("c", 1.0))]
    found = raise_flags(Facts(study[0], {}, rows, (), 100))
    pairs = [flag.architectures for flag in found if flag.kind == "accuracy_gap"]
    assert pairs == [("a", "b"), ("a", "c"), ("b", "c")]


def test_few_seeds_few_common_images_and_low_accuracy_are_flagged(study, accurate) -> None:
    rows = [accuracy_row(accurate, "darts", 0.15)]
    found = kinds(study[0], rows, common=3)
    assert {"few_seeds", "few_common_images", "undertrained"} <= set(found)
    assert "few_common_images" not in kinds(study[0], rows, common=100)


def test_zero_gradients_are_flagged(study) -> None:
    template = study[2].select(metric="zero_gradient_share")[0]
    assert "zero_gradients" not in kinds(study[0], [template])
    hidden = template.model_copy(update={"value": 0.25})
    assert "zero_gradients" in kinds(study[0], [hidden])


def test_an_attack_with_fewer_images_than_asked_is_flagged_once(study) -> None:
    rows = study[2].select(metric="asr", seed=0, images="common")
    short = [
        row.model_copy(update={"setting": {**row.setting, "images": "all"}, "n": TEST_IMAGES - 1})
        for row in rows
    ]
    assert kinds(study[0], short).count("few_images") == 1
    assert "few_images" not in kinds(study[0], [row.model_copy(update={"n": TEST_IMAGES}) for row in short])


def test_records_of_different_code_are_flagged(study) -> None:
    planned, store, _, _ = study
    records = {task.digest(): store.open(task)[0] for task in planned.tasks}
    assert "mixed_versions" not in kinds(planned, [], records)
    first = next(iter(records))
    records[first] = records[first].model_copy(
        update={"versions": {**records[first].versions, "torch": "0.1"}}
    )
    assert "mixed_versions" in kinds(planned, [], records)


def test_a_seed_that_failed_is_left_out_and_said_so(study) -> None:
    planned, store, _, _ = study
    records = {task.digest(): store.open(task)[0] for task in planned.tasks}
    lost = next(task for task in planned.tasks if isinstance(task, EvasionTask))
    problem = Problem(type="NonFiniteError", message="NaN", traceback="...")
    records[lost.digest()] = records[lost.digest()].model_copy(
        update={"state": "failed", "problem": problem, "measurements": (), "artefacts": {}}
    )
    results = collect(planned, records, store, Path())
    row = one(results, architecture="darts", seed="all", metric="asr", images="all", **EPSILON)
    assert row.n == TEST_IMAGES
    assert [failure.type for failure in results.failures] == ["NonFiniteError"]
    assert results.flags[0].kind == "failed_task"
