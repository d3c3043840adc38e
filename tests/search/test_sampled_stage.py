"""Children as tasks of a study: what is asked for, by what they are judged, and what follows. Nothing is trained."""

from pathlib import Path

import pytest

from nasaudit.errors import SpecError
from nasaudit.measure.estimate import Measurement
from nasaudit.measure.proportion import proportion
from nasaudit.planning.plan import plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.running.execute import death
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import TrainTask

SEARCH = {
    "name": "amoebanet",
    "space": "darts",
    "children": 9,
    "population": 4,
    "tournament": 2,
    "in_flight": 3,
    "identity": 0,
}


def planned(search=SEARCH, **changes):
    values = {
        "architectures": [{"search": search, "seed": 1}],
        "data": "digits",
        "seeds": [0, 1],
        "attacks": [],
        "analyses": [],
    }
    return plan(StudySpec.parse({**values, **changes}), Path("nowhere"))


def record(task, right, test=0):
    """Of a training that gets `right` of 100 validation images right."""
    measured = [
        Measurement(metric, proportion(count, 100), (("split", split),))
        for metric, split, count in (
            ("validation_accuracy", "validation", right),
            ("clean_accuracy", "test", test),
        )
    ]
    changes = {"state": "ok", "problem": None, "measurements": tuple(measured)}
    return death(task, "", 1).model_copy(update=changes)


def child(task):
    return isinstance(task, TrainTask) and ".child-" in task.architecture.name


def play(unfolding, judge, order=lambda open_tasks: open_tasks[0]):
    """Let all children end in some order; returns them as they ended, and what was expected then."""
    ended, expected = [], []
    while open_tasks := [task for task in unfolding.plan.tasks if child(task) and task not in ended]:
        task = order(open_tasks)
        ended.append(task)
        expected.append(unfolding.expected)
        unfolding.add(judge(task))
    return ended, expected


def unfolding_of(plan_, records=()):
    known = {each.digest: each for each in records}
    return Unfolding(plan_, lambda task: known.get(task.digest()), Path)


def by_name(task):
    """A fitness that hangs on the child alone: the last is the best."""
    return record(task, int(task.architecture.name[-3:]) + 50)


def test_children_are_trained_briefly_as_what_is_audited_is_built():
    unfolding = unfolding_of(planned())
    first = [task for task in unfolding.plan.tasks if child(task)]
    assert [task.architecture.name for task in first] == [f"amoebanet-s1.child-00{k}" for k in range(4)]
    assert {(task.training.epochs, task.seed) for task in first} == {(4, 1)}
    assert {(task.architecture.n_cells, task.architecture.init_channels) for task in first} == {(5, 8)}
    assert unfolding.plan.victims == ()


def test_the_best_is_trained_anew_and_children_are_no_victims():
    unfolding = unfolding_of(planned())
    ended, expected = play(unfolding, by_name)
    assert expected[0] == 5 + 2  # children, and the trainings of what is found
    best = max(ended, key=lambda task: task.architecture.name)
    ((name, found),) = unfolding.plan.found
    assert (name, found.genotype) == ("amoebanet-s1", best.architecture.genotype)
    assert found.provenance["method"] == "amoebanet"
    assert found.provenance["seed"] == "1"
    assert found.provenance["data"] == "digits"
    assert [entry["children"] for entry in found.trace][-1] == 9
    assert [victim.architecture.name for victim in unfolding.plan.victims] == ["amoebanet-s1"] * 2
    assert {victim.training.epochs for victim in unfolding.plan.victims} == {30}
    assert [spec.name for spec in unfolding.plan.architectures] == ["amoebanet-s1"]
    assert unfolding.expected == 0


