import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from nasaudit.errors import DataError, InputError, SpecError, UnknownNameError
from nasaudit.planning.needs import closure
from nasaudit.planning.plan import plan
from nasaudit.spec.attacks import PgdSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import AnalysisTask, EvasionTask, Task, TrainTask, VictimAnalysisTask, WeightsFile

NO_DOWNLOADS = Path("nowhere")


def study(**changes: object) -> StudySpec:
    values = {"architectures": ["darts", "ResNet"], "data": "digits", "seeds": [0, 3], "attacks": ["pgd"]}
    return StudySpec.parse({**values, **changes})


def what(task: Task) -> str:
    """An analysis by its name, any other task by its kind."""
    return task.analysis.name if isinstance(task, AnalysisTask) else task.kind


def test_a_study_becomes_every_task_once_after_what_it_needs() -> None:
    tasks = plan(study(), NO_DOWNLOADS).tasks
    each_victim = ("train", "convergence", "gradients", "smoothness", "evasion")
    each_architecture = ("topology", "landscape")  # pictures of one training are enough
    kinds = Counter(what(task) for task in tasks)
    assert kinds == {**dict.fromkeys(each_victim, 2 * 2), **dict.fromkeys(each_architecture, 2)}
    seen: set[str] = set()
    for task in tasks:
        assert task.digest() not in seen
        assert {need.digest() for need in task.needs()} <= seen
        seen.add(task.digest())


def test_a_landscape_lies_on_the_line_to_the_next_training_of_the_architecture() -> None:
    tasks = [task for task in plan(study(), NO_DOWNLOADS).tasks if what(task) == "landscape"]
    for task in tasks:
        assert isinstance(task, VictimAnalysisTask)
        assert task.other is not None
        assert (task.victim.seed, task.other.seed) == (0, 3)
        assert task.other.architecture == task.victim.architecture
    alone = plan(study(seeds=[4]), NO_DOWNLOADS).tasks
    assert [task.other for task in alone if what(task) == "landscape"] == [None, None]


def test_the_analyses_asked_for_are_planned_with_their_settings() -> None:
    asked = [{"name": "smoothness", "images": 9}, "topology"]
    tasks = plan(study(analyses=asked, attacks=[]), NO_DOWNLOADS).tasks
    assert Counter(what(task) for task in tasks) == {"train": 4, "smoothness": 4, "topology": 2}
    assert {task.analysis.images for task in tasks if what(task) == "smoothness"} == {9}
    assert plan(study(analyses=[]), NO_DOWNLOADS).victims == plan(study(), NO_DOWNLOADS).victims


def with_weights(path: Path, **changes: object) -> StudySpec:
    return study(
        **{"architectures": [{"name": "darts", "weights": str(path)}, "vgg"], "seeds": [2], **changes}
    )


def test_weights_that_were_given_are_taken_and_known_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "darts.pt"
    path.write_bytes(b"weights")
    planned = plan(with_weights(path), NO_DOWNLOADS)
    given, trained = planned.victims
    assert given.weights == WeightsFile(path=str(path), sha256=hashlib.sha256(b"weights").hexdigest())
    assert trained.weights is None
    kinds = Counter((what(task), task.needs()[0] == given) for task in planned.tasks if task.needs())
    assert kinds["smoothness", True] == kinds["evasion", True] == kinds["convergence", False] == 1
    assert kinds["convergence", True] == 0  # weights have no history
    path.write_bytes(b"other weights")
    again = plan(with_weights(path), NO_DOWNLOADS)
    assert (again.victims[0] == given, again.victims[1] == trained) == (False, True)
    assert again.digest() != planned.digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": [0, 1]}, r"seeds: expected one seed, .*got \[0, 1\]"),
        (
            {"attacks": ["pgd", "badnets"]},
            r"attacks\[1\]: .*architectures\[0\]\.weights.*--train-index.*'badnets'",
        ),
        (
            {"architectures": ["vgg", {"name": "darts", "weights": "gone.pt"}]},
            r"architectures\[1\]\.weights: expected a file with trained weights, got 'gone.pt'",
        ),
    ],
)
def test_weights_that_cannot_be_used_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    path = tmp_path / "darts.pt"
    path.write_bytes(b"weights")
    with pytest.raises(SpecError, match=message):
        plan(with_weights(path, **changes), NO_DOWNLOADS)


def test_names_shapes_and_recipes_are_resolved() -> None:
    planned = plan(study(), NO_DOWNLOADS)
    assert [(spec.name, spec.input_shape, spec.classes) for spec in planned.architectures] == [
        ("darts", (1, 8, 8), 10),
        ("resnet", (1, 8, 8), 10),
    ]
    assert not planned.training.flip  # digits are never mirrored
    # What a study says of the training changes the recipe, and leaves the rest of it.
    assert plan(study(training={"epochs": 2}), NO_DOWNLOADS).training == planned.training.model_copy(
        update={"epochs": 2}
    )
    written = StudySpec.parse(study(training={"epochs": 2}).model_dump(mode="json"))
    assert plan(written, NO_DOWNLOADS).digest() == plan(study(training={"epochs": 2}), NO_DOWNLOADS).digest()


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
        "from nasaudit.planning.plan import plan; import nasaudit.running.run; "
        "plan(StudySpec(architectures=('darts', 'vgg'), data='mnist5k', attacks=('pgd',)), Path('x')); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'altair', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
