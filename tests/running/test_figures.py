"""What a watcher sees of a task that ended."""

import io

import pytest
from fake_tasks import fake_plan

from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.running.display.figures import FIGURES, figure
from nasaudit.running.display.progress import PlainProgress
from nasaudit.running.execute import death
from nasaudit.spec.tasks import AttackTask, TrainTask


def record(task, kind, metric, *values, unit="fraction", bound=None):
    measurements = tuple(
        Measurement(metric, Estimate(value, low, high, 100, unit, bound), (("at", str(place)),))
        for place, (value, low, high) in enumerate(values)
    )
    changes = {"state": "ok", "problem": None, "kind": kind, "measurements": measurements}
    return death(task, "", 1).model_copy(update=changes)


@pytest.fixture
def task(tmp_path):
    return fake_plan(tmp_path, ("resnet",), (0,)).tasks[0]


def test_the_kinds_are_those_of_tasks():
    kinds = {kind.model_fields["kind"].default for kind in (TrainTask, *AttackTask.__subclasses__())}
    assert FIGURES.keys() == kinds


def test_a_share_is_said_in_percent_with_its_interval_and_an_epsilon_in_grey_levels(task):
    assert figure(record(task, "train", "clean_accuracy", (0.976, 0.969, 0.983))) == (
        "test accuracy 97.6% [96.9%, 98.3%]"
    )
    epsilon = record(
        task, "evasion", "median_minimal_epsilon", (4 / 255, 3.5 / 255, 4.25 / 255), unit="pixel fraction"
    )
    assert figure(epsilon) == "half of the images fall by 4/255 [3.5/255, 4.25/255]"


def test_of_several_settings_the_last_is_said_and_a_bound_as_one(task):
    found = figure(record(task, "poisoning", "cad", (0.0, 0.0, 0.0), (0.05, 0.05, 0.05), bound="lower"))
    assert found == "accuracy lost at least 5.0%"


def test_a_task_without_such_a_figure_says_nothing_more(task):
    assert figure(record(task, "victim_analysis", "hessian_top", (1.0, 1.0, 1.0))) == ""
    assert figure(death(task, "gone", 3)) == ""


def test_it_stands_at_the_end_of_the_line_of_a_task_that_ended(task):
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.begin([task], [])
    progress.started(task)
    progress.finished(task, record(task, "train", "clean_accuracy", (0.5, 0.4, 0.6)))
    assert stream.getvalue().splitlines()[-1].endswith("(1 of 1 tasks): test accuracy 50.0% [40.0%, 60.0%]")
