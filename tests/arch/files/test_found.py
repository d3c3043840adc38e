"""Cells in the files of other tools, written by hand in the form that their sources describe."""

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from nasaudit.arch.catalogue import CATALOGUE, choose, resolve
from nasaudit.arch.files.found import read_found
from nasaudit.arch.network import build
from nasaudit.cli import app
from nasaudit.errors import GenotypeError, InputError, SpecError
from nasaudit.search.found import FoundCells
from nasaudit.spec.nasbench201 import parse_201

DARTS = CATALOGUE["darts"].genotype
# microsoft/nni (767ed7f22), nni/nas/hub/pytorch/nasnet.py:872-905: `darts-v2`, its choices as there.
NNI = {
    "normal/op_2_0": "sep_conv_3x3", "normal/op_2_1": "sep_conv_3x3",
    "normal/input_2_0": [0], "normal/input_2_1": [1],
    "normal/op_3_0": "sep_conv_3x3", "normal/op_3_1": "sep_conv_3x3",
    "normal/input_3_0": [0], "normal/input_3_1": [1],
    "normal/op_4_0": "sep_conv_3x3", "normal/op_4_1": "skip_connect",
    "normal/input_4_0": [1], "normal/input_4_1": [0],
    "normal/op_5_0": "skip_connect", "normal/op_5_1": "dil_conv_3x3",
    "normal/input_5_0": [0], "normal/input_5_1": [2],
    "reduce/op_2_0": "max_pool_3x3", "reduce/op_2_1": "max_pool_3x3",
    "reduce/input_2_0": [0], "reduce/input_2_1": [1],
    "reduce/op_3_0": "skip_connect", "reduce/op_3_1": "max_pool_3x3",
    "reduce/input_3_0": [2], "reduce/input_3_1": [1],
    "reduce/op_4_0": "max_pool_3x3", "reduce/op_4_1": "skip_connect",
    "reduce/input_4_0": [0], "reduce/input_4_1": [2],
    "reduce/op_5_0": "skip_connect", "reduce/op_5_1": "max_pool_3x3",
    "reduce/input_5_0": [2], "reduce/input_5_1": [1],
}  # fmt: skip
# automl/NASLib (0b51bc18), naslib/search_spaces/nasbench301/conversions.py:232-261: (source, op) of the same cells;
# its ops are max, avg, skip, sep 3, sep 5, dil 3, dil 5.
NASLIB = [
    [[0, 3], [1, 3], [0, 3], [1, 3], [1, 3], [0, 2], [0, 2], [2, 5]],
    [[0, 0], [1, 0], [2, 2], [1, 0], [0, 0], [2, 2], [2, 2], [1, 0]],
]
# The same, naslib/search_spaces/nasbench201/conversions.py:20-22: 0 skip, 1 none, 2 conv 3x3, 3 conv 1x1, 4 pool, on
# the edges (1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4).
NASLIB_201 = [0, 1, 2, 3, 4, 2]
TEXT_201 = "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_3x3~2|"


