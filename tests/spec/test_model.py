"""Names of networks that are defined elsewhere, and the positions that errors name."""

import pytest

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.errors import GenotypeError, SpecError
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.model import ModelSpec
from nasaudit.spec.nasbench201 import OPS_201, parse_201, short_name
from nasaudit.spec.study import ArchChoice, StudySpec

CELL = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"


@pytest.mark.parametrize(
    ("text", "builder", "target", "name"),
    [
        ("timm:resnet10t", "timm", "resnet10t", "timm:resnet10t"),
        ("timm:vit.augreg_in1k", "timm", "vit.augreg_in1k", "timm:vit.augreg_in1k"),
        ("torchvision:resnet18", "torchvision", "resnet18", "torchvision:resnet18"),
        ("pkg.module:build", "python", "pkg.module:build", "pkg.module:build"),
        ("a folder/net.py:Net", "python", "a folder/net.py:Net", "net.py:Net"),
        (f" {CELL}\n", "nasbench201", CELL, "nasbench201-310423"),
    ],
)
def test_a_text_says_who_builds_what(text, builder, target, name):
    model = ModelSpec.read(text)
    assert (model.builder, model.target, model.name) == (builder, target, name)
    assert ArchChoice.parse({"name": text}) == ArchChoice(name=name, model=model) == choose(text)


@pytest.mark.parametrize("text", ["timm:", ":build", "net.py:", "net.py:2", "a-b:build", "x y:z"])
def test_other_forms_are_refused_with_those_that_are_taken(text):
    with pytest.raises(SpecError, match="torchvision:NAME"):
        ModelSpec.read(text)


@pytest.mark.parametrize(
    ("changed", "by", "told"),
    [
        ("|nor_conv_3x3~0|+", "", "3 nodes.*got '2 in "),
        ("|nor_conv_3x3~0|+", "nor_conv_3x3~0+", r"node\[1\]: expected edges between bars"),
        ("|skip_connect~0|none~1|", "|skip_connect~0|", r"node\[2\]: expected 2 edges.*got '1 in "),
        ("none~1", "none", r"node\[2\].edge\[1\]: expected an op and its source"),
        ("none~1", "none~2", r"node\[2\].edge\[1\].source: expected 1 .*got '2'"),
        ("none~1", "none~0", r"node\[2\].edge\[1\].source: expected 1 .*got '0'"),
        (
            "avg_pool_3x3",
            "max_pool_3x3",
            r"node\[3\].edge\[0\].op: expected one of none, .*got 'max_pool_3x3'",
        ),
    ],
)
def test_a_nas_bench_201_text_of_another_shape_is_refused_with_the_position(changed, by, told):
    assert changed in CELL
    with pytest.raises(GenotypeError, match=told):
        parse_201(CELL.replace(changed, by))


def test_the_path_of_the_field_stands_before_the_position():
    values = {"architectures": ["darts", {"name": "mine", "model": CELL.replace("none~1", "none~2")}]}
    with pytest.raises(SpecError, match=r"^architectures\[1\]\.model\.cell\.node\[2\]\.edge\[1\]\.source"):
        StudySpec.parse(values)


def test_short_names_of_cells_tell_all_of_them_apart():
    names = {
        short_name(f"|{a}~0|+|{b}~0|{c}~1|+|none~0|none~1|{d}~2|")
        for a in OPS_201
        for b in OPS_201
        for c in OPS_201
        for d in OPS_201
    }
    assert len(names) == 5**4


def test_what_is_not_said_leaves_the_digest_as_it_was_before_there_were_models():
    """A store that is older finds its records again."""
    spec = resolve(ArchChoice(name="darts"), "mini", 10, (1, 8, 8))
    assert not {"model", "normalise"} & spec.model_dump().keys()
    assert not {"model", "normalise"} & ArchChoice(name="darts").model_dump().keys()
    assert spec.digest() == "6a40f3251f1487d6c92b"


def test_what_is_said_is_in_the_digest():
    def digest(**said):
        choice = ArchChoice.parse({"name": "timm:resnet10t", **said})
        return resolve(choice, "mini", 10, (3, 32, 32)).digest()

    said = [{}, {"normalise": "own"}, {"normalise": "none"}, {"normalise": {"mean": [0.5], "std": [0.5]}}]
    assert len({digest(**one) for one in said}) == 4
    assert digest(normalise="dataset") == digest()


def test_an_architecture_survives_json():
    choice = ArchChoice.parse({"name": CELL, "normalise": {"mean": [0.5], "std": [0.25]}})
    spec = resolve(choice, "mini", 10, (1, 8, 8))
    assert ArchSpec.model_validate_json(spec.canonical_json()) == spec
    study = StudySpec.parse({"architectures": [choice]})
    assert StudySpec.model_validate_json(study.canonical_json()) == study


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"name": "darts", "model": "timm:resnet10t"}, "another name.*DARTS is in the catalogue"),
        ({"name": "darts", "normalise": "own"}, "normalise: expected dataset, none, or mean and std"),
        ({"name": CELL, "normalise": "own"}, "normalise: expected dataset, none, or mean and std"),
        (
            {"name": "timm:resnet10t", "normalise": {"mean": [0, 0], "std": [1]}},
            "normalise.mean: expected 1 number or 3",
        ),
        ({"name": "timm:resnet10t", "normalise": {"mean": [0], "std": [0]}}, "normalise"),
        ({"name": "timm:resnet10t", "auxiliary": True}, "auxiliary"),
    ],
)
def test_contradictions_are_refused(said, told):
    with pytest.raises(SpecError, match=told):
        resolve(ArchChoice.parse(said), "mini", 10, (3, 32, 32))


def test_weights_bring_the_normalisation_of_the_model_unless_another_is_stated():
    def normalise(name, **said):
        return resolve(ArchChoice.parse({"name": name, **said}), "mini", 10, (3, 32, 32)).normalise

    assert normalise("timm:resnet10t") == "dataset"
    assert normalise("timm:resnet10t", weights="w") == "own"
    assert normalise("timm:resnet10t", weights="w", normalise="none") == "none"
    assert normalise(CELL, weights="w") == normalise("darts", weights="w") == "dataset"
