import pytest

from nasaudit.analysis.work import measure_topology
from nasaudit.arch.catalogue import resolve
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import TopologyTask
from nasaudit.store.workspace import Workspace


def measured(tmp_path, choice, scale="mini"):
    spec = resolve(choice, scale, 10, (3, 28, 28))
    workspace = Workspace(tmp_path, find=lambda task: pytest.fail(f"asked for {task}"))
    found = measure_topology(TopologyTask(architecture=spec), workspace)
    return {(each.metric, *dict(each.setting).values()): each.estimate for each in found}


def test_topology_of_darts(tmp_path):
    found = measured(tmp_path, ArchChoice(name="darts"))
    assert {
        key: estimate.value for key, estimate in found.items() if key[0] not in {"parameters", "flops"}
    } == {
        ("depth", "normal"): 2,
        ("width", "normal"): 3.5,
        ("skips", "normal"): 2,
        ("skip_share", "normal"): 0.25,
        ("depth", "reduction"): 2,
        ("width", "reduction"): 2.5,
        ("skips", "reduction"): 3,
        ("skip_share", "reduction"): 3 / 8,
    }
    assert all(estimate.low == estimate.value == estimate.high for estimate in found.values())


def test_parameters_are_those_of_the_published_network_without_its_auxiliary_head(tmp_path):
    found = measured(tmp_path, ArchChoice(name="darts", auxiliary=True), "paper")
    assert found[("parameters",)].value == 3_349_342
    assert found[("parameters",)].unit == "parameters"


def test_a_manual_family_has_a_size_and_no_cells(tmp_path):
    found = measured(tmp_path, ArchChoice(name="vgg"))
    assert set(found) == {("parameters",), ("flops",)}
    assert 9e6 <= found[("flops",)].value <= 18e6
