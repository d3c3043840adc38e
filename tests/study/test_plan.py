import subprocess
import sys
from pathlib import Path

import pytest

from nasaudit.errors import DataError, InputError, SpecError, UnknownNameError
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import EvasionTask, Task, TopologyTask, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.study.plan import closure, plan

NO_DOWNLOADS = Path("nowhere")


def study(**changes: object) -> StudySpec:
    values = {"architectures": ["darts", "ResNet"], "data": "digits", "seeds": [0, 3], "attacks": ["pgd"]}
    return StudySpec.parse({**values, **changes})


def test_a_study_becomes_every_task_once_after_what_it_needs() -> None:
    tasks = plan(study(), NO_DOWNLOADS).tasks
    assert (
        len(tasks) == 2 * 2 * 3 + 2
    )  # training, convergence and attack for each victim; topology for each architecture
    assert sum(isinstance(task, TopologyTask) for task in tasks) == 2
    seen: set[str] = set()
    for task in tasks:
        assert task.digest() not in seen
        assert {need.digest() for need in task.needs()} <= seen
        seen.add(task.digest())


def test_names_shapes_and_recipes_are_resolved() -> None:
    planned = plan(study(), NO_DOWNLOADS)
    assert [(spec.name, spec.input_shape, spec.classes) for spec in planned.architectures] == [
        ("darts", (1, 8, 8), 10),
        ("resnet", (1, 8, 8), 10),
    ]
    assert not planned.training.flip  # digits are never mirrored
    assert plan(study(training={"epochs": 2}), NO_DOWNLOADS).training == TrainingSpec(epochs=2)


def test_the_spelling_of_a_name_does_not_change_a_task() -> None:
    first, second = (
        plan(study(architectures=[name], data=data), NO_DOWNLOADS)
        for name, data in (("pc_darts", "digits"), ("PC-DARTS", "Digits"))
    )
    assert [task.digest() for task in first.tasks] == [task.digest() for task in second.tasks]


def test_the_plan_changes_with_what_results_depend_on() -> None:
    digests = {
        plan(changed, NO_DOWNLOADS).digest()
        for changed in (study(), study(seeds=[0]), study(attacks=[]), study(training={"epochs": 2}))
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"architectures": ["darst"]}, UnknownNameError, "did you mean darts"),
        ({"architectures": ["pc_darts", "PC-DARTS"]}, SpecError, r"architectures\[1\]"),
        ({"data": "mnist50k"}, UnknownNameError, "mnist5k"),
        ({"data": "cifar10"}, DataError, "nowhere"),
        ({"attacks": [{"name": "knockoff", "pool": "cifar10"}]}, DataError, "nowhere"),
        (
            {"attacks": [PgdSpec(), PgdSpec(goal="targeted", target_class=10)]},
            SpecError,
            r"attacks\[1\]\.target_class: expected a class from 0 to 9, got 10",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_anything_runs(changes, error, message) -> None:
    with pytest.raises(error, match=message) as raised:
        plan(study(**changes), NO_DOWNLOADS)
    assert isinstance(raised.value, InputError)


def test_the_highest_class_may_be_a_target() -> None:
    attack = PgdSpec(goal="targeted", target_class=9)
    assert any(isinstance(task, EvasionTask) for task in plan(study(attacks=[attack]), NO_DOWNLOADS).tasks)


def test_closure_brings_what_was_not_asked_for() -> None:
    tasks = plan(study(), NO_DOWNLOADS).tasks
    attack = next(task for task in tasks if isinstance(task, EvasionTask))
    alone: tuple[Task, ...] = closure([attack])
    assert [type(task) for task in alone] == [TrainTask, EvasionTask]


def test_planning_on_embedded_data_imports_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from nasaudit.spec.study import StudySpec; "
        "from nasaudit.study.plan import plan; import nasaudit.study.run; "
        "plan(StudySpec(architectures=('darts', 'vgg'), data='mnist5k', attacks=('pgd',)), Path('x')); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'altair', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
