"""What all specs share, and the checks of each."""

import json
import pickle
from pathlib import Path

import pytest

from nasaudit.errors import SpecError
from nasaudit.planning.plan import plan
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import LINF_GRID, PgdSpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import EvasionTask, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.spec.units import format_epsilon


def test_a_digest_covers_defaults_and_not_their_spelling():
    assert PgdSpec().digest() == PgdSpec(steps=PgdSpec().steps, norm="linf", epsilons=LINF_GRID).digest()
    assert PgdSpec().digest() != PgdSpec(steps=PgdSpec().steps + 1).digest()
    assert TrainingSpec().digest() != DataSpec().digest()
    assert len(PgdSpec().digest()) == 20


def test_a_task_digest_covers_all_upstream():
    def task(**training):
        architecture = ArchSpec(name="resnet", group="manual")
        victim = TrainTask(
            architecture=architecture, data=DataSpec(), training=TrainingSpec(**training), seed=0
        )
        return EvasionTask(victim=victim, attack=PgdSpec())

    assert task().digest() == task().digest()
    assert task().digest() != task(epochs=11).digest()
    assert task().needs() == (task().victim,)


def test_a_stored_study_is_the_same_study():
    study = StudySpec.parse({"architectures": ["darts"], "attacks": ["pgd", {"name": "PGD", "norm": "l2"}]})
    again = StudySpec.parse(study.model_dump(mode="json"))
    assert again == study
    assert again.digest() == study.digest()


def test_a_study_needs_architectures_or_a_population():
    assert StudySpec.parse({"population": {"cells": 5}}).architectures == ()
    assert StudySpec.parse({"architectures": ["darts"]}).population is None
    with pytest.raises(SpecError, match=r"architectures: expected at least one, or a `population`, got \[\]"):
        StudySpec.parse({})


def test_analyses_are_written_by_name_or_spelled_out():
    study = StudySpec.parse(
        {"architectures": ["darts"], "analyses": ["Topology", {"name": "smoothness", "images": 9}]}
    )
    assert [analysis.name for analysis in study.analyses] == ["topology", "smoothness"]
    assert study.analyses[1].images == 9
    assert StudySpec.parse(study.model_dump(mode="json")) == study
    with pytest.raises(SpecError, match="analyses: expected each entry once"):
        StudySpec.parse(
            {"architectures": ["darts"], "analyses": ["topology", {"name": "topology", "images": 9}]}
        )


def test_a_digest_tells_weights_and_populations_apart():
    choices = ["darts", {"name": "darts", "weights": "a.pt"}, {"name": "darts", "group": "nas"}]
    studies = [StudySpec.parse({"architectures": [choice], "population": {}}) for choice in choices]
    studies.append(StudySpec.parse({"architectures": ["darts"], "population": {"cells": 59}}))
    assert len({study.digest() for study in studies}) == 4


@pytest.mark.parametrize(
    ("spec", "values", "message"),
    [
        (TrainingSpec, {"epochs": -1}, r"epochs: expected greater than or equal to 0, got -1"),
        (TrainingSpec, {"epoch": 3}, r"epoch: expected no field of this name"),
        (TrainingSpec, {"learning_rate": float("nan")}, "learning_rate"),
        (DataSpec, {"test_fraction": 0.9, "pool_fraction": 0.2}, "fractions to add up to less than 1"),
        (PgdSpec, {"epsilons": ["8/0"]}, r"epsilons\[0\]: expected a number or a fraction such as 8/255"),
        (PgdSpec, {"epsilons": [0.2, 0.1]}, "epsilons: expected ascending values"),
        (PgdSpec, {"epsilons": [8]}, "write 8/255, not 8"),
        (PgdSpec, {"goal": "targeted"}, "target_class: expected a class"),
        (PgdSpec, {"target_class": 3}, "target_class: expected a class for the goal `targeted`"),
        (ArchSpec, {"name": "x", "group": "nas", "init_channels": 8}, "init_channels"),
        (ArchSpec, {"name": "x", "group": "manual", "drop_path": 0.1}, "drop_path"),
        (ArchSpec, {"name": "x", "group": "manual", "dropout": 0.1}, "dropout"),
        (ArchSpec, {"name": "x", "group": "manual", "input_shape": (2, 28, 28)}, "1 or 3 channels"),
        (
            StudySpec,
            {"population": {"cells": 10_001}},
            "population.cells: expected less than or equal to 10000",
        ),
        (StudySpec, {"population": {"seed": -1}}, "population.seed"),
        (
            StudySpec,
            {"architectures": [{"name": "x", "group": "found"}]},
            r"architectures\[0\]\.group.*'found'",
        ),
        (
            StudySpec,
            {"architectures": [{"name": "x", "weight": "a"}]},
            r"architectures\[0\]\.weight: expected no field",
        ),
    ],
)
def test_a_wrong_field_is_named(spec, values, message):
    with pytest.raises(SpecError, match=message):
        spec.parse(values)


def test_epsilons_are_fractions_of_the_pixel_range():
    assert PgdSpec.parse({"epsilons": ["2/255", 0.5]}).epsilons == (2 / 255, 0.5)
    assert [format_epsilon(e) for e in (8 / 255, 0.5, 1.0)] == ["8/255", "0.5", "1"]
    assert PgdSpec(norm="l2").epsilons[-1] > 1


def test_a_text_made_of_parts_is_that_of_the_whole():
    """What tasks share is written out once for all of them; digests are those of records of before."""
    tasks = every_kind_of_task()
    assert {task.kind for task in tasks} >= {"train", "poison", "evasion", "poisoning", "membership"}
    for task in tasks:
        whole = json.dumps(task.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        assert task.canonical_json() == whole, task.label()


def test_a_changed_copy_remembers_nothing_of_its_original():
    task = next(task for task in every_kind_of_task() if task.kind == "train")
    digest = task.digest()
    assert task.model_copy(update={"seed": 5}).digest() != digest
    assert task.model_copy(update={"seed": 5}).model_copy(update={"seed": task.seed}).digest() == digest
    again = pickle.loads(pickle.dumps(task))
    assert (again, again.digest()) == (task, digest)
    assert vars(again).keys() == {*type(task).model_fields, "_digest", "_foreign_code"}


def every_kind_of_task():
    study = StudySpec.parse(
        {
            "architectures": ["darts", "resnet"],
            "data": {"name": "digits", "train_images": 200},
            "seeds": [0, 1],
            "attacks": [
                "pgd",
                {"name": "transfer"},
                "badnets",
                "label_flip",
                "gradient_matching",
                "lira",
                "knockoff",
            ],
            "training": {"defences": ["adversarial_training"]},
        }
    )
    return plan(study, Path("no downloads")).tasks
