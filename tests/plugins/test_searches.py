"""Searches of another package: they keep the rules of all searches, and are found by their entry points."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from nasaudit.testing.search import TINY_SPACE, OneShotConformance, SampledConformance

EXAMPLE = Path(__file__).parent / "example"


@pytest.fixture(scope="module", autouse=True)
def example():
    """Its modules, without its entry points: registries of this process know nothing of it."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield import_module("example_work")
    finally:
        sys.path.remove(str(EXAMPLE))


class TestSalient(OneShotConformance):
    def search(self):
        settings = {"space": TINY_SPACE, "epochs": 2, "batch_size": 8, "init_channels": 4, "n_cells": 3}
        return import_module("example_work").Salient(
            import_module("example_plugin").SalientSpec.parse(settings)
        )


class TestOneByOne(SampledConformance):
    def search(self):
        settings = {"space": TINY_SPACE}
        return import_module("example_work").OneByOne(
            import_module("example_plugin").OneByOneSpec.parse(settings)
        )


def test_a_study_knows_them_by_name_without_torch():
    script = """
import sys
from nasaudit.spec.study import StudySpec

study = {"architectures": [{"search": "Salient"}, {"search": "one-by-one"}], "data": "digits", "attacks": []}
for choice in StudySpec.parse(study).architectures:
    print(choice.name, choice.search.shape)
assert "torch" not in sys.modules and "example_work" not in sys.modules
"""
    path = os.pathsep.join([str(EXAMPLE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["salient-s0 one_shot", "one_by_one-s0 sampled"]
