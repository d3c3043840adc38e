"""Models of outsiders, each audited by one command: of timm, of torchvision with its own normalisation, of a file."""

import csv
import hashlib
import io
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.network import build
from nasaudit.errors import CheckpointError, UnsafeFileError
from nasaudit.spec.tasks import WeightsFile
from nasaudit.training import checkpoint

NET = """
import random, sys
import torch
from torch import nn

print("a line that is nobody's business")
torch.set_default_dtype(torch.float64)

class Net(nn.Module):
    def __init__(self, classes, channels):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU(inplace=True),
                                      nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Linear(32 * 16, classes)

    def forward(self, x):
        random.seed(0); torch.manual_seed(0); print("forward")
        return self.head(self.features(x).view(len(x), -1))

def build(classes, input_shape):
    return Net(classes, input_shape[0])
"""
STUDY = """
architectures: [{architectures}]
data: digits
seeds: [0]
attacks: [{{name: fgsm, images: 40, epsilons: [2/255, 16/255]}}{attacks}]
training: {{epochs: 2, crop: 0}}
analyses: {analyses}
"""
ALL_FAMILIES = """, {name: label_flip, fractions: [0, 0.3]}, {name: badnets}, {name: latent},
  {name: knockoff, budgets: [100]}, {name: loss_threshold}"""
ALL_ANALYSES = """
  - {name: topology, images: 2}
  - convergence
  - {name: gradients, images: 16, batches: 3, batch_size: 16}
  - {name: smoothness, images: 16, probes: 1, iterations: 3, input_images: 4, input_iterations: 3}
  - {name: landscape, images: 20, points: 3, slice_points: 3}
"""


def rows(folder):
    with (folder / "results.csv").open() as table:
        return list(csv.DictReader(table))


def trained_weights(folder):
    found = list(folder.rglob("weights.safetensors"))
    assert len(found) == 1
    return load_file(found[0])


def test_a_timm_model_with_weights_is_audited_by_one_command(command, tmp_path):
    torch.save(timm.create_model("test_resnet", num_classes=10, in_chans=1).state_dict(), tmp_path / "w.pt")
    words = ["timm:test_resnet", "--weights", "w.pt", "--data", "digits", "--attacks", "fgsm"]
    code, out, err = command("audit", *words, "--analyses", "topology", "--out", "out", "--json", *HERE)
    assert code == 0, err
    assert json.loads(out)["failures"] == []
    found = {(row["family"], row["metric"]) for row in rows(tmp_path / "out")}
    assert {("training", "clean_accuracy"), ("topology", "flops")} <= found
    assert "timm:test_resnet" in (tmp_path / "out/report.html").read_text()


def test_a_torchvision_model_keeps_the_normalisation_it_was_trained_with(command, tmp_path):
    model = torchvision.models.shufflenet_v2_x0_5(num_classes=10)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    words = ["torchvision:shufflenet_v2_x0_5", "--weights", "w.safetensors", "--data", "digits"]
    code, _, err = command("audit", *words, "--attacks", "fgsm", "--analyses", "none", "--out", "out", *HERE)
    assert code == 0, err
    weights = trained_weights(tmp_path / "out")
    assert weights["normalise.mean"].flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert torch.equal(weights["body.fc.weight"], model.fc.weight)


def test_a_module_in_a_file_is_trained_and_audited_by_one_command(command, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "study.yaml").write_text(
        STUDY.format(architectures="net.py:build", attacks="", analyses="[convergence]")
    )
    code, out, err = command("study", "run", "study.yaml", "--out", "out", "--json")
    assert code == 0, err
    assert json.loads(out)["failures"] == []  # and its prints are not among the JSON
    accuracy = next(row for row in rows(tmp_path / "out") if row["metric"] == "clean_accuracy")
    assert float(accuracy["value"]) > 0.6


# In this process: a worker's import of torch takes longer than what these do.
HERE = ("--executor", "serial")


@pytest.mark.slow
def test_all_families_and_analyses_work_on_every_kind_of_model(command, tmp_path):
    (tmp_path / "net.py").write_text(NET)
    cell = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    names = f'"net.py:build", "timm:test_resnet", "torchvision:shufflenet_v2_x0_5", "{cell}"'
    (tmp_path / "study.yaml").write_text(
        STUDY.format(architectures=names, attacks=ALL_FAMILIES, analyses=ALL_ANALYSES)
    )
    code, out, err = command("study", "run", "study.yaml", "--out", "out", "--json")
    assert code == 0, err
    assert json.loads(out)["failures"] == []


