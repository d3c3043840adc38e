"""A package that adds one plugin of each kind is found by its entry points, and no file of nasaudit is changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nasaudit.arch.catalogue import resolve
from nasaudit.spec.study import ArchChoice

EXAMPLE = Path(__file__).parent / "example"
STUDY = {
    "name": "plugins",
    "architectures": ["darts"],
    "data": {"name": "bars", "pool_fraction": 0.3},
    "seeds": [0],
    "training": {"epochs": 1, "crop": 0},
    "attacks": [
        {"name": "Sign-Step", "epsilons": [0.05, 0.1], "images": 20},
        {"name": "nudge", "fractions": [0.1], "targets": 2},
        {"name": "knockoff", "budgets": [20], "epochs": 1, "min_steps": 0, "transfer_images": 8},
    ],
    "analyses": ["weights"],
    "mitigation": {"remedies": ["undilate", "noisy", "halved"]},
}
# Planned and run in a process of its own: registries read entry points once.
RUN = """
import json, sys
from pathlib import Path
from nasaudit.api import run_study
from nasaudit.planning.plan import plan
from nasaudit.running.options import RunOptions
from nasaudit.spec.study import StudySpec

study = StudySpec.parse(json.loads(sys.argv[1]))
planned = plan(study, Path("no downloads"))
assert "torch" not in sys.modules and "example_work" not in sys.modules
run_study(study, sys.argv[2], RunOptions(executor="in_turn", device="cpu"))
from example_work import InTurn
times = {task.label(): task.expected_time for task in planned.tasks}
print(json.dumps({"times": times, "submitted": InTurn.submitted}))
"""


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of the study, and what its process says of its tasks."""
    out = tmp_path_factory.mktemp("plugins") / "study"
    path = os.pathsep.join([str(EXAMPLE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(STUDY), str(out)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def rows(audited: tuple[Path, dict]) -> list[dict]:
    return json.loads((audited[0] / "results.json").read_text())["rows"]


def test_every_task_went_well_by_the_executor_of_the_plugin(audited):
    out, said = audited
    assert json.loads((out / "results.json").read_text())["failures"] == []
    assert set(said["submitted"]) == set(said["times"])


def test_tasks_take_what_the_plugins_specs_expect(audited):
    times = audited[1]["times"]
    epoch = times["train darts (seed 0)"]
    # Attacks and analyses take images in large batches; as many of them whatever the data.
    passes = resolve(ArchChoice(name="darts"), "mini", 10, (1, 8, 8)).pass_time
    assert times["sign_step (linf, untargeted) on darts (seed 0)"] == pytest.approx(1.5 * passes)
    assert times["weights of darts (seed 0)"] == pytest.approx(0.5 * passes)
    assert times["0.1 nudge made on darts"] == pytest.approx(2 * epoch)
    assert times["train darts+noisy (seed 0)"] == pytest.approx(1.25 * epoch)


def test_attacks_and_analyses_have_rows(rows):
    measured = {(row["attack"] or row["family"], row["metric"]) for row in rows}
    assert {("sign_step", "asr"), ("sign_step", "curve_area")} <= measured
    assert {("nudge", "cad"), ("nudge", "asr")} <= measured
    assert ("weights", "weight_length") in measured
    lengths = [row for row in rows if row["metric"] == "weight_length" and row["seed"] == "all"]
    assert {row["architecture"] for row in lengths} == {"darts", "darts+undilate", "darts+noisy"}
    assert all(row["value"] > 0 and row["unit"] == "length" for row in lengths)


def test_remedies_of_the_cell_of_the_training_and_of_the_answers_are_tried(rows):
    tried = {row["architecture"] for row in rows}
    assert tried == {"darts", "darts+undilate", "darts+noisy"}
    answers = {row["setting"].get("answers", "") for row in rows if row["attack"] == "knockoff"}
    assert answers == {"", "halved"}


def test_the_report_has_the_plugins_words(audited):
    page = (audited[0] / "report.html").read_text()
    for words in (
        "SignStep",
        "of the training images nudged",
        "One step of the sign of the gradient",
        "length of the weights",
        "Length of the vector of all weights.",
        "undilate",
        "training on noisy images",
        "answers drawn towards chance",
    ):
        assert words in page, words
