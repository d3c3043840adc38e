"""Cells that tools of others found, in the files that these write: read as data, nothing is loaded or run. No torch.

- this package and DARTS: JSON of a genotype, or the text `Genotype(...)` (`spec.genotype`);
- NASLib: the compact form of a DARTS cell, two lists of eight (source, op): automl/NASLib (0b51bc18),
  naslib/search_spaces/nasbench301/conversions.py:232; and six ops of a NAS-Bench-201 cell:
  naslib/search_spaces/nasbench201/conversions.py:20;
- NNI: a dict of choices, `normal/op_2_0`, `normal/input_2_0`: microsoft/nni (767ed7f22),
  nni/nas/hub/pytorch/nasnet.py:872;
- Archai: YAML of a ModelDesc (`files.archai`);
- AutoGluon: a folder with `config.yaml` beside its pickles: autogluon/autogluon,
  multimodal/src/autogluon/multimodal/configs/model/default.yaml has its fields.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasaudit.arch.files import archai
from nasaudit.documents import parse_json, parse_yaml
from nasaudit.errors import GenotypeError, InputError, SpecError
from nasaudit.spec.genotype import CELL_INPUTS, MAX_TEXT, Genotype
from nasaudit.spec.model import HF_CONFIG
from nasaudit.spec.nasbench201 import parse_201
from nasaudit.strangers import is_file, read_text

SUFFIXES = (".json", ".txt", ".yaml", ".yml")
AUTOGLUON_CONFIG = "config.yaml"
# automl/NASLib (0b51bc18), naslib/search_spaces/nasbench301/conversions.py:234-242.
NASLIB_OPS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
NASLIB_EDGES = 8  # of a cell
# The same, naslib/search_spaces/nasbench201/conversions.py:20-22; edges from node to node, counted from 1.
NASLIB_OPS_201 = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
NASLIB_EDGES_201 = ((1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4))
_NNI = re.compile(r"(normal|reduce)/(op|input)_(\d+)_(\d+)")
NNI_SIZES = ("depth", "width", "num_cells")  # which a scale decides here
NNI_NODES = 4  # of its DARTS, all of which make the output

# A genotype; or the text of a model: a NAS-Bench-201 cell, `timm:NAME`, `hf:FOLDER`.
Found = Genotype | str


def read_found(path: Path) -> Found:
    """What a file, or AutoGluon's folder, says was found.

    Raises:
        InputError: it cannot be read.
        GenotypeError: it is none of the forms; the field is named, with what was expected there.
    """
    if not is_file(path):
        return _autogluon(path)
    text = read_text(path, InputError, most=archai.MAX_BYTES)
    if path.suffix == ".json":
        return _of(parse_json(text, str(path)))
    if path.suffix == ".txt":
        return _of(_literal(text)) if text.lstrip()[:1] in ("(", "[") else Genotype.from_text(text)
    if archai.is_description(text):
        return archai.read(text, str(path))
    return _of(parse_yaml(text, str(path))[0])


def _of(values: Any) -> Found:
    """A parsed file, by its shape."""
    if isinstance(values, Mapping):
        if isinstance(values.get("genotype"), str) and "provenance" in values:
            parse_201(values["genotype"])
            return str(values["genotype"])
        if any(_NNI.fullmatch(str(key)) for key in values):
            return _nni(values)
        if (
            isinstance(values.get("params"), Mapping)
            or not {"normal", "reduction", "genotype"} & values.keys()
        ):
            raise GenotypeError(
                "genotype",
                "cells (`normal` and `reduction` or `reduce`; or NNI's `normal/op_2_0`); the parameters of a trial "
                "go behind the function that builds its network: net.py:build@FILE",
                sorted(map(str, values)),
            )
        return Genotype.from_json(values)
    if isinstance(values, Sequence) and not isinstance(values, str):
        return _naslib_201(values) if all(type(value) is int for value in values) else _naslib(values)
    raise GenotypeError("(whole)", "a mapping, or NASLib's lists", values)


def _naslib(cells: Sequence[Any]) -> Genotype:
    if len(cells) != 2:
        raise GenotypeError(
            "(whole)", "two cells, normal and reduction, or six ops of NAS-Bench-201", len(cells)
        )
    fields: dict[str, Any] = {}
    for name, cell in zip(("normal", "reduce"), cells, strict=True):
        if not isinstance(cell, Sequence) or len(cell) != NASLIB_EDGES:
            raise GenotypeError(name, f"{NASLIB_EDGES} pairs (source, op), as NASLib's compact form", cell)
        edges = []
        for position, pair in enumerate(cell):
            where = f"{name}[{position}]"
            if (
                not isinstance(pair, Sequence)
                or len(pair) != 2
                or any(type(part) is not int for part in pair)
            ):
                raise GenotypeError(where, "a pair of numbers (source, op)", pair)
            source, op = pair
            edges.append((_nth(NASLIB_OPS, op, f"{where}[1]"), source))
        fields |= {name: edges, f"{name}_concat": list(range(CELL_INPUTS, CELL_INPUTS + NASLIB_EDGES // 2))}
    return Genotype.from_darts(fields)


def _naslib_201(numbers: Sequence[int]) -> str:
    if len(numbers) != len(NASLIB_EDGES_201):
        raise GenotypeError("(whole)", f"{len(NASLIB_EDGES_201)} ops, one an edge", len(numbers))
    nodes: dict[int, list[str]] = {}
    for position, ((source, node), number) in enumerate(zip(NASLIB_EDGES_201, numbers, strict=True)):
        op = _nth(NASLIB_OPS_201, number, f"[{position}]")
        nodes.setdefault(node, []).append(f"{op}~{source - 1}")
    return "+".join(f"|{'|'.join(nodes[node])}|" for node in sorted(nodes))


def _nth(ops: Sequence[str], number: int, where: str) -> str:
    if not 0 <= number < len(ops):
        raise GenotypeError(where, f"the number of an op, 0 to {len(ops) - 1}", number)
    return ops[number]


def _nni(choices: Mapping[str, Any]) -> Genotype:
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for key, value in choices.items():
        match = _NNI.fullmatch(str(key))
        if match is None:
            if key in NNI_SIZES:
                continue
            raise GenotypeError(
                str(key), "a choice such as normal/op_2_0 or normal/input_2_0; remove it", value
            )
        kind, what, node, edge = match.groups()
        # The hub and newer versions write a list of one.
        alone = what == "input" and isinstance(value, list | tuple) and len(value) == 1
        found.setdefault((kind, int(node), int(edge)), {})[what] = value[0] if alone else value
    fields: dict[str, Any] = {}
    last = CELL_INPUTS + NNI_NODES - 1
    for kind, node, _ in found:
        if not CELL_INPUTS <= node <= last:
            raise GenotypeError(
                f"{kind}/op_{node}_0",
                f"nodes {CELL_INPUTS} to {last}, those of DARTS; of another space the file does not say which nodes "
                "make the output: write the cells as a genotype, with its `concat`",
                node,
            )
    for kind in ("normal", "reduce"):
        edges = []
        for node in range(CELL_INPUTS, last + 1):
            for edge in range(2):
                said = found.pop((kind, node, edge), {})
                for what in ("op", "input"):
                    if what not in said:
                        raise GenotypeError(f"{kind}/{what}_{node}_{edge}", "this choice to be present", None)
                edges.append((said["op"], said["input"]))
        fields |= {kind: edges, f"{kind}_concat": list(range(CELL_INPUTS, last + 1))}
    for kind, node, edge in found:
        raise GenotypeError(f"{kind}/op_{node}_{edge}", "two edges a node, 0 and 1", edge)
    return Genotype.from_darts(fields)


def _literal(text: str) -> Any:
    form = "NASLib's tuples, ((source, op), ...), or six numbers"
    if len(text) > MAX_TEXT:
        raise GenotypeError("(text)", f"at most {MAX_TEXT} characters", len(text))
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise GenotypeError("(text)", form, text[:80]) from error


def is_autogluon(folder: Path) -> bool:
    """Whether a folder is one that AutoGluon's MultiModalPredictor saved."""
    return is_file(folder / AUTOGLUON_CONFIG) and not is_file(folder / HF_CONFIG)


def _autogluon(folder: Path) -> str:
    """The timm network of a folder: a name in its configuration. The pickles beside it are not opened."""
    path = folder / AUTOGLUON_CONFIG
    values, _ = parse_yaml(read_text(path, InputError), str(path))
    model = values.get("model") if isinstance(values, Mapping) else None
    if not isinstance(model, Mapping):
        raise SpecError(f"{path}: model", "the mapping that AutoGluon's MultiModalPredictor writes", values)
    names = model.get("names")
    if names != ["timm_image"]:
        raise SpecError(f"{path}: model.names", "[timm_image], one network for images alone", names)
    image = model.get("timm_image")
    name = image.get("checkpoint_name") if isinstance(image, Mapping) else None
    if not isinstance(name, str) or not name:
        raise SpecError(f"{path}: model.timm_image.checkpoint_name", "the name of a network of timm", name)
    beside = folder / Path(name).name  # where a predictor that was saved to stand alone has its configuration
    return f"hf:{beside}" if is_file(beside / HF_CONFIG) else f"timm:{name}"
