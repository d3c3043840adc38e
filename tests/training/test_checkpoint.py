import hashlib
import pickle
import struct
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.arch.rewiring import rewire
from nasaudit.errors import CheckpointError, UnsafeFileError
from nasaudit.spec.study import ArchChoice
from nasaudit.spec.tasks import WeightsFile
from nasaudit.training import checkpoint
from nasaudit.training.tensor_files import read_safetensors


def small(name="darts", **changes):
    spec = resolve(ArchChoice(name=name), "mini", 10, (1, 8, 8))
    return spec.model_copy(update={"n_cells": 3, "init_channels": 4, **changes})


@pytest.fixture
def saved(tmp_path):
    network = build(small(), 3)
    checkpoint.save(network, tmp_path / "w.safetensors", clean_accuracy=0.5)
    return network, tmp_path / "w.safetensors"


def test_a_checkpoint_rebuilds_the_same_function_without_the_catalogue(saved):
    network, path = saved
    loaded = checkpoint.load(path)
    images = torch.rand(2, 1, 8, 8)
    assert loaded.spec == network.spec
    assert torch.equal(loaded(images), network.eval()(images))
    assert read_safetensors(path)[0]["clean_accuracy"] == "0.5"


def test_another_architecture_is_named(saved):
    with pytest.raises(CheckpointError, match="n_cells is 3, expected 4"):
        checkpoint.load(saved[1], small(n_cells=4))
    with pytest.raises(CheckpointError, match="name is 'darts', expected 'enas'"):
        checkpoint.load(saved[1], small("enas"))


def test_missing_and_misshapen_tensors_are_counted_and_named(saved):
    _, path = saved
    state, metadata = load_file(path), read_safetensors(path)[0]
    state["body.classifier.bias"] = torch.zeros(11)
    del state["body.classifier.weight"]
    save_file(state, path, metadata)
    with pytest.raises(
        CheckpointError, match=r"2 tensors do not fit.*classifier.bias: expected \[10\], got \[11\]"
    ):
        checkpoint.load(path)


@pytest.mark.parametrize("length", [0, 5, 200, -1000])
def test_a_truncated_file_is_refused(saved, length):
    _, path = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"w\.safetensors"):
        checkpoint.load(path)


class Boom:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_pickles_are_refused_and_never_executed(tmp_path):
    raw, zipped = tmp_path / "raw.pt", tmp_path / "zipped.pt"
    raw.write_bytes(pickle.dumps(Boom()))
    torch.save({"weight": torch.zeros(3), "boom": Boom()}, zipped)
    for path in (raw, zipped):
        with pytest.raises(UnsafeFileError, match="can execute code"):
            checkpoint.load(path)