# What a module does wherever it can, and then what it does in each forward pass.
SETS = """
import io, os, random, signal, sys, warnings
import numpy, torch
from torch import nn

def trouble():
    print("hello")
    torch.manual_seed(1); numpy.random.seed(1); random.seed(1)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(3)
    torch.set_flush_denormal(True)
    torch.backends.mkldnn.enabled = False
    os.chdir("/")
    os.environ["OMP_NUM_THREADS"] = "7"
    sys.stdout = sys.stderr = io.StringIO()
    warnings.simplefilter("error")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

trouble()
"""
LEAVES = """
import os
from torch import nn

calls = 0

def trouble():
    global calls
    calls += 1
    if calls > 8:  # the trial is over by then
        os._exit(0)
"""
BODY = """
class build(nn.Module):
    def __init__(self, classes, input_shape):
        super().__init__()
        trouble()
        self.last = nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], classes)

    def forward(self, x):
        trouble()
        return self.last(x.flatten(1))
"""


@pytest.mark.slow
def test_a_module_that_misbehaves_does_not_change_the_results_of_others(command, tmp_path):
    other = "timm:test_resnet"
    tables = {}
    for name, text in (("alone", ""), ("sets", SETS + BODY), ("leaves", LEAVES + BODY)):
        (tmp_path / f"{name}.py").write_text(text)
        names = f'"{name}.py:build", {other}' if text else other
        (tmp_path / "study.yaml").write_text(
            STUDY.format(architectures=names, attacks="", analyses="[convergence]")
        )
        # One worker does all tasks, those of the file first or in between.
        code, _, err = command("study", "run", "study.yaml", "--out", name, "--workers", "1")
        if name == "leaves":
            assert code == 1
            assert "the worker ended with exit code 0 (3 attempts)" in err
        lines = (tmp_path / name / "results.csv").read_text().splitlines()
        # Only on the images that every model gets right does one model count for another.
        tables[name] = [line for line in lines if other in line and "images=common" not in line]
    assert len(tables["alone"]) > 20
    assert tables["sets"] == tables["alone"]
    assert tables["leaves"] == tables["alone"]


@pytest.mark.slow
@pytest.mark.parametrize("data", ["npz:gray.npz", "folder:colour"])
def test_images_of_other_sizes_channels_and_classes(command, tmp_path, data):
    random = np.random.default_rng(0)
    np.savez("gray.npz", images=random.integers(0, 256, (300, 20, 20), np.uint8), labels=np.arange(300) % 3)
    for label in ("a", "b"):
        (tmp_path / "colour" / label).mkdir(parents=True)
        for k in range(60):
            pixels = random.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "colour" / label / f"{k}.png")
    (tmp_path / "net.py").write_text("from torch import nn\ndef trouble(): ...\n" + BODY)
    cell = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
    names = f'"net.py:build", "timm:test_resnet", "torchvision:shufflenet_v2_x0_5", "{cell}"'
    study = STUDY.format(architectures=names, attacks="", analyses="[{name: topology, images: 2}]")
    (tmp_path / "study.yaml").write_text(study.replace("data: digits", f'data: "{data}"'))
    code, out, err = command("study", "run", "study.yaml", "--out", "out", "--json")
    assert code == 0, err
    assert json.loads(out)["failures"] == []
    measured = {row["architecture"] for row in rows(tmp_path / "out") if row["metric"] == "clean_accuracy"}
    assert len(measured) == 4


def test_code_that_changes_is_another_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    first = resolve(choose("net.py:build"), "mini", 10, (1, 8, 8))
    (tmp_path / "net.py").write_text(NET + "# changed\n")
    second = resolve(choose("net.py:build"), "mini", 10, (1, 8, 8))
    assert first.digest() != second.digest()
    with pytest.raises(Exception, match="changed since the study was planned"):
        build(first)


def test_a_checkpoint_does_not_get_code_executed_that_only_the_checkpoint_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    spec = resolve(choose("net.py:build"), "mini", 10, (1, 8, 8))
    network = build(spec, 3)
    checkpoint.save(network, tmp_path / "w.safetensors", 0.5)
    with pytest.raises(UnsafeFileError, match=r"net\.py:build.*say the architecture"):
        checkpoint.load(tmp_path / "w.safetensors")
    pixels = torch.rand(2, 1, 8, 8)
    loaded = checkpoint.load(tmp_path / "w.safetensors", spec)
    assert torch.equal(loaded(pixels), network.eval()(pixels))