def write(path: Path, values: Any) -> Path:
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_choices_of_nni(tmp_path: Path) -> None:
    assert read_found(write(tmp_path / "nni.json", {"width": 36, "num_cells": 20, **NNI})) == DARTS
    # docs/source/tutorials/darts.py:368 writes numbers alone
    flat = {key: value[0] if isinstance(value, list) else value for key, value in NNI.items()}
    assert read_found(write(tmp_path / "flat.json", flat)) == DARTS
    lines = "\n".join(f"{key}: {value}" for key, value in flat.items())
    assert read_found(write(tmp_path / "nni.yaml", lines)) == DARTS


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"normal/op_2_0": "max_pool_7x7"}, "normal.nodes[0][0].op", "one of none, skip_connect"),
        ({"normal/input_2_0": [5]}, "normal.nodes[0][0].source", "an earlier node, 0 to 1"),
        ({"normal/op_6_0": "skip_connect"}, "normal/op_6_0", "nodes 2 to 5"),
        ({"normal/op_2_2": "skip_connect"}, "normal/op_2_2", "two edges a node"),
        ({"layer3": 4}, "layer3", "remove it"),
    ],
)
def test_what_nni_chose_elsewhere_is_named(
    changes: dict[str, Any], field: str, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(GenotypeError) as error:
        read_found(write(tmp_path / "nni.json", {**NNI, **changes}))
    assert field in str(error.value)
    assert expected in str(error.value)


def test_a_missing_choice_is_named(tmp_path: Path) -> None:
    choices = {key: value for key, value in NNI.items() if key != "reduce/input_4_1"}
    with pytest.raises(GenotypeError, match=r"reduce/input_4_1: expected this choice to be present"):
        read_found(write(tmp_path / "nni.json", choices))


def test_compact_cells_of_naslib(tmp_path: Path) -> None:
    assert read_found(write(tmp_path / "cell.json", NASLIB)) == DARTS
    as_tuples = str(tuple(tuple(map(tuple, cell)) for cell in NASLIB))
    assert read_found(write(tmp_path / "cell.txt", as_tuples)) == DARTS


def test_ops_of_naslib_are_a_cell_of_nasbench201(tmp_path: Path) -> None:
    assert read_found(write(tmp_path / "cell.json", NASLIB_201)) == TEXT_201
    assert read_found(write(tmp_path / "cell.txt", str(tuple(NASLIB_201)))) == TEXT_201
    parse_201(TEXT_201)
    choice = choose(str(tmp_path / "cell.json"))
    assert choice.model is not None
    assert choice.model.target == TEXT_201


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1, 2], "six|6 ops"),
        ([0, 1, 2, 3, 4, 5], r"\[5\]: expected the number of an op, 0 to 4"),
        ([NASLIB[0]], "two cells"),
        ([NASLIB[0], NASLIB[1][:6]], "reduce: expected 8 pairs"),
        ([[[0, 7], *NASLIB[0][1:]], NASLIB[1]], r"normal\[0\]\[1\]: expected the number of an op, 0 to 6"),
        ([[["a", 1], *NASLIB[0][1:]], NASLIB[1]], r"normal\[0\]: expected a pair of numbers"),
        ("text", "a mapping, or NASLib's lists"),
        ({"lr": 0.1}, r"net\.py:build@FILE"),
        ({"number": 3, "value": 0.9, "params": {"width": 8}}, r"net\.py:build@FILE"),
    ],
)
def test_other_lists_are_refused_with_the_place(values: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(values))
    with pytest.raises(GenotypeError, match=message):
        read_found(path)


def test_found_cells_of_nasbench201_are_read_again(tmp_path: Path) -> None:
    FoundCells(genotype=TEXT_201, provenance={"method": "darts"}).write(tmp_path / "found.json")
    assert read_found(tmp_path / "found.json") == TEXT_201


def archai_edge(op: str, source: int) -> str:
    return f"""
    - !!python/object:archai.supergraph.nas.model_desc.EdgeDesc
      input_ids:
      - {source}
      op_desc: !!python/object:archai.supergraph.nas.model_desc.OpDesc
        children: null
        in_len: 1
        name: {op}
        params:
          conv: *conv
          stride: 1
        trainables: null"""


def archai(
    kinds: tuple[str, ...] = ("regular", "reduction", "regular"), post: str = "concate_channels"
) -> str:
    """As microsoft/archai (6bb8ba38), confs/darts_models/final_model_desc1.yaml:1-140 has it, anchors included."""
    cells = []
    for number, kind in enumerate(kinds):
        cell = DARTS.normal if kind == "regular" else DARTS.reduction
        nodes = "".join(
            "\n  - !!python/object:archai.supergraph.nas.model_desc.NodeDesc\n    conv_params: *conv\n    edges:"
            + "".join(archai_edge(*edge) for edge in node)
            for node in cell.nodes
        )
        cells.append(
            f"- !!python/object:archai.supergraph.nas.model_desc.CellDesc\n  _nodes:{nodes}\n"
            f"  cell_type: !!python/object/apply:archai.supergraph.nas.model_desc.CellType\n  - {kind}\n"
            f"  id: {number}\n"
            f"  post_op: !!python/object:archai.supergraph.nas.model_desc.OpDesc\n    name: {post}\n"
        )
    return (
        "!!python/object:archai.supergraph.nas.model_desc.ModelDesc\n"
        "conv: &conv !!python/object:archai.supergraph.nas.model_desc.ConvMacroParams\n  ch_in: 16\n  ch_out: 16\n"
        "_cell_descs:\n" + "".join(cells)
    )


def test_a_description_of_archai(tmp_path: Path) -> None:
    assert read_found(write(tmp_path / "final.yaml", archai())) == DARTS


