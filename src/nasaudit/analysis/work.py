"""The work of analysis tasks: from a task to its measurements."""

import json

from nasaudit.analysis.convergence import convergence
from nasaudit.analysis.topology import topology
from nasaudit.metrics import Measurement, exact
from nasaudit.spec.tasks import ConvergenceTask, TopologyTask
from nasaudit.store.artefacts import HISTORY
from nasaudit.store.workspace import Workspace


def measure_topology(task: TopologyTask, workspace: Workspace) -> list[Measurement]:
    """Size of the network and shape of its cells.

    Measures `parameters` and `flops` of the network that is deployed (so without the auxiliary head, which
    serves training only), and for a cell network `depth`, `width`, `skips` and `skip_share` of each cell.
    """
    from nasaudit.arch.cost import count_flops, count_parameters
    from nasaudit.arch.network import build

    network = build(task.architecture.model_copy(update={"auxiliary": False}))
    workspace.progress(0.5, "counting")
    flops = count_flops(network, task.architecture.input_shape)
    measurements = [
        Measurement("parameters", exact(count_parameters(network), "parameters")),
        Measurement("flops", exact(flops, "flops")),
    ]
    if task.architecture.genotype is None:
        return measurements
    for cell, shape in topology(task.architecture.genotype).items():
        setting = (("cell", cell),)
        measurements += [
            Measurement("depth", exact(shape.depth, "edges"), setting),
            Measurement("width", exact(shape.width, "nodes"), setting),
            Measurement("skips", exact(shape.skips, "edges"), setting),
            Measurement("skip_share", exact(shape.skip_share, "fraction"), setting),
        ]
    return measurements


def measure_convergence(task: ConvergenceTask, workspace: Workspace) -> list[Measurement]:
    """How fast a victim learned: `loss_area`, and `steps_to_accuracy` for each threshold."""
    _, folder = workspace.find(task.victim)
    history = json.loads((folder / HISTORY).read_text())
    return convergence(history["loss"], history["accuracy"], history["images_per_step"])