def given(path):
    return WeightsFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_weights_with_the_names_of_the_model_or_of_ours_both_fill_it(tmp_path):
    spec = resolve(choose("timm:test_resnet"), "mini", 10, (1, 8, 8))
    network = build(spec, 3).eval()
    pixels = torch.rand(2, 1, 8, 8)
    for name, module in (("ours", network), ("its", network.body)):
        state = {key: value.contiguous() for key, value in module.state_dict().items()}
        save_file(state, tmp_path / f"{name}.safetensors")
    checkpoint.save(network, tmp_path / "saved.safetensors", 0.5)
    for name in ("ours", "its", "saved"):
        filled = checkpoint.load_given(given(tmp_path / f"{name}.safetensors"), build(spec, 4))
        assert torch.equal(filled(pixels), network(pixels)), name
    wide = timm.create_model("test_resnet", num_classes=12, in_chans=1)
    torch.save(wide.state_dict(), tmp_path / "wide.pt")
    with pytest.raises(CheckpointError, match=r"2 tensors do not fit.*fc\.bias: expected \[10\], got \[12\]"):
        checkpoint.load_given(given(tmp_path / "wide.pt"), build(spec, 4))


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["w.pt", "w.pkl", "w.safetensors"])
@pytest.mark.parametrize("write", [pickle.dumps, saved], ids=["pickle", "torch"])
def test_a_pickle_with_code_is_refused_whatever_it_is_called(tmp_path, name, write):
    (tmp_path / name).write_bytes(write({"weight": Touch(tmp_path / "ran")}))
    network = build(resolve(choose("timm:test_resnet"), "mini", 10, (1, 8, 8)))
    with pytest.raises(UnsafeFileError, match=r"expected a state dict: torch\.save\(model\.state_dict\(\)"):
        checkpoint.load_given(given(tmp_path / name), network)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["timm:resnt18"], "unknown timm model 'resnt18'; did you mean"),
        (["net.py:build", "--weights", "absent.pt"], "expected a file with trained weights"),
        (
            ["net.py:build", "darts", "--weights", "w.pt"],
            "expected one architecture, whose weights they are, got 2",
        ),
        (
            ["net.py:build", "--weights", "w.pt"],
            r"w\.pt: 7 tensors do not fit; the first: features\.0\.bias: expected \[16\]",
        ),
        (["net.py:build", "--weights", "whole.pt"], r"whole\.pt: is a whole pickled module"),
        (
            ["net.py:build", "--weights", "w.pt", "--attacks", "lira"],
            "must be known which images.*--train-index FILE.*got 'lira'",
        ),
        (["net.py:build", "--weights", "w.pt", "--seeds", "2"], "seeds: expected one seed"),
        (
            ["|none~0|+|none~0|none~2|+|none~0|none~1|none~2|"],
            r"cell\.node\[2\]\.edge\[1\]\.source: expected 1",
        ),
        (["darts", "--normalise", "own"], "normalise: expected dataset"),
        (["exits.py:build"], r"exits\.py:build: cannot be built: it calls exit \(exits\.py, line 1\)"),
        (
            ["leaves.py:build"],
            r"leaves\.py:build: ends the process that tries it: the worker ended with exit code 0",
        ),
        (["net.py"], r"expected the function after the file, as in net\.py:build"),
        (["w.pt"], r"w\.pt: holds weights without a network.*nasaudit audit net\.py:Class --weights w\.pt"),
        (
            ["whole.pt"],
            r"whole\.pt: is a whole pickled module.*torch\.save\(torch\.load\(\.\.\.\)\.state_dict\(\)",
        ),
        (["absent.safetensors"], r"absent\.safetensors: expected a file"),
        (["net.py:build", "--data", "photos"], r"data: expected folder:photos"),
        (["net.py:build", "--data", "photos.npz"], r"data: expected npz:photos\.npz"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(command, tmp_path, words, told):
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "exits.py").write_text("raise SystemExit(0)\n")
    (tmp_path / "leaves.py").write_text("import os\nos._exit(0)\n")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "w.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pt")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos.npz").touch()
    data = [] if "--data" in words else ["--data", "digits"]
    code, out, err = command("audit", *words, *data, "--out", "out")
    assert code == 2, (out, err)
    assert re.search(told, err), err
    assert not (tmp_path / "out").exists()


def test_a_study_with_a_recipe_trains_what_an_attack_needs_beside_the_given_model(tmp_path, monkeypatch):
    from nasaudit.planning.plan import plan
    from nasaudit.spec.study import StudySpec

    monkeypatch.chdir(tmp_path)
    torch.save({}, tmp_path / "w.pt")
    (tmp_path / "train.txt").write_text("\n".join(map(str, range(900))))
    values = {
        "architectures": [{"name": "timm:test_resnet", "weights": "w.pt"}],
        "data": {"name": "digits", "train_index": "train.txt"},
        "seeds": [0],
        "attacks": [{"name": "label_flip", "fractions": [0, 0.3]}, {"name": "fgsm"}],
        "training": {"epochs": 1},
    }
    planned = plan(StudySpec.parse(values), tmp_path)
    assert [victim.weights is not None for victim in planned.victims] == [True]
    trainings = [task for task in planned.tasks if task.kind == "train"]
    assert sorted(task.label() for task in trainings) == [
        "load timm:test_resnet from w.pt",
        "train timm:test_resnet (seed 0)",
        "train timm:test_resnet (seed 0) on 0.3 label_flip",
    ]