def test_some_are_always_under_way_and_time_decides_nothing():
    """However the children end, the same ones are asked for; three are open while the population breeds."""
    plans = []
    for order in (lambda tasks: tasks[0], lambda tasks: tasks[-1], lambda tasks: tasks[len(tasks) // 2]):
        unfolding = unfolding_of(planned())
        play(unfolding, by_name, order)
        plans.append(unfolding.plan)
    assert plans[0].digest() == plans[1].digest() == plans[2].digest()
    assert plans[0].found == plans[1].found == plans[2].found
    unfolding, under_way = unfolding_of(planned()), []
    ended = []
    while open_tasks := [task for task in unfolding.plan.tasks if child(task) and task not in ended]:
        under_way.append(len(open_tasks))
        ended.append(open_tasks[0])
        unfolding.add(by_name(open_tasks[0]))
    assert under_way == [4, 3, 2, 1, 3, 3, 3, 2, 1]


@pytest.mark.parametrize("name", ["amoebanet", "nasnet", "random"])
def test_a_replay_asks_the_same(name):
    """What resumes, reads or looks sends the records to a new generator."""
    search = {**SEARCH, "identity": 0.5} if name == "amoebanet" else {"name": name, "children": 9}
    unfolding = unfolding_of(planned(search))
    play(unfolding, by_name)
    again = unfolding_of(planned(search), unfolding.records.values())
    assert again.plan.digest() == unfolding.plan.digest()
    assert again.plan.found == unfolding.plan.found
    half = list(unfolding.records.values())[:5]
    begun = unfolding_of(planned(search), half)
    play(begun, by_name)
    assert begun.plan.found == unfolding.plan.found


def test_the_same_cells_are_trained_once():
    """Half of the children are as their parents."""
    unfolding = unfolding_of(planned({**SEARCH, "children": 30, "identity": 0.9}))
    ended, _ = play(unfolding, by_name)
    assert len(ended) < 20
    assert len({task.architecture.genotype for task in ended}) == len(ended)
    assert unfolding.plan.found[0][1].trace[-1]["children"] == 30


def test_a_child_that_failed_is_told_and_the_search_goes_on():
    unfolding = unfolding_of(planned())
    lost = "amoebanet-s1.child-008"
    play(unfolding, lambda task: death(task, "gone", 3) if task.architecture.name == lost else by_name(task))
    found = unfolding.plan.found[0][1]
    assert found.trace[-1]["accuracies"] == [None]
    assert found.trace[-1]["best_accuracy"] == pytest.approx(0.57)
    blocked = unfolding_of(planned())
    play(blocked, lambda task: death(task, "gone", 3))
    ((label, problem),) = blocked.plan.blocked
    assert (label, problem.type) == ("search amoebanet-s1", "MeasurementError")


def test_children_are_judged_by_validation_images_and_under_paper_by_test_images():
    for protocol, best in (("sound", 8), ("paper", 0)):
        unfolding = unfolding_of(planned(protocol=protocol))

        def judge(task):
            number = int(task.architecture.name[-3:])
            return record(task, 50 + number, test=60 - number)

        ended, _ = play(unfolding, judge)
        names = {task.architecture.genotype: task.architecture.name for task in ended}
        assert names[unfolding.plan.found[0][1].genotype] == f"amoebanet-s1.child-00{best}"


def test_without_validation_images_nothing_begins():
    with pytest.raises(
        SpecError, match=r"data.validation_fraction: expected validation images, by which amoebanet"
    ):
        planned(data={"name": "digits", "validation_fraction": 0.0})


def test_children_may_be_of_another_size():
    unfolding = unfolding_of(planned({**SEARCH, "child_cells": 3, "child_channels": 4}))
    children = [task for task in unfolding.plan.tasks if child(task)]
    assert {(task.architecture.n_cells, task.architecture.init_channels) for task in children} == {(3, 4)}


def test_cells_of_201_are_children_too():
    unfolding = unfolding_of(planned({**SEARCH, "space": "nasbench201"}))
    play(unfolding, by_name)
    assert unfolding.plan.found[0][1].genotype.startswith("|")
