"""A run within a budget: what can be compared soonest comes first, and the next run goes on."""

import itertools
import json

import pytest
from fake_tasks import fake_plan

from nasaudit.errors import SpecError
from nasaudit.running.budget import Budget
from nasaudit.running.execute import death
from nasaudit.running.executors.base import RunContext
from nasaudit.running.executors.serial import Serial
from nasaudit.running.options import RunOptions
from nasaudit.running.order import informative_first, longest_first
from nasaudit.running.run import run_plan
from nasaudit.running.schedule import Schedule
from nasaudit.spec.tasks import TrainTask


def ok(task, seconds=1.0):
    return death(task, "", 1).model_copy(update={"state": "ok", "problem": None, "seconds": seconds})


def in_order(planned, order):
    """Labels, as one worker would take the tasks."""
    schedule, labels = Schedule(planned.tasks, {}, order), []
    while (task := schedule.take()) is not None:
        labels.append(task.label())
        schedule.finish(task.digest(), ok(task))
    return labels


def test_every_architecture_s_first_seed_comes_before_any_second(tmp_path):
    planned = fake_plan(tmp_path, ("resnet", "darts", "nasnet"), (0, 1, 2))
    seeds = [int(label.partition("seed ")[2][0]) for label in in_order(planned, informative_first)]
    assert seeds == sorted(seeds)
    assert len(seeds) == len(planned.tasks)


def test_an_attack_is_made_on_all_architectures_before_a_dearer_one_begins(tmp_path):
    planned = fake_plan(tmp_path, ("resnet", "darts", "nasnet"), (0,))
    labels = [label for label in in_order(planned, informative_first) if not label.startswith("train")]
    kinds = [kind for kind, _ in itertools.groupby(label.partition(" on ")[0] for label in labels)]
    assert len(kinds) == len(set(kinds)), labels


def test_what_a_result_needs_comes_with_it(tmp_path):
    planned = fake_plan(tmp_path, ("resnet", "nasnet"), (0, 1))
    labels = in_order(planned, informative_first)
    # The first result is there after the one training that it needs, not after all of them.
    assert labels[0].startswith("train")
    assert not labels[1].startswith("train")
    assert in_order(planned, longest_first)[1].startswith("train")


def test_no_task_begins_that_would_not_end_in_time(tmp_path):
    planned = fake_plan(tmp_path, ("resnet", "nasnet"), (0,))
    trainings = [task for task in planned.tasks if isinstance(task, TrainTask)]
    short, long = sorted(trainings, key=lambda task: task.expected_time)
    now = [0.0]
    budget = Budget(seconds=short.expected_time * 2, clock=lambda: now[0])
    assert budget.allows(short)
    assert not budget.refused
    # The machine turns out to be three times as slow: what was allowed no longer is.
    budget.learn(short, ok(short, 3 * short.expected_time))
    assert not budget.allows(short)
    assert budget.refused
    now[0] = 1e9
    assert not Budget(seconds=1.0, clock=iter([0.0, 2.0]).__next__).allows(long)


def test_a_budget_of_tasks_is_spent_and_the_next_run_goes_on_to_the_same_table(tmp_path):
    planned = fake_plan(tmp_path / "inputs", ("resnet", "darts"), (0, 1))

    def run(out, **options):
        context = RunContext(tmp_path / out / "store", tmp_path / "inputs")
        return run_plan(planned, tmp_path / out, context, lambda: Serial(context), **options)

    part = run("parts", budget=Budget(tasks=3))
    assert part.flags[0].kind == "unfinished"
    left = len(planned.tasks) - 3
    assert f"{left} of {len(planned.tasks)} tasks are missing; the budget is spent" in part.flags[0].message
    assert not (tmp_path / "parts" / "results.json").exists(), "which is what a finished study has"
    assert not part.failures
    again = run("parts", budget=Budget(tasks=1000))
    whole = run("whole")
    assert again.flags == whole.flags
    first, second = ((tmp_path / out / "results.csv").read_bytes() for out in ("parts", "whole"))
    assert first == second


@pytest.mark.parametrize(
    ("field", "value"), [("time_budget", 0), ("time_budget", float("nan")), ("max_tasks", 0)]
)
def test_a_budget_of_nothing_is_refused(field, value):
    with pytest.raises(SpecError, match=field):
        RunOptions(**{field: value})


def test_the_command_line_says_what_is_missing_and_writes_the_report(command):
    words = ["audit", "vgg", "--data", "digits", "--seeds", 1, "--attacks", "fgsm", "--analyses", "topology"]
    more = [
        "--set",
        "training.epochs=1",
        "--set",
        "data.train_images=100",
        "--executor",
        "serial",
        "--out",
        "a",
    ]
    code, out, err = command(*words, *more, "--max-tasks", 1)
    assert code == 0, err
    assert "this study is not finished" in out
    code, out, _ = command("study", "status", "a", "--json")
    assert json.loads(out)["counts"]["done"] == 1
    code, _, err = command(*words, *more, "--time-budget", "soon")
    assert code == 2
    assert "--time-budget: expected a time such as 90s, 15m or 2h, got 'soon'" in err