def test_other_safetensors_lack_an_architecture(tmp_path):
    path = tmp_path / "plain.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="carries its architecture"):
        checkpoint.load(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(tmp_path / "absent.safetensors")


def test_a_header_that_lies_about_its_length_is_refused(tmp_path):
    path = tmp_path / "lie.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(CheckpointError):
        checkpoint.load(path)


def given(path):
    return WeightsFile(path=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_given_weights_of_a_checkpoint_fill_a_network_of_another_name(saved):
    network, path = saved
    mine = small().model_copy(update={"name": "mine", "group": "custom", "drop_path": 0.1})
    loaded = checkpoint.load_given(given(path), build(mine, 9))
    images = torch.rand(2, 1, 8, 8)
    assert loaded.spec == mine  # what is saved of it must be the task's own architecture
    assert not loaded.training
    assert torch.equal(loaded(images), network.eval()(images))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_given_weights_without_our_metadata_are_taken_as_they_are(tmp_path, kind, wrapped):
    network, path = build(small(), 3), tmp_path / "weights"
    state = network.state_dict()
    if kind == "torch":
        torch.save({"state_dict": state, "epoch": 7} if wrapped else state, path)
    else:
        save_file(state, path, {"format": "pt"} if wrapped else None)
    loaded = checkpoint.load_given(given(path), build(small(), 4))
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(loaded(images), network.eval()(images))


class Touch:
    """Unpickled, it would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (type(self.path).touch, (self.path,))


@pytest.mark.parametrize("written", ["raw", "zipped", "module"])
def test_a_given_pickle_with_code_is_refused_and_not_executed(tmp_path, written):
    proof, path = tmp_path / "executed", tmp_path / "weights.pt"
    content = {"weight": torch.zeros(3), "code": Touch(proof)}
    if written == "raw":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content if written == "zipped" else torch.nn.Linear(2, 2), path)
    with pytest.raises(UnsafeFileError, match=r"weights\.pt.*state dict"):
        checkpoint.load_given(given(path), build(small()))
    assert not proof.exists()
    if written == "raw":  # what is refused would have run
        pickle.loads(path.read_bytes())
        assert proof.exists()


def test_a_given_file_that_changed_since_planning_is_refused(saved):
    _, path = saved
    planned = given(path)
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(CheckpointError, match="changed since the study was planned"):
        checkpoint.load_given(planned, build(small()))
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load_given(planned, build(small()))


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_given_tensors_that_do_not_fit_are_counted_and_named(tmp_path, kind):
    state = build(small(), 3).state_dict()
    state["body.classifier.bias"] = torch.zeros(11)
    state["another.weight"] = torch.zeros(2, 3)
    del state["body.classifier.weight"]
    path = tmp_path / "weights"
    torch.save(state, path) if kind == "torch" else save_file(state, path)
    told = r"3 tensors do not fit.*another\.weight: expected nothing, got \[2, 3\]; body\.classifier\.bias: "
    told += r"expected \[10\], got \[11\]; body\.classifier\.weight: expected \[10, \d+\], got nothing"
    with pytest.raises(CheckpointError, match=told):
        checkpoint.load_given(given(path), build(small()))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([torch.zeros(2)], "got list"),
        ({"state_dict": {"weight": 3}}, "got int at 'weight'"),
        ({3: torch.zeros(2)}, "got Tensor at 3"),
    ],
)
def test_what_torch_saved_must_be_a_state_dict(tmp_path, content, told):
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=rf"expected a state dict \(names to tensors\), {told}"):
        checkpoint.load_given(given(path), build(small()))


@pytest.mark.parametrize("length", [3, 60, 400, -200])
def test_a_damaged_given_file_is_refused(tmp_path, length):
    path = tmp_path / "weights.pt"
    torch.save(build(small()).state_dict(), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=r"weights\.pt"):
        checkpoint.load_given(given(path), build(small()))


def test_given_weights_of_another_architecture_or_size_are_refused(saved):
    _, path = saved
    with pytest.raises(CheckpointError, match="name is 'darts', expected 'enas'"):
        checkpoint.load_given(given(path), build(small("enas")))
    with pytest.raises(CheckpointError, match="n_cells is 3, expected 4"):
        checkpoint.load_given(given(path), build(small(n_cells=4)))


def test_the_same_tensors_on_other_edges_are_refused_where_the_file_says_so(tmp_path):
    """Cells that differ in the sources of their edges alone have the same tensors: the metadata tell them apart."""
    other = small(genotype=rewire(small().genotype, "deepen"))
    path = tmp_path / "w.safetensors"
    checkpoint.save(build(other), path, 0.5)
    with pytest.raises(CheckpointError, match="darts with another genotype than darts"):
        checkpoint.load_given(given(path), build(small()))


def test_weights_that_are_not_finite_are_refused(saved):
    network, path = saved
    state = network.state_dict()
    state["body.classifier.bias"][2] = torch.nan
    save_file(state, path)
    with pytest.raises(CheckpointError, match=r"1 tensors hold NaN.*body\.classifier\.bias"):
        checkpoint.load_given(given(path), build(small()))


def odd(tensor, kind):
    match kind:
        case "sparse":
            return tensor.to_sparse()
        case "csr":
            return torch.ones(tensor.shape).to_sparse_csr() if tensor.dim() == 2 else tensor.to_sparse()
        case "quantized":
            return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)
        case "meta":
            return tensor.to("meta")
        case "huge":
            return tensor[0].expand(2**45)
    return tensor.to(getattr(torch, kind))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("int8", "classifier.bias: expected float32, got int8"),
        ("bool", "expected float32, got bool"),
        ("complex64", "expected float32, got complex64"),
        ("int64", "expected float32, got int64"),
        ("float8_e4m3fn", "expected float32, got float8_e4m3fn"),
        ("sparse", "dense tensors of plain numbers; body.classifier.bias is of another kind"),
        ("csr", "dense tensors of plain numbers"),
        ("quantized", "dense tensors of plain numbers"),
        ("meta", "expected tensors with content"),
        ("huge", "1 tensors do not fit"),
    ],
)
def test_tensors_that_are_no_weights_are_refused_in_one_sentence(tmp_path, kind, told):
    network = build(small())
    state = network.state_dict()
    state["body.classifier.bias"] = odd(state["body.classifier.bias"], kind)
    path = tmp_path / "w.pt"
    torch.save(state, path)
    with pytest.raises(CheckpointError, match=told) as caught:
        checkpoint.load_given(given(path), network)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_other_floats_are_taken(tmp_path, kind):
    network = build(small())
    state = {
        name: value.to(getattr(torch, kind)) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(state, tmp_path / "w.pt")
    checkpoint.load_given(given(tmp_path / "w.pt"), build(small(), 1))


def test_a_number_that_is_too_large_for_the_network_is_infinite(tmp_path):
    network = build(small())
    state = network.state_dict()
    state["body.classifier.bias"] = torch.full((10,), 1e200, dtype=torch.float64)
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="NaN or infinite"):
        checkpoint.load_given(given(tmp_path / "w.pt"), network)


@pytest.mark.timeout(60)
def test_archives_that_torch_did_not_write_are_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole:
        members = {name: whole.read(name) for name in whole.namelist()}
    deep = b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s."
    programs = {name: deep for name in members if name.endswith(".pkl")}
    for changed, packed in ((members, zipfile.ZIP_DEFLATED), ({**members, **programs}, zipfile.ZIP_STORED)):
        with zipfile.ZipFile(tmp_path / "w.pt", "w", packed) as archive:
            for name, content in changed.items():
                archive.writestr(name, content)
        with pytest.raises(CheckpointError, match="cannot be read"):
            checkpoint.load_given(given(tmp_path / "w.pt"), build(small()))
    (tmp_path / "w.pt").write_bytes(deep)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load_given(given(tmp_path / "w.pt"), build(small()))


@pytest.mark.timeout(10)
def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "w.pt").symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match="got a device"):
        checkpoint.load(tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="got a device"):
        checkpoint.load_given(WeightsFile(path=str(tmp_path / "w.pt"), sha256="0" * 64), build(small()))


@pytest.mark.timeout(60)
def test_a_network_is_not_built_larger_than_the_file_that_asks_for_it(saved):
    _, path = saved
    metadata, state = read_safetensors(path)
    claim = metadata["architecture"].replace('"init_channels":4', '"init_channels":512')
    assert claim != metadata["architecture"]
    save_file(state, path, {**metadata, "architecture": claim})
    with pytest.raises(CheckpointError, match="tensors do not fit"):
        checkpoint.load(path)
