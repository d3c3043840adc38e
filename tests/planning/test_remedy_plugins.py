"""Remedies of another package, one of each kind: one entry point each, and every part of the program takes them."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from nasaudit import registry
from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.arch.network import Network, Normalise
from nasaudit.arch.rewiring import rewire
from nasaudit.attacks.extraction.work import measure_extraction
from nasaudit.errors import NasauditError, UnknownNameError
from nasaudit.planning.experiments import Build, extraction
from nasaudit.planning.hardening import hardened, variants
from nasaudit.planning.plan import plan
from nasaudit.report.remedy_names import hardened_title
from nasaudit.report.sections.claim_rows import _asked
from nasaudit.results.schema import Claim
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import KnockoffSpec
from nasaudit.spec.remedies.catalogue import REMEDIES
from nasaudit.spec.remedies.mitigation import MitigationSpec
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import ExtractionTask, TrainTask
from nasaudit.spec.training import TrainingSpec
from nasaudit.store.workspace import Workspace
from nasaudit.testing.data import synthetic_split
from nasaudit.training.loop import fit

PLUGIN = '''
from dataclasses import replace
from typing import ClassVar, Literal

from nasaudit.spec.remedies.answers import LimitSpec
from nasaudit.spec.remedies.defences import DefenceSpec
from nasaudit.spec.genotype import Cell, Edge
from nasaudit.spec.remedies.catalogue import AnswersRemedy, Rewiring, TrainingRemedy
from nasaudit.training.seams import Defence


def sharper(cell, dose, replacements):
    """The first `dose` average poolings become max poolings."""
    left = [99 if dose is None else dose]

    def changed(edge):
        if edge.op != "avg_pool_3x3" or not left[0]:
            return edge
        left[0] -= 1
        return Edge("max_pool_3x3", edge.source)

    nodes = tuple(tuple(changed(edge) for edge in node) for node in cell.nodes)
    return Cell(nodes=nodes, concat=cell.concat)


class FloodingSpec(DefenceSpec):
    """The loss does not fall below a level."""

    seam: ClassVar = "batch"
    implementation: ClassVar[str] = "remedy_plugin:Flooding"
    name: Literal["flooding"] = "flooding"
    level: float = 5.0

    @property
    def expected_cost(self):
        return 0.25


class Flooding(Defence):
    def __init__(self, spec):
        self.spec = spec

    def applied(self, seams, network, training, seed):
        level = self.spec.level
        return replace(seams, loss=lambda *batch: (seams.loss(*batch) - level).abs() + level)


class CoarseSpec(LimitSpec):
    """Probabilities in steps."""

    implementation: ClassVar[str] = "remedy_plugin:Coarse"
    name: Literal["coarse_answers"] = "coarse_answers"
    step: float = 0.25

    def label(self):
        return f"steps of {self.step:g}"


class Coarse:
    def __init__(self, spec):
        self.step = spec.step

    def __call__(self, probabilities):
        return (probabilities / self.step).round() * self.step


SHARPER = Rewiring("max poolings", "remedy_plugin:sharper")
FLOODING = TrainingRemedy("flooding of the loss", FloodingSpec)
COARSE = AnswersRemedy("coarse answers", CoarseSpec)
'''
NAMES = {"sharper": "SHARPER", "flooding": "FLOODING", "coarse_answers": "COARSE"}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The remedies of PLUGIN are installed; gone afterwards."""
    (tmp_path / "remedy_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "remedy_plugin", raising=False)
    install(monkeypatch, {name: f"remedy_plugin:{value}" for name, value in NAMES.items()})
    yield
    sys.modules.pop("remedy_plugin", None)


def install(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    points = [EntryPoint(name, value, "nasaudit.remedies") for name, value in values.items()]
    assert list(REMEDIES)[-1] == "top_answers"  # read before, without the plugin
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == points[0].group else [])
    monkeypatch.setattr(REMEDIES, "_items", dict(REMEDIES._items))
    monkeypatch.setattr(REMEDIES, "_canonical", dict(REMEDIES._canonical))
    monkeypatch.setattr(REMEDIES, "_plugins_read", False)


def study(*remedies: str) -> StudySpec:
    return StudySpec.parse(
        {
            "architectures": ["nasnet"],
            "data": "digits",
            "seeds": [0],
            "attacks": ["knockoff"],
            "analyses": [],
            "mitigation": {"remedies": remedies},
        }
    )


def test_a_study_tries_them_by_name_and_by_kind(plugin: None) -> None:
    asked = study("Sharper", "flooding", "coarse-answers")
    assert asked.mitigation.remedies == ("sharper", "flooding", "coarse_answers")
    assert [choice.name for choice in hardened(asked)] == ["nasnet+sharper", "nasnet+flooding"]
    assert [variant.kind for variant in variants(asked)] == ["rewiring", "training"]
    tasks = plan(asked, Path("nowhere")).tasks
    trained = {task.architecture.name: task for task in tasks if isinstance(task, TrainTask)}
    assert [defence.name for defence in trained["nasnet+flooding"].training.defences] == ["flooding"]
    times = [trained[name].expected_time for name in ("nasnet+flooding", "nasnet")]
    assert times[0] == pytest.approx(1.25 * times[1])
    thefts = {task.label() for task in tasks if isinstance(task, ExtractionTask)}
    assert any("(soft labels: steps of 0.25; pool" in label for label in thefts)
    assert StudySpec.parse(asked.model_dump(mode="json")) == asked
    for kind, name in (("rewiring", "sharper"), ("training", "flooding"), ("answers", "coarse_answers")):
        assert MitigationSpec.parse({"remedies": [kind]}).remedies[-1] == name


def test_the_cell_is_rewired_by_dose_and_recognised(plugin: None) -> None:
    before = CATALOGUE["nasnet"].genotype
    after = rewire(before, "sharper", scope="all")
    ops = [edge.op for cell in (after.normal, after.reduction) for edge in cell.edges]
    assert "avg_pool_3x3" not in ops
    assert after != before
    named = StudySpec.parse(
        {
            "architectures": ["nasnet", {"name": "mine", "genotype": after.model_dump(mode="json")}],
            "data": "digits",
        }
    )
    (variant,) = variants(named)
    assert (variant.remedy, variant.scope, variant.name) == ("sharper", "all", "mine")


def test_the_loop_trains_by_the_defence(plugin: None) -> None:
    split = synthetic_split(16, 4, (1, 8, 8), seed=5)
    losses = {}
    for defences in ((), ("flooding",)):
        torch.manual_seed(0)
        body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
        spec = ArchSpec(name="linear", group="custom", classes=4, input_shape=(1, 8, 8))
        network = Network(spec, Normalise(torch.tensor([0.5]), torch.tensor([0.25])), body)
        recipe = TrainingSpec.parse({"epochs": 1, "batch_size": 16, "crop": 0, "defences": defences})
        losses[defences] = fit(network, split, recipe, 0).loss[0]
    assert losses["flooding",] == pytest.approx(10 - losses[()])


def test_the_thief_is_told_what_the_limit_leaves(plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a thief hears goes through the limit: every probability is a multiple of the step."""
    told = []

    class Heard(Exception):  # noqa: N818
        pass

    def steal(self, oracle, pool, *_, **__):
        told.append(oracle(pool.pixels(slice(0, 20))))
        raise Heard

    monkeypatch.setattr("nasaudit.attacks.extraction.base.ExtractionAttack.steal", steal)
    victim = plan(study("coarse_answers"), Path("nowhere")).victims[0]
    spec = KnockoffSpec.parse({"budgets": [40], "answers": [{"name": "Coarse answers", "step": 0.5}]})
    monkeypatch.setattr("nasaudit.attacks.extraction.work.load_victim", fresh)
    with pytest.raises(Heard):
        measure_extraction(extraction(victim, spec, Build("mini", 10, (1, 8, 8))), Workspace(Path(), None))
    assert set(told[0].unique().tolist()) <= {0.0, 0.5, 1.0}


def fresh(task, workspace):
    from nasaudit.arch.network import build
    from nasaudit.data.load import load_data

    return build(task.architecture), load_data(task.data, None)


def test_the_report_says_them_by_their_titles(plugin: None) -> None:
    assert hardened_title("nasnet+sharper@all-2") == "NASNet + max poolings in all cells, dose 2"
    assert hardened_title("nasnet+flooding") == "NASNet + flooding of the loss"
    claim = Claim.model_construct(
        kind="intervention", cause="sharper", effect="curve_area", predicted="lower", other=""
    )
    assert _asked(claim, {}) == "The rewiring max poolings lowers the curve area"


def test_a_rewiring_that_no_dose_completes_is_an_error_and_no_endless_loop(
    plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import remedy_plugin

    whole = remedy_plugin.sharper
    monkeypatch.setattr(
        remedy_plugin, "sharper", lambda cell, dose, ops: cell if dose else whole(cell, None, ops)
    )
    with pytest.raises(NasauditError, match="the remedy sharper does other than all there is"):
        hardened(study("sharper"))


def test_what_is_not_installed_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match="unknown remedy 'sharper'"):
        study("sharper")
    with pytest.raises(UnknownNameError, match="unknown defence 'flooding'"):
        TrainingSpec.parse({"defences": ["flooding"]})


def test_what_is_no_remedy_is_left_out_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, {"sine": "math:sin"})
    study("deepen")
    assert "math:sin" in caplog.text
    with pytest.raises(UnknownNameError):
        study("sine")
