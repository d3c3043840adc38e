"""A search with several objectives as a stage of a study: the tasks of its children, and what is audited."""

from pathlib import Path

import numpy as np
import pytest
from tests.search.test_sampled_stage import SEARCH, child, play, record, unfolding_of

from nasaudit.data.load import load_data
from nasaudit.errors import SpecError
from nasaudit.measure.estimate import Measurement
from nasaudit.measure.proportion import proportion
from nasaudit.planning.plan import plan
from nasaudit.planning.search_request import make_search
from nasaudit.running.display.observer import Silent
from nasaudit.running.execute import death
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.data import DataSpec
from nasaudit.spec.searches.objectives import OBJECTIVES
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import AttackTask, EvasionTask, TrainTask
from nasaudit.testing.search import TINY_SPACE

SECURE = {**SEARCH, "objectives": ["accuracy", "evasion"], "front": 3, "accuracy_drop": 1}


def planned(search=SECURE, **changes):
    values = {
        "architectures": [{"search": search, "seed": 1}, "resnet"],
        "data": "digits",
        "seeds": [0, 1],
        "attacks": ["pgd"],
        "analyses": [],
    }
    return plan(StudySpec.parse({**values, **changes}), Path("nowhere"))


def of_a_child(task):
    return child(task) or (isinstance(task, AttackTask) and child(task.victim))


def judged(task):
    """The further a child, the more accurate it is and the easier to fool; but the third is both best and worst."""
    if child(task):
        return record(task, 50 + int(task.architecture.name[-3:]))
    number = int(task.victim.architecture.name[-3:])
    area = Measurement(
        "curve_area",
        proportion(90 if number == 2 else 10 + number, 100),
        (("norm", "linf"), ("goal", "untargeted"), ("images", "correct")),
    )
    return death(task, "", 1).model_copy(update={"state": "ok", "problem": None, "measurements": (area,)})


def play_all(unfolding):
    ended = []
    while open_tasks := [task for task in unfolding.plan.tasks if of_a_child(task) and task not in ended]:
        ended.append(open_tasks[0])
        unfolding.add(judged(open_tasks[0]))
    return ended


def test_children_are_attacked_on_validation_images_and_no_victims():
    unfolding = unfolding_of(planned())
    first = [task for task in unfolding.plan.tasks if of_a_child(task)]
    attacks = [task for task in first if isinstance(task, EvasionTask)]
    assert len(first) == 8
    assert [task.attack for task in attacks] == [OBJECTIVES["evasion"].measured_by] * 4
    assert {task.victim.data.judged_on for task in attacks} == {"validation"}
    assert unfolding.plan.data.judged_on == "test"
    assert {victim.architecture.name for victim in unfolding.plan.victims} == {"resnet"}
    # 5 more children of 2 tasks, and 3 cells with 2 trainings that are attacked.
    assert unfolding.expected == 5 * 2 + 3 * 4


def test_the_front_is_audited_with_where_it_comes_from():
    unfolding = unfolding_of(planned())
    ended = play_all(unfolding)
    names = {task.architecture.genotype: task.architecture.name[-3:] for task in ended if child(task)}
    found = dict(unfolding.plan.found)
    assert list(found) == [f"amoebanet-secure-s1-{k}" for k in (1, 2, 3)]
    # Of eight that do not beat each other the ends, and what is in the middle.
    assert [names[cells.genotype] for cells in found.values()][::2] == ["008", "000"]
    assert "002" not in [names[cells.genotype] for cells in found.values()]
    first, *others = found.values()
    assert first.provenance["objectives"] == "accuracy, evasion"
    assert first.provenance["as_a_child"] == "accuracy 0.42, evasion 0.18"
    assert first.provenance["of_the_front"] == "1 of 3"
    assert first.trace[-1]["objectives"] == [{"accuracy": pytest.approx(0.42), "evasion": 0.18}]
    assert [cells.trace for cells in others] == [(), ()]
    assert [spec.name for spec in unfolding.plan.architectures] == [*found, "resnet"]
    assert len(unfolding.plan.victims) == 8
    assert unfolding.plan.searches.keys() == found.keys()
    again = unfolding_of(planned(), unfolding.records.values())
    assert again.plan.digest() == unfolding.plan.digest()


def test_a_child_whose_attack_failed_has_failed():
    unfolding = unfolding_of(planned())
    ended = []
    while open_tasks := [task for task in unfolding.plan.tasks if of_a_child(task) and task not in ended]:
        ended.append(task := open_tasks[0])
        lost = not child(task) and task.victim.architecture.name.endswith("000")
        unfolding.add(death(task, "gone", 3) if lost else judged(task))
    trace = unfolding.plan.found[0][1].trace
    assert trace[0]["objectives"] == [None]
    assert trace[-1]["on_the_front"] == 7


