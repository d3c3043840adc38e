"""One attack is done again without the trainings of its victims."""

import pytest

from nasaudit.errors import SpecError
from nasaudit.results.folder import StudyFolder
from nasaudit.running.options import RunOptions
from nasaudit.running.run import run
from nasaudit.spec.study import StudySpec
from nasaudit.store.reading import RECORD_FILE
from nasaudit.store.store import Store

STUDY = {
    "architectures": ["resnet"],
    "data": "digits",
    "seeds": [0],
    "training": {"epochs": 1, "crop": 0},
    "attacks": [
        {"name": "fgsm", "epsilons": [0.1], "images": 20},
        {"name": "pgd", "epsilons": [0.1], "images": 20, "steps": 2},
        {"name": "label_flip", "fractions": [0, 0.2], "epochs": 1},
    ],
    "analyses": [],
}


def test_an_attack_is_done_again_and_its_victim_is_not_trained_again(tmp_path):
    study = StudySpec.parse(STUDY)

    def records(**options):
        results = run(study, tmp_path, RunOptions(executor="serial", device="cpu", **options))
        store = Store(StudyFolder(tmp_path).store)
        return results, {
            path.parent.name: path.stat().st_mtime_ns for path in store.folder.rglob(RECORD_FILE)
        }

    first, before = records()
    second, same = records()
    assert same == before
    again, after = records(redo=("pgd",))
    assert len([name for name in before if before[name] != after[name]]) == 1
    assert again.rows == second.rows == first.rows
    _, poisoned = records(redo=("label_flip",))
    # The poison, the training on it and the comparison; neither the victim nor the other attacks.
    assert len([name for name in after if after[name] != poisoned[name]]) == 3


def test_an_attack_that_the_study_does_not_have_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"redo: .*fgsm, label_flip, pgd.*'pdg'"):
        run(StudySpec.parse(STUDY), tmp_path, RunOptions(redo=("pdg",)))
