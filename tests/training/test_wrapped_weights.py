"""Weights as training loops save them: names behind a wrapper's prefix, and dictionaries around them."""

import hashlib
import io
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nasaudit.arch.catalogue import choose, resolve
from nasaudit.arch.files.kinds import kind_of
from nasaudit.arch.network import build
from nasaudit.errors import CheckpointError, UnsafeFileError
from nasaudit.spec.tasks import WeightsFile
from nasaudit.training import checkpoint

NET = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
"""


class Lit(nn.Module):
    """As a LightningModule has its network."""

    def __init__(self, network):
        super().__init__()
        self.model = network

    def forward(self, x):
        return self.model(x)


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    return resolve(choose("net.py:build"), "mini", 10, (1, 8, 8))


@pytest.fixture
def theirs(spec):
    network = build(spec, 7).body
    with torch.no_grad():
        network(torch.rand(9, 1, 8, 8))  # statistics of its own
    return network.eval()


def load(spec, path, notes):
    given = WeightsFile(path=str(path), sha256=hashlib.sha256(Path(path).read_bytes()).hexdigest())
    return checkpoint.load_given(given, build(spec, 1), notes.append)


def lightning(network, **more):
    """The layout of a checkpoint of PyTorch Lightning."""
    return {
        "epoch": 3,
        "global_step": 99,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": Lit(network).state_dict(),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [torch.optim.AdamW(network.parameters()).state_dict()],
        "lr_schedulers": [],
        **more,
    }


SAVED = {
    "DataParallel": (lambda net: nn.DataParallel(net).state_dict(), "module."),
    "compiled": (lambda net: torch.compile(net).state_dict(), "_orig_mod."),
    "compiled inside": (
        lambda net: {
            f"0._orig_mod.{k}"[0:0] + k.replace("1.", "1._orig_mod.", 1): v
            for k, v in net.state_dict().items()
        },
        "_orig_mod.",
    ),
    "compiled, parallel": (lambda net: nn.DataParallel(torch.compile(net)).state_dict(), "module._orig_mod."),
    "Lightning": (lightning, "model."),
    "Lightning, with settings": (lambda net: lightning(net, hyper_parameters={"lr": 0.1}), "model."),
    "averaged": (lambda net: torch.optim.swa_utils.AveragedModel(net).state_dict(), "module."),
    "training loop": (lambda net: {"model": nn.DataParallel(net).state_dict(), "epoch": 3}, "module."),
    "tutorial": (lambda net: {"model_state_dict": net.state_dict(), "loss": 0.5}, ""),
    "averaged alone": (lambda net: {"state_dict_ema": net.state_dict(), "epoch": 3}, ""),
}


@pytest.mark.parametrize("kind", SAVED)
def test_what_a_wrapper_saved_fills_the_network_and_is_said(spec, theirs, kind):
    save, prefix = SAVED[kind]
    torch.save(save(theirs), "w.pt")
    notes = []
    pixels = torch.rand(5, 1, 8, 8)
    loaded = load(spec, "w.pt", notes)
    moments = loaded.normalise(pixels)
    torch.testing.assert_close(loaded(pixels), theirs(moments), rtol=0, atol=1e-5)
    assert notes == (
        [f"w.pt: took {prefix!r} off the names of its 9 tensors, which fit then"] if prefix else []
    )


def test_safetensors_may_have_a_prefix_too(spec, theirs):
    save_file(nn.DataParallel(theirs).state_dict(), "w.safetensors")
    notes = []
    assert torch.equal(load(spec, "w.safetensors", notes).body[0].weight, theirs[0].weight)
    assert "took 'module.' off" in notes[0]


def test_of_averaged_weights_and_others_the_others_are_taken_and_it_is_said(spec, theirs):
    other = {name: torch.zeros_like(value) for name, value in theirs.state_dict().items()}
    torch.save({"state_dict": theirs.state_dict(), "state_dict_ema": other}, "w.pt")
    notes = []
    assert torch.equal(load(spec, "w.pt", notes).body[0].weight, theirs[0].weight)
    assert notes == [
        "w.pt: took the weights at 'state_dict', not the averaged ones at 'state_dict_ema'; save those alone to "
        "have them"
    ]


def without_one(state):
    return dict(list(state.items())[1:])


@pytest.mark.parametrize(
    "change",
    [
        without_one,
        lambda state: {**state, "criterion.weight": torch.ones(10)},
        lambda state: {**state, "module.4.bias": torch.ones(11)},
        lambda state: {name.replace("module.1", "other.1"): value for name, value in state.items()},
    ],
    ids=["missing", "more", "of another shape", "of two prefixes"],
)
def test_a_prefix_stays_where_not_everything_fits_without_it(spec, theirs, change):
    torch.save(change(nn.DataParallel(theirs).state_dict()), "w.pt")
    notes = []
    with pytest.raises(CheckpointError, match=r"tensors do not fit"):
        load(spec, "w.pt", notes)
    assert notes == []


def test_settings_that_would_run_code_are_refused_with_the_way_out(spec, theirs, tmp_path):
    torch.save(lightning(theirs, hyper_parameters={"path": Touch(tmp_path / "ran")}), "w.ckpt")
    told = (
        r"w\.ckpt: holds more than tensors \(\S+\), which could execute code.*"
        r"torch\.save\(torch\.load\('w\.ckpt', weights_only=False\)\['state_dict'\], 'weights\.pt'\)"
    )
    with pytest.raises(UnsafeFileError, match=told):
        load(spec, "w.ckpt", [])
    assert not (tmp_path / "ran").exists()
    # The way out is one.
    torch.save(torch.load("w.ckpt", weights_only=False)["state_dict"], "weights.pt")
    assert torch.equal(load(spec, "weights.pt", []).body[0].weight, theirs[0].weight)


def test_a_whole_module_is_named_so_and_never_unpickled(spec, theirs, tmp_path):
    theirs.trap = Touch(tmp_path / "ran")
    for name, old in (("new.pt", True), ("old.pt", False)):
        torch.save(theirs, name, _use_new_zipfile_serialization=old)
        assert kind_of(Path(name)) == "module"
        with pytest.raises(UnsafeFileError, match=r"is a whole pickled module.*expected a state dict"):
            load(spec, name, [])
        with pytest.raises(
            UnsafeFileError, match=r"is a whole pickled module.*net\.py:Class --weights weights\.pt"
        ):
            choose(name)
        assert not (tmp_path / "ran").exists()
    torch.load("new.pt", weights_only=False)
    assert (tmp_path / "ran").exists()  # what was refused would have run


def test_weights_are_known_from_other_files_by_content(theirs):
    torch.save(theirs.state_dict(), "w.pt")
    torch.save(lightning(theirs, hyper_parameters={"network": theirs}), "w.ckpt")
    save_file(theirs.state_dict(), "w.safetensors")
    torch.jit.script(theirs).save("script.pt")
    stream = io.BytesIO()
    torch.export.save(torch.export.export(theirs, (torch.rand(2, 1, 8, 8),)), stream)
    Path("program.pt2").write_bytes(stream.getvalue())
    kinds = [kind_of(Path(name)) for name in ("w.pt", "w.ckpt", "w.safetensors", "script.pt", "program.pt2")]
    assert kinds == ["weights", "weights", "weights", "torchscript", "exported"]


def test_the_command_says_what_it_took_off(command, theirs, caplog):
    torch.save(nn.DataParallel(theirs).state_dict(), "w.pt")
    words = [
        "net.py:build",
        "--weights",
        "w.pt",
        "--data",
        "digits",
        "--attacks",
        "none",
        "--analyses",
        "none",
    ]
    code, _, err = command("audit", *words, "--out", "out", "--executor", "serial")
    assert code == 0, err
    assert "w.pt: took 'module.' off the names of its 9 tensors" in caplog.text
