"""How long tasks are expected to take: what the schedule's order and a study's ETA hang on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from nasaudit.planning.plan import plan
from nasaudit.spec.arch import (
    EPOCH_IMAGES,
    EPOCH_PIXELS,
    FAMILY_TIME,
    LARGE_BATCH_PIXELS,
    LARGE_BATCH_TIME,
    STEP_PIXELS,
)
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


VGG = FAMILY_TIME["vgg"]
# On digits: a third of the images of an epoch, and images of 64 pixels, which cost a batch less.
IMAGES = 1797 * 0.6 / EPOCH_IMAGES
STEP = (64 + STEP_PIXELS) / (EPOCH_PIXELS + STEP_PIXELS)
PASS = (64 + LARGE_BATCH_PIXELS) / (EPOCH_PIXELS + LARGE_BATCH_PIXELS) * LARGE_BATCH_TIME


def test_a_training_takes_its_epochs():
    assert tasks_of()["train vgg (seed 0)"].expected_time == pytest.approx(7 * IMAGES * VGG * STEP)


@pytest.mark.parametrize(("attack", "epochs"), [("pgd", 10.0), ("fgsm", 1.6)])
def test_an_evasion_takes_what_its_spec_expects_whatever_the_data(attack: str, epochs: float):
    (task,) = [task for label, task in tasks_of([{"name": attack}]).items() if label.startswith(attack)]
    assert task.expected_time == pytest.approx(epochs * VGG * PASS)


@pytest.mark.parametrize(("attack", "share"), [("badnets", 0.3), ("sig", 1.0)])
def test_a_backdoor_takes_a_share_of_the_training(attack: str, share: float):
    tasks = tasks_of([{"name": attack}])
    (task,) = [task for label, task in tasks.items() if label.startswith(attack)]
    assert task.expected_time == pytest.approx(share * tasks["train vgg (seed 0)"].expected_time)


def test_to_tell_members_takes_longer_the_more_there_are():
    (task,) = [task for label, task in tasks_of([{"name": "gap"}]).items() if label.startswith("gap")]
    assert task.expected_time == pytest.approx(0.3 * IMAGES * VGG * PASS)


def test_a_theft_trains_a_surrogate_for_each_budget():
    two, three = (
        next(
            task for label, task in tasks_of([{"name": "knockoff", **budgets}]).items() if "knockoff" in label
        )
        for budgets in ({"budgets": [64, 128]}, {"budget_shares": [0.1, 0.2, 0.3]})
    )
    # At least 25 steps of 64 for each epoch of the victim's training, and an attack on each surrogate.
    each = 7 * 25 * 64 / EPOCH_IMAGES * VGG * STEP + 0.7 * VGG * PASS
    assert two.expected_time == pytest.approx(2 * each, rel=0.02)
    assert three.expected_time == pytest.approx(3 * each, rel=0.02)


def test_poisons_take_time_where_they_are_optimised_and_comparing_takes_none():
    tasks = tasks_of([{"name": "label_flip", "fractions": [0, 0.1]}, {"name": "gradient_matching"}])
    assert tasks["0.1 label_flip"].expected_time == TRIFLE
    made = tasks["0.03 gradient_matching made on vgg"].expected_time
    assert made == pytest.approx(12 * IMAGES * VGG * STEP)
    assert tasks["gradient_matching on vgg (seed 0)"].expected_time == TRIFLE


def test_analyses_take_what_their_specs_expect():
    tasks = tasks_of(analyses=["topology", "convergence", "smoothness"])
    assert tasks["topology of vgg"].expected_time == pytest.approx(0.3 * VGG * PASS)
    assert tasks["convergence of vgg (seed 0)"].expected_time == pytest.approx(TRIFLE * VGG * PASS)
    assert tasks["smoothness of vgg (seed 0)"].expected_time == pytest.approx(4.5 * VGG * PASS)


def test_larger_networks_and_images_take_longer():
    def training(scale: str, **data: object) -> float:
        study = StudySpec.parse(
            {"architectures": ["darts"], "scale": scale, "data": {"name": "mnist5k", **data}}
        )
        return plan(study, Path("no downloads")).victims[0].expected_time / study_epochs(study)

    def study_epochs(study: StudySpec) -> int:
        return plan(study, Path("no downloads")).training.epochs

    assert training("mini") < training("small") / 5
    assert training("small") < training("paper") / 10
    assert training("mini", train_images=1000) == pytest.approx(training("mini") / 3)
