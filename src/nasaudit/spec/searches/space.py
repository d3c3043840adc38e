"""SpaceSpec: the cells that a search chooses among, as data.

A cell of a space has `nodes` nodes; each adds up `edges` edges that come from different earlier nodes or cell inputs,
and each edge carries one op. The supernet of a space has every edge with every op at once.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nasaudit.documents import parse_yaml
from nasaudit.errors import InputError, SpecError
from nasaudit.registry import Registry
from nasaudit.spec.base import Spec
from nasaudit.spec.genotype import CELL_INPUTS, MAX_NODES, OPS
from nasaudit.spec.nasbench201 import OPS_201
from nasaudit.strangers import read_text

NONE = "none"  # the op that stands for an edge which is not there
# `darts`: a stack of normal cells with reduction cells at 1/3 and 2/3 of the depth, each reading the two cells before
# it; `nasbench201`: three stages of one cell with residual blocks between, each cell reading the one before it.
Skeleton = Literal["darts", "nasbench201"]


class SpaceSpec(Spec):
    """A search space."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = "custom"  # as provenance says it
    # Ops that an edge of the supernet has. `none` is one of a supernet alone: no derived cell has it, except where
    # every edge is kept.
    primitives: Annotated[tuple[str, ...], Field(min_length=1)]
    nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = 4  # of a cell
    edges: Annotated[int, Field(ge=1)] | None = 2  # kept at each node; None: all of them
    # Whether all nodes make the output of a cell, or those alone that no other one reads.
    concat: Literal["all", "loose"] = "all"
    skeleton: Skeleton = "darts"  # what cells are stacked to

    @model_validator(mode="after")
    def _has_a_cell(self) -> "SpaceSpec":
        known = OPS if self.skeleton == "darts" else OPS_201
        for position, op in enumerate(self.primitives):
            if op not in known:
                raise SpecError(f"primitives[{position}]", f"one of {', '.join(known)}", op)
        if len(set(self.primitives)) != len(self.primitives):
            raise SpecError("primitives", "each op once", list(self.primitives))
        if not self.ops and self.edges is not None:
            raise SpecError(
                "primitives", "an op beside none, of which a cell can be made", list(self.primitives)
            )
        if self.skeleton == "nasbench201" and (self.edges is not None or self.concat != "all"):
            raise SpecError("edges", "nothing (all edges of a NAS-Bench-201 cell are kept)", self.edges)
        if self.edges is not None and self.edges > self.inputs:
            raise SpecError(
                "edges", f"at most {self.inputs}, which the first node has to choose from", self.edges
            )
        return self

    @property
    def inputs(self) -> int:
        """Cells that a cell reads."""
        return CELL_INPUTS if self.skeleton == "darts" else 1

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of cell that are chosen."""
        return ("normal", "reduction") if self.skeleton == "darts" else ("normal",)

    @property
    def ops(self) -> tuple[str, ...]:
        """The primitives that are something."""
        return tuple(op for op in self.primitives if op != NONE)

    @property
    def sources(self) -> tuple[tuple[int, int], ...]:
        """(node, source) of each edge of the supernet's cell, in order; nodes are numbered behind the inputs."""
        return tuple(
            (node, source) for node in range(self.inputs, self.inputs + self.nodes) for source in range(node)
        )

    def edges_into(self, node: int) -> range:
        """Positions in `sources` of the edges that enter a node."""
        first = sum(range(self.inputs, node))
        return range(first, first + node)

    @classmethod
    def read(cls, value: Any) -> Any:
        """A space as it is written: a name, or a mapping, or the path of a YAML file that holds one."""
        if not isinstance(value, str):
            return value
        if value.endswith((".yaml", ".yml")):
            found, _ = parse_yaml(read_text(Path(value), InputError), value)
            if not isinstance(found, dict):
                raise SpecError(value, "a mapping with `primitives`, `nodes`, `edges`", found)
            return cls.parse({"name": Path(value).stem, **found}, value)
        return SPACES[value]


SPACES: Registry[SpaceSpec] = Registry("search space", "nasaudit.spaces", SpaceSpec)


def _space(**fields: Any) -> None:
    space = SpaceSpec.parse(fields)
    SPACES.add(space.name, space)


# Liu et al., "DARTS", ICLR 2019, section 3.1; the order is that of its authors (quark0/darts f276dd3,
# cnn/genotypes.py:5), by which ties of weights are broken.
_space(
    name="darts",
    primitives=(
        NONE,
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    ),
)
# Zoph et al., "Learning Transferable Architectures", CVPR 2018, section 3.2: five nodes, the loose ones make the
# output. Of its 13 ops those that this package has; two inputs of a node are of different sources here.
_space(
    name="nasnet",
    primitives=(
        "skip_connect",
        "max_pool_3x3",
        "avg_pool_3x3",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "sep_conv_7x7",
        "dil_conv_3x3",
        "conv_7x1_1x7",
    ),
    nodes=5,
    concat="loose",
)
# Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018; the order is that of its
# authors (melodyguan/enas 4bcfd73, src/cifar10/micro_child.py:567-573).
_space(
    name="enas",
    primitives=("sep_conv_3x3", "sep_conv_5x5", "avg_pool_3x3", "max_pool_3x3", "skip_connect"),
    nodes=5,
    concat="loose",
)
# Dong & Yang, "NAS-Bench-201", ICLR 2020, section 2.1.
_space(name="nasbench201", primitives=OPS_201, nodes=3, edges=None, skeleton="nasbench201")

AnySpace = Annotated[SpaceSpec, BeforeValidator(SpaceSpec.read)]
