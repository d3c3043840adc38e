import json
import time

import pytest

from nasaudit.analysis.convergence.work import measure_convergence
from nasaudit.analysis.topology.shape import topology
from nasaudit.analysis.topology.work import measure_topology
from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.arch.cost import cost_by_op, count_flops, count_parameters
from nasaudit.arch.network import build
from nasaudit.spec.analyses import ConvergenceSpec, TopologySpec
from nasaudit.spec.data import DataSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import ArchitectureAnalysisTask, TrainTask, VictimAnalysisTask
from nasaudit.store.artefacts import HISTORY
from nasaudit.store.workspace import Workspace
from nasaudit.testing.bench import record_of


def spec_of(name, auxiliary=False):
    return resolve(ArchChoice(name=name, auxiliary=auxiliary), "mini", 10, (1, 8, 8))


def task_of(name, **options):
    return ArchitectureAnalysisTask(architecture=spec_of(name, **options), analysis=TopologySpec())


def measured(task, folder, find=None, work=measure_topology):
    found = work(task, Workspace(folder, find))
    by_key = {(m.metric, tuple(sorted(dict(m.setting).items()))): m.estimate for m in found}
    assert len(by_key) == len(found)
    return by_key


@pytest.mark.parametrize("name", ["darts", "random", "vgg", "bit"])
def test_shares_sum_to_one_and_sizes_are_those_of_the_network(name, tmp_path):
    found = measured(task_of(name), tmp_path)
    network = build(spec_of(name))
    assert found["parameters", ()].value == count_parameters(network)
    assert found["flops", ()].value == count_flops(network, (1, 8, 8))
    for metric in ("parameter_share", "flop_share"):
        shares = {dict(key[1])["op"]: e.value for key, e in found.items() if key[0] == metric}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
        assert set(shares) == set(cost_by_op(network, (1, 8, 8)))


def test_ops_are_those_of_the_genotype_cell_by_cell(tmp_path):
    found = measured(task_of("darts"), tmp_path)
    assert {key[1]: e.value for key, e in found.items() if key[0] == "ops"} == {
        (("cell", "normal"), ("op", "skip_connect")): 2,
        (("cell", "normal"), ("op", "sep_conv_3x3")): 5,
        (("cell", "normal"), ("op", "dil_conv_3x3")): 1,
        (("cell", "reduction"), ("op", "skip_connect")): 3,
        (("cell", "reduction"), ("op", "max_pool_3x3")): 5,
    }
    shape = topology(CATALOGUE["darts"].genotype)["normal"]
    assert found["skip_share", (("cell", "normal"),)].value == shape.skip_share == 0.25


def test_a_hand_made_network_has_no_cell_but_a_receptive_field(tmp_path):
    found = measured(task_of("resnet"), tmp_path)
    assert {key[0] for key in found} == {
        "parameters", "parameter_share", "flops", "flop_share", "receptive_field", "weight_free_paths"
    }  # fmt: skip
    assert found["receptive_field", ()].unit == "pixels"


def test_the_auxiliary_head_serves_training_and_is_not_counted(tmp_path):
    with_head = measured(task_of("darts", auxiliary=True), tmp_path)
    assert with_head == measured(task_of("darts"), tmp_path)


def test_the_topology_of_small_images_takes_moments(tmp_path):
    """Under half a second on an idle core; the bound leaves room for a busy one."""
    measured(task_of("darts"), tmp_path)
    start = time.process_time()
    measured(task_of("darts"), tmp_path)
    assert time.process_time() - start < 1.5


def test_convergence_reads_the_history_of_the_victim(tmp_path):
    victim = TrainTask(
        architecture=spec_of("darts"),
        data=DataSpec(name="digits"),
        training=recipe("mini", "sound", "digits", 1),
        seed=0,
    )
    history = {"loss": [2.0, 1.0, 0.0], "accuracy": [0.2, 0.6, 1.0], "images_per_step": 1280}
    (tmp_path / HISTORY).write_text(json.dumps(history))

    def find(task):
        assert task == victim
        return record_of(victim), tmp_path

    task = VictimAnalysisTask(victim=victim, analysis=ConvergenceSpec())
    found = measured(task, tmp_path, find, measure_convergence)
    assert found["loss_area", ()].value == 1
    assert found["early_accuracy", (("share", "0.5"),)].value == pytest.approx(0.6)
    assert found["steps_to_accuracy", (("accuracy", "0.95"), ("images_per_step", "1280"))].value == 3