def test_no_object_of_archai_is_made(tmp_path: Path) -> None:
    trap = archai() + f"trap: !!python/object/apply:os.system\n- touch {tmp_path / 'ran'}\n"
    assert read_found(write(tmp_path / "final.yaml", trap)) == DARTS
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (archai(post="proj_channels"), r"_cell_descs\[0\]\.post_op\.name: expected concate_channels"),
        (archai(("regular", "strange")), r"_cell_descs\[1\]\.cell_type: expected one of regular, reduction"),
        (archai(("regular",)), "reduction: expected this cell to be present"),
        (archai().replace("sep_conv_3x3", "conv_9x9"), "normal.nodes"),
        (
            archai().replace("name: sep_conv_3x3", "name: dil_conv_3x3", 1),
            "the same edges as the other normal cells",
        ),
        (archai().replace("_cell_descs", "cells"), "_cell_descs: expected this field to be present"),
        ("!!python/object:archai.x.ModelDesc\n- 1", "a mapping with `_cell_descs`"),
        ("!!python/object:archai.x.ModelDesc\na: [" + "[" * 5000, "YAML"),
    ],
)
def test_what_is_wrong_in_a_description_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises((GenotypeError, SpecError), match=message):
        read_found(write(tmp_path / "final.yaml", text))


def autogluon(folder: Path, **model: Any) -> Path:
    """autogluon/autogluon, multimodal/src/autogluon/multimodal/configs/model/default.yaml:85-99 (`timm_image`)."""
    folder.mkdir()
    image = {
        "checkpoint_name": "resnet18",
        "mix_choice": "all_logits",
        "data_types": ["image"],
        "image_size": None,
    }
    write(
        folder / "config.yaml", {"model": {"names": ["timm_image"], "timm_image": image, **model}, "env": {}}
    )
    (folder / "df_preprocessor.pkl").write_bytes(pickle.dumps(Trap()))
    return folder


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was loaded",))


def test_a_folder_of_autogluon_is_its_network_of_timm(tmp_path: Path) -> None:
    choice = choose(str(autogluon(tmp_path / "predictor")))
    assert choice.model is not None
    assert (choice.model.builder, choice.model.target) == ("timm", "resnet18")


def test_a_predictor_that_stands_alone_has_its_configuration_beside_it(tmp_path: Path) -> None:
    folder = autogluon(tmp_path / "predictor", timm_image={"checkpoint_name": "timm_image"})
    (folder / "timm_image").mkdir()
    write(folder / "timm_image" / "config.json", {"architecture": "resnet18"})
    assert read_found(folder) == f"hf:{folder}/timm_image"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"names": ["timm_image", "hf_text"]}, r"model\.names: expected \[timm_image\]"),
        ({"timm_image": {}}, r"model\.timm_image\.checkpoint_name"),
    ],
)
def test_other_predictors_are_refused(model: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        read_found(autogluon(tmp_path / "predictor", **model))


BUILDER = """
from torch import nn
def build(width, depth=1, classes=10):
    layers = [nn.Flatten()]
    size = 64
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.ReLU()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, classes))
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("best.json", '{"width": 12, "depth": 2}'),  # json.dump(study.best_params, file)
        ("trial.json", '{"number": 4, "value": 0.98, "params": {"width": 12, "depth": 2}}'),
        # automl/neps (4558be03), neps/state/filebased.py:36: configs/config_4/config.yaml
        ("config.yaml", "width: 12\ndepth: 2\n"),
    ],
)
def test_a_trial_goes_to_the_function_that_builds_its_network(name: str, text: str, tmp_path: Path) -> None:
    write(tmp_path / "net.py", BUILDER)
    trial = write(tmp_path / name, text)
    choice = choose(f"{tmp_path}/net.py:build@{trial}")
    spec = resolve(choice, "mini", 3, (1, 8, 8))
    assert spec.model is not None
    assert spec.model.parameters == {"width": 12, "depth": 2}
    network = build(spec)
    assert [part.out_features for part in network.modules() if isinstance(part, torch.nn.Linear)] == [
        12,
        12,
        3,
    ]
    other = choose(f"{tmp_path}/net.py:build@{write(tmp_path / 'other.json', {'width': 9})}")
    assert other.name != choice.name  # two trials of one function are two architectures


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"width": [1, 2]}', r"width: expected a number, a word"),
        ('{"two words": 1}', "two words: expected the name of an argument"),
        ("{}", "a mapping of 1 to"),
        ("[1]", "a mapping of 1 to"),
    ],
)
def test_what_is_no_parameter_is_named(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "net.py", BUILDER)
    with pytest.raises(InputError, match=message):
        choose(f"{tmp_path}/net.py:build@{write(tmp_path / 'trial.json', text)}")


def test_a_parameter_that_the_function_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path / "net.py", BUILDER)
    trial = write(tmp_path / "trial.json", {"width": 8, "lr": 0.1})
    with pytest.raises(InputError, match="takes no argument 'lr', a parameter of the trial"):
        build(resolve(choose(f"{tmp_path}/net.py:build@{trial}"), "mini", 3, (1, 8, 8)))


def test_show_takes_such_a_file(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["show", str(write(tmp_path / "nni.json", NNI))])
    assert shown.exit_code == 0, shown.output
    assert "the same cells as darts" in shown.output
