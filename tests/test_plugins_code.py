"""A plugin that changes makes other records: its version and its source are a part of every task that uses it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasaudit.plugins import code_of, source_sha256
from nasaudit.spec.named import foreign_code
from nasaudit.spec.study import StudySpec

EXAMPLE = Path(__file__).parent / "plugins/example"
DIGESTS = """
import json, sys
from pathlib import Path
from nasaudit.planning.plan import plan
from nasaudit.spec.study import StudySpec
study = StudySpec.parse({"architectures": ["resnet"], "data": "digits", "seeds": [0], "analyses": [],
                         "attacks": [{"name": "sign_step", "epsilons": [0.1]}, "fgsm",
                                     {"name": "nudge", "fractions": [0.1], "targets": 2}]})
print(json.dumps({task.label(): task.digest() for task in plan(study, Path("none")).tasks}))
"""


def digests(folder):
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_attack_of_a_plugin_that_was_changed_is_another_task_and_nothing_else_is(tmp_path):
    folder = tmp_path / "plugin"
    shutil.copytree(EXAMPLE, folder)
    before = digests(folder)
    assert digests(folder) == before
    with (folder / "example_work.py").open("a") as code:
        code.write("\nCHANGED = True\n")
    after = digests(folder)
    changed = {label for label in before if before[label] != after[label]}
    assert {label for label in before if "sign" in label or "nudge" in label} == changed
    (folder / "example_work.py").write_text((EXAMPLE / "example_work.py").read_text())
    assert digests(folder) == before
    metadata = folder / "example_plugin-1.0.dist-info/METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    raised = digests(folder)
    assert {label for label in before if before[label] != raised[label]} == changed


def test_our_own_code_is_known_by_the_versions_of_its_tasks():
    assert code_of("nasaudit.attacks.evasion.pgd") is None
    study = StudySpec.parse({"architectures": ["resnet"], "attacks": ["pgd", "badnets"]})
    assert foreign_code(study) == {}


def test_a_module_of_one_file_and_one_that_is_nowhere(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lonely_module.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    first = source_sha256("lonely_module")
    (tmp_path / "lonely_module.py").write_text("X = 2\n")
    assert source_sha256("lonely_module") != first
    assert source_sha256("no_such_module_at_all") == ""
    name, code = code_of("lonely_module")
    assert (name, code.partition(",")[0]) == ("lonely_module", "unknown version")
