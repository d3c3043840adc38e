"""Archai's YAML of a ModelDesc. Its tags name Python classes: the nodes are walked, and no object is made. No torch.

microsoft/archai (6bb8ba38), archai/supergraph/nas/model_desc.py, writes it; confs/darts_models/final_model_desc1.yaml
is one.
"""

from collections.abc import Sequence

import yaml

from nasaudit.errors import GenotypeError, SpecError
from nasaudit.spec.genotype import CELL_INPUTS, Genotype

MAX_BYTES = 2**24  # a network of 20 cells has half a megabyte
TAG = "tag:yaml.org,2002:python/object:archai."
CONCAT = "concate_channels"  # its misspelling: the output of a cell is all its nodes beside each other
KINDS = {"regular": "normal", "reduction": "reduction"}


def is_description(text: str) -> bool:
    """Whether a YAML text begins like a ModelDesc."""
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    return first.startswith("!!python/object:archai.")


def read(text: str, where: str) -> Genotype:
    """The cells of a model, of which all of a kind must be alike.

    Raises:
        SpecError: not YAML.
        GenotypeError: a field that is missing or unknown.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(where, "YAML", " ".join(str(error).split())[:200]) from error
    cells: dict[str, dict[str, object]] = {}
    for number, cell in enumerate(_items(_field(root, "_cell_descs", ""), "_cell_descs")):
        at = f"_cell_descs[{number}]"
        kind = _kind(_field(cell, "cell_type", at), f"{at}.cell_type")
        nodes = [
            [
                _edge(edge, f"{at}._nodes[{k}].edges[{j}]")
                for j, edge in enumerate(_items(_field(node, "edges", at), at))
            ]
            for k, node in enumerate(_items(_field(cell, "_nodes", at), f"{at}._nodes"))
        ]
        post = _text(_field(_field(cell, "post_op", at), "name", f"{at}.post_op"), f"{at}.post_op.name")
        if post != CONCAT:
            raise GenotypeError(f"{at}.post_op.name", CONCAT, post)
        found = {"nodes": nodes, "concat": list(range(CELL_INPUTS, CELL_INPUTS + len(nodes)))}
        if cells.setdefault(kind, found) != found:
            raise GenotypeError(
                at,
                f"the same edges as the other {kind} cells (a network here repeats one cell of a kind)",
                kind,
            )
    return Genotype.from_json(cells)


def _edge(edge: yaml.Node, at: str) -> tuple[str, int]:
    sources = _items(_field(edge, "input_ids", at), f"{at}.input_ids")
    if len(sources) != 1 or not _text(sources[0], at).isdecimal():
        raise GenotypeError(f"{at}.input_ids", "one number", [_text(source, at) for source in sources])
    return _text(_field(_field(edge, "op_desc", at), "name", at), f"{at}.op_desc.name"), int(
        _text(sources[0], at)
    )


def _kind(node: yaml.Node, at: str) -> str:
    values = _items(node, at)
    kind = _text(values[0], at) if len(values) == 1 else ""
    if kind not in KINDS:
        raise GenotypeError(at, f"one of {', '.join(KINDS)}", kind)
    return KINDS[kind]


def _field(node: yaml.Node | None, name: str, at: str) -> yaml.Node:
    if not isinstance(node, yaml.MappingNode):
        raise GenotypeError(at or "(whole)", f"a mapping with `{name}`", None if node is None else node.tag)
    for key, value in node.value:
        if key.value == name:
            assert isinstance(value, yaml.Node)
            return value
    raise GenotypeError(
        f"{at}.{name}".lstrip("."), "this field to be present", [str(key.value) for key, _ in node.value]
    )


def _items(node: yaml.Node, at: str) -> Sequence[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise GenotypeError(at, "a list", node.value if isinstance(node, yaml.ScalarNode) else node.tag)
    return node.value  # type: ignore[no-any-return]


def _text(node: yaml.Node, at: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise GenotypeError(at, "a word", node.tag)
    return str(node.value)
