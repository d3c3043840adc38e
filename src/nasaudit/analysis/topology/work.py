"""The work of the analysis `topology`: from an architecture to its measurements."""

from collections.abc import Iterator, Mapping
from typing import cast

from nasaudit.analysis.topology.shape import Topology, topology
from nasaudit.measure.estimate import Measurement, exact
from nasaudit.spec.analyses import TopologySpec
from nasaudit.spec.tasks import ArchitectureAnalysisTask
from nasaudit.store.workspace import Workspace


def measure_topology(task: ArchitectureAnalysisTask, workspace: Workspace) -> list[Measurement]:
    """Size of the network, what the size consists of, how far it sees, and the shape of its cells.

    Measures `parameters` and `flops` of the network that is deployed (so without the auxiliary head, which
    serves training only), `parameter_share` and `flop_share` of each op, `receptive_field`, and for a cell network
    `depth`, `width`, `skips`, `skip_share` and `ops` of each cell. `weight_free_paths` counts what an architectural
    backdoor needs, and each is a `weight_free_join`; without such a row the network could not be followed.
    """
    # Torch is imported here: a study reads `work` by name, and its plan needs no torch.
    from nasaudit.analysis.topology.receptive_field import receptive_field
    from nasaudit.analysis.topology.weight_free import weight_free_paths
    from nasaudit.arch.cost import cost_by_op
    from nasaudit.arch.network import build

    deployed = task.architecture.model_copy(update={"auxiliary": False})
    network = build(deployed)
    costs = cost_by_op(network, deployed.input_shape)
    joins = weight_free_paths(network, deployed.input_shape)
    workspace.progress(0.2, "receptive field")
    spec = cast(TopologySpec, task.analysis)
    field = receptive_field(deployed, spec.images, spec.seed)
    genotype = deployed.genotype
    return [
        *_sizes({op: cost.parameters for op, cost in costs.items()}, "parameters", "parameter_share"),
        *_sizes({op: cost.flops for op, cost in costs.items()}, "flops", "flop_share"),
        *(() if field is None else (Measurement("receptive_field", field),)),
        *(() if joins is None else (Measurement("weight_free_paths", exact(len(joins), "paths")),)),
        *(
            Measurement(
                "weight_free_join", exact(1, "paths"), (("op", join.op), ("layer", join.layer or "network"))
            )
            for join in joins or ()
        ),
        *(
            measurement
            for cell, shape in ({} if genotype is None else topology(genotype)).items()
            for measurement in _shape(cell, shape)
        ),
    ]


def _sizes(by_op: Mapping[str, int], metric: str, share: str) -> Iterator[Measurement]:
    """The sum over the ops, and each op's share of it, if there is anything to share."""
    total = sum(by_op.values())
    yield Measurement(metric, exact(total, metric))
    for op, size in by_op.items() if total else ():
        yield Measurement(share, exact(size / total, "fraction"), (("op", op),))


def _shape(cell: str, shape: Topology) -> Iterator[Measurement]:
    """The figures of one cell."""
    setting = (("cell", cell),)
    yield Measurement("depth", exact(shape.depth, "edges"), setting)
    yield Measurement("width", exact(shape.width, "nodes"), setting)
    yield Measurement("skips", exact(shape.skips, "edges"), setting)
    yield Measurement("skip_share", exact(shape.skip_share, "fraction"), setting)
    for op, edges in shape.ops:
        yield Measurement("ops", exact(edges, "edges"), (*setting, ("op", op)))
