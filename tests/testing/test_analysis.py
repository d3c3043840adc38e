"""The conformance suite of analyses catches what it is there to catch."""

import random
from typing import ClassVar, Literal

import pytest
import torch
from tests.testing.planted import broken_rules

from nasaudit.measure.estimate import Estimate, Measurement, exact
from nasaudit.spec.analyses import AnalysisSpec
from nasaudit.store.artefacts import WEIGHTS
from nasaudit.testing.analysis import AnalysisConformance
from nasaudit.testing.bench import Bench
from nasaudit.training.work import load_victim

FIGURES = "figures_are_estimates_of_declared_metrics"
AGAIN = "a_second_time_finds_and_leaves_the_same"
ALONE = "the_victim_and_global_generators_are_left_alone"
PROGRESS = "progress_rises"
EVERYTHING = {FIGURES, AGAIN, ALONE, PROGRESS}

FIGURE = Estimate(0.5, 0.4, 0.6, 10, "fraction")
FIGURES_WITH = {
    "no number": exact(float("nan"), "fraction"),
    "outside": Estimate(0.5, 0.6, 0.7, 10, "fraction"),
    "of nothing": Estimate(0.5, 0.4, 0.6, 0, "fraction"),
    "another unit": Estimate(0.5, 0.4, 0.6, 10, "pixels"),
}


class BrokenSpec(AnalysisSpec):
    summary: ClassVar[str] = "one figure"
    implementation: ClassVar[str] = "tests.testing.test_analysis:measure"

    name: Literal["broken"] = "broken"
    fault: str


def measure(task, workspace):
    """One figure, with one rule broken."""
    fault = task.analysis.fault
    network, _ = load_victim(task.victim, workspace)
    workspace.progress(0.6 if fault == "back" else 0.4)
    workspace.progress(1.4 if fault == "too far" else 0.5)
    if fault == "unsaid need":
        workspace.find(task.victim.model_copy(update={"seed": 7}))
    if fault == "weights":
        next(network.parameters()).data.add_(1e-7)
    if fault == "statistics":
        network.train()(torch.rand(8, 1, 8, 8))
        network.eval()
    if fault == "gradients":
        network(torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))).sum().backward()
    if fault == "mode":
        network.train()
    if fault == "files":
        (workspace.find(task.victim)[1] / WEIGHTS).write_bytes(b"")
    if fault == "draws":
        torch.rand(1)
    if fault == "leaves":
        (workspace.folder / "left").write_text(str(random.SystemRandom().random()))
    figure = FIGURES_WITH.get(fault, FIGURE)
    if fault == "by chance":
        figure = exact(random.SystemRandom().random(), "fraction")
    measurement = Measurement("undeclared" if fault == "undeclared" else "skip_share", figure)
    return [measurement] * {"twice": 2, "nothing": 0}.get(fault, 1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize(
    ("fault", "rules"),
    [
        ("none", set()),
        ("no number", {FIGURES}),
        ("outside", {FIGURES}),
        ("of nothing", {FIGURES}),
        ("another unit", {FIGURES}),
        ("nothing", {FIGURES}),
        ("undeclared", {FIGURES}),
        ("twice", {FIGURES}),
        ("by chance", {AGAIN}),
        ("leaves", {AGAIN}),
        ("weights", {ALONE}),
        ("statistics", {ALONE}),
        ("gradients", {ALONE}),
        ("mode", {ALONE}),
        ("draws", {ALONE}),
        ("back", {PROGRESS}),
        ("too far", {PROGRESS}),
        ("unsaid need", EVERYTHING),
    ],
)
def test_the_suite_of_analyses_catches(fault, rules, bench, tmp_path_factory):
    assert broken_rules(Suite(fault), bench=bench, tmp_path=lambda: tmp_path_factory.mktemp("own")) == rules


def test_the_suite_catches_an_analysis_that_changes_the_victims_files(tmp_path):
    (tmp_path / "own").mkdir()
    with pytest.raises(AssertionError):
        Suite("files").test_the_victim_and_global_generators_are_left_alone(Bench(tmp_path), tmp_path / "own")


class Suite(AnalysisConformance):
    def __init__(self, fault):
        self.fault = fault

    def analysis(self):
        return BrokenSpec(fault=self.fault)