def test_a_search_by_accuracy_asks_for_the_tasks_that_it_asked_for():
    """Its children are trained on the very data of the study, and on nothing else is their record kept."""
    unfolding = unfolding_of(planned(SEARCH))
    children = [task for task in unfolding.plan.tasks if child(task)]
    assert {task.data for task in children} == {unfolding.plan.data}
    assert {"judged_on"}.isdisjoint(children[0].model_dump(mode="json")["data"])
    play(unfolding, lambda task: record(task, 50 + int(task.architecture.name[-3:])))
    ((name, found),) = unfolding.plan.found
    assert (name, found.search) == ("amoebanet-s1", "")
    assert "search" not in found.model_dump(mode="json")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"search": {"name": "random", "objectives": ["accuracy", "extraction"]},
             "data": {"name": "digits", "pool_fraction": 0.0}},
            r"search.objectives \(extraction: pool\)",
        ),
        ({"data": {"name": "digits", "validation_fraction": 0.0}}, "data.validation_fraction"),
        ({"data": {"name": "digits", "validation_fraction": 0.0, "judged_on": "validation"}}, "judged_on"),
        ({"architectures": [{"search": SECURE}, {"name": "amoebanet-secure-s0-2", "genotype": "darts"}]}, "name"),
    ],
)  # fmt: skip
def test_what_the_data_do_not_bear_is_refused_before_anything_runs(changes, said):
    if "architectures" in changes:
        cells = plan(StudySpec.parse({"architectures": ["darts"], "data": "digits"}), Path("nowhere"))
        changes = {"architectures": [*changes["architectures"]]}
        changes["architectures"][1]["genotype"] = cells.architectures[0].genotype
    with pytest.raises(SpecError, match=said):
        planned(**changes)


def test_membership_of_too_few_validation_images_is_refused():
    few = {"name": "digits", "validation_fraction": 0.0006}
    search = {"name": "random", "objectives": ["accuracy", "membership"]}
    with pytest.raises(SpecError, match=r"membership: examples.*attacked on the 1 validation images"):
        planned(search, data=few)


def test_validation_images_stand_for_test_images():
    plain = load_data(DataSpec(name="digits"), Path("nowhere"))
    other = load_data(DataSpec(name="digits", judged_on="validation"), Path("nowhere"))
    for role, of in (
        ("train", "train"),
        ("validation", "validation"),
        ("test", "validation"),
        ("pool", "pool"),
    ):
        assert np.array_equal(getattr(other, role).indices, getattr(plain, of).indices)


def request(method="amoebanet", settings=("children=12",), **changes):
    defaults = {
        "searches": 2, "random_cells": 1, "data": DataSpec(name="digits"), "scale": "mini", "protocol": "sound",
        "attacks": ["pgd"], "seeds": 1, "analyses": ["topology"],
    }  # fmt: skip
    return make_search(method, "darts", settings, **{**defaults, **changes})


def test_plain_search_beside_a_secure_one_is_at_equal_cost():
    study = request(objectives=["accuracy", "evasion"], beside_plain=True)
    searches = [choice for choice in study.architectures if choice.search is not None]
    assert [choice.name for choice in searches] == [
        "amoebanet-secure-s0", "amoebanet-secure-s1", "amoebanet-s0", "amoebanet-s1",
    ]  # fmt: skip
    secure, plain = searches[0].search, searches[2].search
    assert plain.objectives == ("accuracy",)
    for field in ("children", "child_epochs", "audited", "population", "space"):
        assert getattr(plain, field) == getattr(secure, field)
    with pytest.raises(SpecError, match="several objectives"):
        request(beside_plain=True)


def test_beside_plain_runs_a_search_with_levers_as_published_too():
    levers = ["skip_weight=0.5", "inner_steps=2", "epochs=4"]
    study = request(method="darts", settings=levers, beside_plain=True)
    searches = [choice for choice in study.architectures if choice.search is not None]
    assert [choice.name for choice in searches] == [
        "darts-secure-s0",
        "darts-secure-s1",
        "darts-s0",
        "darts-s1",
    ]
    secure, plain = searches[0].search, searches[2].search
    assert (plain.levers, plain.epochs) == ((), 4)
    assert plain == secure.as_published


def test_a_small_search_by_all_objectives_from_end_to_end(tmp_path):
    """Real trainings and attacks, of two children of a cell or two, on images that are learned at once."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = random.integers(0, 80, (120, 8, 8, 1))
    images[np.arange(120), 2 * labels + 1] += 150
    np.savez(tmp_path / "rows.npz", images=images.astype(np.uint8), labels=labels)
    study = StudySpec.parse(
        {
            "architectures": [
                {
                    "search": {
                        "name": "random",
                        "space": TINY_SPACE.model_dump(),
                        "children": 2,
                        "child_epochs": 1,
                        "child_cells": 1,
                        "child_channels": 4,
                        "objectives": list(OBJECTIVES),
                        "accuracy_drop": 1.0,
                        "front": 1,
                    }
                }
            ],
            "data": {"name": "npz", "path": str(tmp_path / "rows.npz"), "validation_fraction": 0.2},
            "seeds": [0],
            "attacks": [],
            "analyses": [],
            "training": {"epochs": 1},
        }
    )
    options = RunOptions(executor="serial", device="cpu", observer=Silent())
    results = run(study, tmp_path / "out", options)
    assert not results.failures
    (searched,) = results.searches
    assert searched.architecture == "random-secure-s0-1"
    reached = searched.trace[-1]["objectives"][0]
    assert list(reached) == list(OBJECTIVES)
    assert 0 <= reached["membership"] <= 1
    assert reached["flops"] > reached["parameters"] > 0
    assert {row.architecture for row in results.rows} == {"random-secure-s0-1"}


def test_trainings_of_children_are_brief():
    children = [
        task for task in unfolding_of(planned()).plan.tasks if isinstance(task, TrainTask) and child(task)
    ]
    assert {task.training.epochs for task in children} == {4}
