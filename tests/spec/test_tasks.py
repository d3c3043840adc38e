"""How long tasks are expected to take: what the schedule's order and a study's ETA hang on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nasaudit.planning.plan import plan
from nasaudit.spec.arch import OTHER_TIME
from nasaudit.spec.named import TRIFLE
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import Task


def tasks_of(
    attacks: Sequence[object] = (), analyses: Sequence[object] = (), epochs: int = 7
) -> dict[str, Task]:
    """The tasks of a study of one hand-made network, by label."""
    values = {"architectures": ["vgg"], "data": "digits", "seeds": [0], "training": {"epochs": epochs}}
    study = StudySpec.parse({**values, "attacks": list(attacks), "analyses": list(analyses)})
    return {task.label(): task for task in plan(study, Path("no downloads")).tasks}


def test_a_training_takes_its_epochs():
    assert tasks_of()["train vgg (seed 0)"].expected_time == 7 * OTHER_TIME


@pytest.mark.parametrize(
    ("attack", "epochs"), [("pgd", 10.0), ("fgsm", 1.6), ("badnets", 3.0), ("sig", 10.0), ("gap", 0.3)]
)
def test_an_attack_takes_what_its_spec_expects(attack: str, epochs: float):
    (task,) = [task for label, task in tasks_of([{"name": attack}]).items() if label.startswith(attack)]
    assert task.expected_time == epochs * OTHER_TIME


def test_a_theft_trains_a_surrogate_for_each_budget():
    two, three = (
        next(
            task for label, task in tasks_of([{"name": "knockoff", **budgets}]).items() if "knockoff" in label
        )
        for budgets in ({"budgets": [10, 20]}, {"budget_shares": [0.1, 0.2, 0.3]})
    )
    assert (two.expected_time, three.expected_time) == (2 * 6 * OTHER_TIME, 3 * 6 * OTHER_TIME)


def test_poisons_take_time_where_they_are_optimised_and_comparing_takes_none():
    tasks = tasks_of([{"name": "label_flip", "fractions": [0, 0.1]}, {"name": "gradient_matching"}])
    assert tasks["0.1 label_flip"].expected_time == TRIFLE
    assert tasks["0.03 gradient_matching made on vgg"].expected_time == 12 * OTHER_TIME
    assert tasks["gradient_matching on vgg (seed 0)"].expected_time == TRIFLE


def test_analyses_take_what_their_specs_expect():
    tasks = tasks_of(analyses=["topology", "convergence", "smoothness"])
    assert tasks["topology of vgg"].expected_time == TRIFLE
    assert tasks["convergence of vgg (seed 0)"].expected_time == TRIFLE * OTHER_TIME
    assert tasks["smoothness of vgg (seed 0)"].expected_time == 6 * OTHER_TIME
