import pickle
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.network import build
from nasaudit.errors import CheckpointError, UnsafeFileError
from nasaudit.spec.study import ArchChoice
from nasaudit.training import checkpoint


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
    assert checkpoint.read_metadata(path)["clean_accuracy"] == "0.5"


def test_another_architecture_is_named(saved):
    with pytest.raises(CheckpointError, match="n_cells is 3, expected 4"):
        checkpoint.load(saved[1], small(n_cells=4))
    with pytest.raises(CheckpointError, match="name is 'darts', expected 'enas'"):
        checkpoint.load(saved[1], small("enas"))


def test_missing_and_misshapen_tensors_are_counted_and_named(saved):
    _, path = saved
    state, metadata = load_file(path), checkpoint.read_metadata(path)
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
    with pytest.raises(CheckpointError, match="cannot be opened"):
        checkpoint.load(tmp_path / "absent.safetensors")


def test_a_header_that_lies_about_its_length_is_refused(tmp_path):
    path = tmp_path / "lie.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    with pytest.raises(CheckpointError):
        checkpoint.load(path)
