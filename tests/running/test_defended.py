"""Studies of defended trainings: who is defended, and that the switch does what it is for."""

from pathlib import Path

import pytest

from nasaudit import api
from nasaudit.planning.plan import plan
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import EvasionTask, MembershipTask, PoisoningTask, PoisonTask, TrainTask

DEFENCES = {"defences": ["trades", {"name": "dp_sgd", "microbatch": 4}]}


def planned(training):
    attacks = ["pgd", "transfer", "gradient_matching", "label_flip", "wanet", "knockoff", "lira"]
    study = {"architectures": ["resnet"], "data": "digits", "seeds": [0], "analyses": [], "attacks": attacks}
    return plan(StudySpec.parse({**study, "training": training}), Path("nowhere"))


def test_attackers_train_undefended_while_poisoned_and_shadow_models_are_trained_as_the_victim_is():
    found = planned({"epochs": 3, **DEFENCES})
    (victim,) = found.victims
    assert [defence.name for defence in victim.training.defences] == ["trades", "dp_sgd"]
    surrogates = [task.surrogate for task in found.tasks if isinstance(task, EvasionTask | PoisonTask)]
    surrogates = [task for task in surrogates if task is not None]
    assert len(surrogates) > 1  # of the transfer attack, and of each fraction of gradient matching
    assert all(task.training == victim.training.undefended() for task in surrogates)
    of_the_victim = [task for task in found.tasks if isinstance(task, TrainTask) and task not in surrogates]
    assert sum(task.poison is not None for task in of_the_victim) > 2
    assert sum(task.subset is not None for task in of_the_victim) > 2
    assert all(task.training.undefended() == task.training for task in surrogates)
    for task in of_the_victim:
        assert task.training.defences == victim.training.defences
    assert any(isinstance(task, PoisoningTask) for task in found.tasks)
    assert any(isinstance(task, MembershipTask) for task in found.tasks)


def test_an_undefended_study_shares_its_attackers_models_with_a_defended_one():
    def surrogates(training):
        tasks = (task for task in planned(training).tasks if isinstance(task, EvasionTask | PoisonTask))
        return {task.surrogate.digest() for task in tasks if task.surrogate is not None}

    assert surrogates({"epochs": 3}) == surrogates({"epochs": 3, **DEFENCES})


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_adversarial_training_lowers_the_success_of_pgd_by_more_than_both_intervals(tmp_path):
    """By the public way: two studies that differ in the switch alone."""
    found = {}
    for name, defence in (
        ("plain", {}),
        ("defended", {"defences": [{"name": "adversarial_training", "epsilon": "16/255"}]}),
    ):
        study = {
            "architectures": ["resnet"],
            "data": "digits",
            "seeds": [0],
            "analyses": [],
            "attacks": [{"name": "pgd", "epsilons": ["16/255"]}],
            "training": {"epochs": 30, **defence},
        }
        results = api.run_study(StudySpec.parse(study), tmp_path / name).results
        assert not results.failures
        found[name] = {
            row.metric: row
            for row in results.rows
            if row.seed == 0
            and (
                row.metric == "clean_accuracy"
                or (row.setting.get("images") == "correct" and row.metric == "asr")
            )
        }
    plain, defended = found["plain"], found["defended"]
    assert defended["asr"].high < plain["asr"].low
    assert defended["clean_accuracy"].value > 0.8
