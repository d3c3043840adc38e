"""Networks out of files: the same function as what was saved, and nothing of a file that is not asked for."""

import copy
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import build, check
from nasaudit.errors import ModelError, SpecError, UnsafeFileError
from nasaudit.planning.plan import plan
from nasaudit.planning.requests import choose_all, make_study
from nasaudit.results.provenance import Provenance
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import WeightsFile
from nasaudit.training import checkpoint
from nasaudit.verdicts.threats import find_untested
from nasaudit.victim.classifier import Classifier

TOLERANCE = {"rtol": 0, "atol": 1e-5}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8 * 64, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


class Hard(Net):
    """Without a gradient: it answers in one bit a class."""

    def forward(self, x):
        return super().forward(x).detach()


@pytest.fixture
def net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    network = Net()
    network(torch.rand(50, 1, 8, 8))  # statistics of its own
    return network.eval()


def script(network, name="net.pt"):
    torch.jit.trace(network, torch.rand(3, 1, 8, 8)).save(name)
    return name


def onnx_file(network, name="net.onnx", op="", batch="n"):
    """By hand, so that it hangs on no exporter: convolution, BN and ReLU, an op of the test's choice, linear."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    convolution, norm, _ = network.features
    tensors = {
        "w": convolution.weight, "b": convolution.bias, "scale": norm.weight, "shift": norm.bias,
        "mean": norm.running_mean, "var": norm.running_var, "hw": network.head.weight, "hb": network.head.bias,
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node(
            "BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"], epsilon=norm.eps
        ),
        helper.make_node("Relu", ["n"], ["r"]),
        *([helper.make_node(op, ["r"], ["o"])] if op else []),
        helper.make_node("Flatten", ["o" if op else "r"], ["f"]),
        helper.make_node("Gemm", ["f", "hw", "hb"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 10])],
        [numpy_helper.from_array(value.detach().numpy(), key) for key, value in tensors.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), name)
    return name


def spec_of(name, classes=10, shape=(1, 8, 8)):
    return resolve(choose(name), "mini", classes, shape)


@pytest.mark.parametrize("save", [script, onnx_file])
def test_a_file_is_the_function_that_was_saved_through_a_checkpoint_too(net, save):
    name = save(net)
    spec = spec_of(name)
    assert (spec.name, spec.normalise) == (name, "own")
    network = checkpoint.load_given(WeightsFile.of(name), build(spec, 5))
    pixels = torch.rand(7, 1, 8, 8, requires_grad=True)
    torch.testing.assert_close(network(pixels), net(pixels), **TOLERANCE)
    ours, theirs = (torch.autograd.grad(model(pixels).square().sum(), pixels)[0] for model in (network, net))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(Classifier(network, 10)(pixels), net(pixels), **TOLERANCE)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for weight in twin.parameters():
            assert weight.is_leaf
            assert weight.requires_grad
            weight.zero_()
    torch.testing.assert_close(network(pixels), net(pixels), **TOLERANCE)  # the copy is one
    checkpoint.save(network, Path("kept.safetensors"), 0.5)
    torch.testing.assert_close(
        checkpoint.load(Path("kept.safetensors"), spec)(pixels), net(pixels), **TOLERANCE
    )
    with pytest.raises(
        UnsafeFileError, match="say the architecture"
    ):  # a checkpoint alone opens no other file
        checkpoint.load(Path("kept.safetensors"))
    check(spec, ["pgd"], ["smoothness"])


@pytest.mark.parametrize("save", [script, onnx_file])
def test_a_file_that_changes_is_another_model(net, save):
    name = save(net)
    spec = spec_of(name)
    with torch.no_grad():
        net.head.bias += 1
    save(net)
    assert spec_of(name).digest() != spec.digest()
    with pytest.raises(ModelError, match="changed since the study was planned"):
        build(spec)


def test_an_op_that_has_no_gradient_leaves_a_black_box(net):
    pytest.importorskip("onnxruntime")
    name = onnx_file(
        net, op="Shrink"
    )  # which onnx2torch does not know; x + 0.5 below -0.5, x - 0.5 above, of ReLU
    spec = spec_of(name)
    network = build(spec).eval()
    pixels = torch.rand(7, 1, 8, 8)
    expected = net.head(torch.where(net.features(pixels) > 0.5, net.features(pixels), 0.0).flatten(1))
    torch.testing.assert_close(network(pixels), expected, **TOLERANCE)
    assert list(network.parameters()) == []
    check(spec)
    with pytest.raises(
        ModelError, match=r"no gradient by its pixels or weights, which pgd, smoothness would take"
    ):
        check(spec, ["pgd"], ["smoothness"])


def test_a_module_without_gradients_is_one_too(net):
    hard = Hard()
    hard.load_state_dict(net.state_dict())
    spec = spec_of(script(hard.eval()))
    check(spec)
    with pytest.raises(ModelError, match=r"no gradient by its pixels, which pgd would take; leave them out"):
        check(spec, ["pgd"])


def test_a_black_box_is_attacked_by_its_answers_and_others_are_refused_at_once(net, command):
    hard = Hard()
    hard.load_state_dict(net.state_dict())
    words = [
        "audit",
        script(hard.eval()),
        "--data",
        "digits",
        "--out",
        "out",
        "--analyses",
        "none",
        "--images",
        20,
    ]
    code, _, err = command(*words, "--attacks", "pgd,hop_skip_jump")
    assert code == 2
    assert re.search(r"net\.pt: has no gradient by its pixels, which pgd would take", err)
    assert not Path("out").exists()
    code, out, err = command(*words, "--attacks", "square", "--json", "--executor", "serial")
    assert code == 0, err
    assert json.loads(out)["failures"] == []


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda: Path("net.onnx").write_bytes(b"nothing"), r"net\.onnx: expected an ONNX model"),
        (lambda: Path("net.onnx").write_bytes(b""), r"net\.onnx: expected an ONNX model"),
        (lambda: onnx_file(Net(), batch=1) and None, None),
    ],
)
def test_a_damaged_onnx_file_is_refused(net, write, told):
    pytest.importorskip("onnx2torch")
    write()
    if told is None:
        check(spec_of("net.onnx"))
        return
    with pytest.raises(ModelError, match=told):
        build(spec_of("net.onnx"))


def test_weights_in_another_file_are_not_followed(net, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnx2torch")
    graph = onnx.load(onnx_file(net))
    onnx.save(graph, "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    with pytest.raises(ModelError, match="keeps its weights in another file"):
        build(spec_of("net.onnx"))


def test_without_the_extra_it_is_said_what_to_install(net, monkeypatch):
    onnx_file(net)
    monkeypatch.setitem(sys.modules, "onnx2torch", None)
    with pytest.raises(ModelError, match=r"needs the extra `onnx`"):
        build(spec_of("net.onnx"))


class OneImage(nn.Module):
    def forward(self, x):
        return x.view(3, -1)[:, :10] * 1.0


def test_a_file_for_one_size_of_batch_is_told_so(net):
    with pytest.raises(ModelError, match="must be exported with a batch of any size"):
        build(spec_of(script(OneImage())))


@pytest.mark.parametrize("attack", ["lira", "label_flip"])
def test_what_would_train_it_anew_is_refused(net, attack):
    np.savetxt("train.txt", np.arange(900), fmt="%d")
    values = {
        "architectures": [script(net)],
        "data": {"name": "digits", "train_index": "train.txt"},
        "seeds": [0],
        "attacks": [attack],
        "training": {"epochs": 1},
    }
    with pytest.raises(SpecError, match="a file that cannot be trained anew"):
        plan(StudySpec.parse(values), Path())
    with pytest.raises(SpecError, match="an architecture by name"):
        plan(StudySpec.parse({**values, "attacks": ["knockoff"]}), Path())
    with pytest.raises(SpecError, match="the figure would be too low"):
        plan(StudySpec.parse({**values, "attacks": ["badnets"]}), Path())
    assert not [
        task
        for task in plan(StudySpec.parse({**values, "attacks": []}), Path()).tasks
        if task.kind != "train"
    ]
    pytest.importorskip("onnx")
    values["architectures"] = [onnx_file(net)]
    analyses = plan(
        StudySpec.parse({**values, "attacks": [], "analyses": ["gradients", "topology"]}), Path()
    ).tasks
    assert [task.analysis.name for task in analyses if task.kind.endswith("analysis")] == ["topology"]


def test_the_survey_lets_a_thief_use_another_network(net):
    np.savetxt("train.txt", np.arange(900), fmt="%d")
    from nasaudit.data.catalogue import parse_data

    data = parse_data("digits", train_index="train.txt")
    study = make_study(choose_all([script(net)]), data, "mini", "sound", ["survey"], None)
    thefts = [attack for attack in study.attacks if attack.family == "extraction"]
    assert [attack.surrogate for attack in thefts] == ["resnet"]
    assert study.seeds == (0,)
    assert "backdoor" not in {attack.family for attack in study.attacks}
    (untested,) = find_untested(
        study,
        Provenance(data_sha256="", indices={}, division="given", weights={}, given=["net.pt"]),
        {"evasion", "extraction", "membership", "poisoning"},
    )
    assert "traced network stays fixed" in untested.why
    plan(study, Path())
    pytest.importorskip("onnx")
    of_onnx = make_study(choose_all([onnx_file(net)]), data, "mini", "sound", ["survey"], None)
    assert "backdoor" in {attack.family for attack in of_onnx.attacks}
    plan(of_onnx, Path())


def test_it_has_its_weights(net):
    script(net)
    torch.save(net.state_dict(), "w.safetensors")
    with pytest.raises(SpecError, match=r"nothing, as net\.pt has its own"):
        choose_all(["net.pt"], weights="w.safetensors")


def test_an_exported_program_is_refused_since_its_reader_may_unpickle(net):
    torch.export.save(torch.export.export(net, (torch.rand(2, 1, 8, 8),)), "net.pt2")
    with pytest.raises(UnsafeFileError, match=r"exported program, which torch\.export\.load may unpickle"):
        choose("net.pt2")


def folder_of(network, config, **files):
    folder = Path("saved")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    for name, values in files.items():
        (folder / f"{name}.json").write_text(json.dumps(values))
    save_file(
        {key: value.contiguous() for key, value in network.state_dict().items()}, folder / "model.safetensors"
    )
    return folder


@pytest.mark.parametrize("written", ["saved", "saved/", "hf:saved"])
def test_a_folder_of_timm_is_the_model_that_was_saved(net, written):
    theirs = timm.create_model("test_resnet", num_classes=10, in_chans=1).eval()
    moments = {"mean": [0.3], "std": [0.2]}
    folder_of(theirs, {"architecture": "test_resnet", "num_classes": 10, "pretrained_cfg": moments})
    (choice,) = choose_all([written])
    spec = resolve(choice, "mini", 10, (1, 8, 8))
    assert spec.name == "hf:saved"
    network = checkpoint.load_given(WeightsFile.of(choice.trained), build(spec, 5))
    pixels = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(network(pixels), theirs((pixels - 0.3) / 0.2), **TOLERANCE)


def test_a_folder_of_transformers_is_the_model_that_was_saved(net):
    transformers = pytest.importorskip("transformers")
    config = transformers.ResNetConfig(
        num_channels=1,
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        num_labels=10,
    )
    theirs = transformers.ResNetForImageClassification(config).eval()
    theirs.save_pretrained("saved")
    Path("saved/preprocessor_config.json").write_text(json.dumps({"image_mean": [0.3], "image_std": [0.2]}))
    (choice,) = choose_all(["saved"])
    network = checkpoint.load_given(
        WeightsFile.of(choice.trained), build(resolve(choice, "mini", 10, (1, 8, 8)), 5)
    )
    pixels = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(network(pixels), theirs((pixels - 0.3) / 0.2).logits, **TOLERANCE)
    check(network.spec)


def test_code_that_a_folder_names_is_not_run(net):
    pytest.importorskip("transformers")
    config = {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "trap.Config", "AutoModelForImageClassification": "trap.M"},
    }
    folder = folder_of(net, config)
    (folder / "trap.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    with pytest.raises(ModelError, match="saved: cannot be built"):
        build(spec_of("saved"))
    assert not Path("ran").exists()
