"""What lies in the working folder, beside somebody's data, is not run: not by the command, and not by its workers."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

# As the installed script starts, whose folder is the one of the scripts.
NASAUDIT = [sys.executable, "-P", "-c", "from nasaudit.cli import main; main()"]
GROUPS = ("architectures", "attacks", "analyses", "data", "remedies", "searches", "executors", "metrics")
PLANTED = (sys.stdlib_module_names - {"antigravity", "this"}) | {
    "numpy",
    "torch",
    "timm",
    "scipy",
    "pandas",
    "evil",
}
NET = """
import queue, secrets
import numpy
from torch import nn
from evil import LAYER  # the user's own, though another of the name lies in the working folder

def build(classes, input_shape):
    return nn.Sequential(nn.Flatten(), LAYER(input_shape[0] * input_shape[1] * input_shape[2], classes))
"""
STUDY = {
    "architectures": ["mine/net.py:build"],
    "data": "digits",
    "seeds": [0],
    "attacks": [{"name": "fgsm", "images": 20, "epsilons": [0.1]}],
    "training": {"epochs": 1, "crop": 0},
    "analyses": ["convergence"],
}


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """A folder where each module, and each plugin that metadata there names, leaves a trace when it is imported."""
    folder = tmp_path / "strange"
    metadata = folder / "evil-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    points = "".join(f"[nasaudit.{group}]\nevil = evil:LAYER\n" for group in GROUPS)
    (metadata / "entry_points.txt").write_text(points)
    for name in PLANTED:
        trace = tmp_path / "traces" / name
        (folder / f"{name}.py").write_text(f"open({str(trace)!r}, 'w').close()\nLAYER = None\n")
    (tmp_path / "traces").mkdir()
    (folder / "mine").mkdir()
    (folder / "mine/net.py").write_text(NET)
    (folder / "mine/evil.py").write_text("from torch.nn import Linear as LAYER\n")
    return folder


def traces(strange: Path) -> list[str]:
    return sorted(path.name for path in (strange.parent / "traces").iterdir())


def nasaudit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*NASAUDIT, *words], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def test_modules_and_plugins_of_the_working_folder_are_not_run(strange: Path) -> None:
    (strange / "study.yaml").write_text(json.dumps(STUDY))
    done = nasaudit(strange, "study", "run", "study.yaml", "--out", "out", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "evil" not in done.stderr
    with (strange / "out/results.csv").open() as table:
        assert {"clean_accuracy", "asr"} <= {row["metric"] for row in csv.DictReader(table)}
    assert traces(strange) == []


def test_a_python_that_a_worker_starts_does_not_look_there_either(strange: Path) -> None:
    code = """
import subprocess, sys
from nasaudit.running.executors.threads import worker_environment
sys.path.insert(0, "")
run = [sys.executable, "-c", "import queue, secrets, numpy, importlib.metadata as m; "
       "assert 'evil' not in {d.name for d in m.distributions()}"]
subprocess.run(run, env=worker_environment(), check=True)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=strange, check=False)
    assert done.returncode == 0
    assert traces(strange) == []


@pytest.mark.parametrize("target", ["torch.nn:Linear", "colorsys:hls_to_rgb"])
def test_an_installed_module_is_not_looked_for_in_the_working_folder(strange: Path, target: str) -> None:
    code = f"from nasaudit.arch.code import code_digest, load; load({target!r}, code_digest({target!r}))"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=strange, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert traces(strange) == []
