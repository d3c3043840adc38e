import numpy as np
import pytest
import torch

from nasaudit.data import load
from nasaudit.data.catalogue import fingerprint, parse_data, read_raw
from nasaudit.data.raw import RawData
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec


@pytest.fixture(scope="module")
def bundle():
    return load.load_data(parse_data("digits"), None)


def test_splits_hold_the_source_images_that_their_indices_name(bundle):
    raw = read_raw(parse_data("digits"), None)
    seen = []
    for split in (bundle.train, bundle.validation, bundle.test, bundle.pool):
        assert split.images.dtype == torch.uint8
        assert split.labels.dtype == split.indices.dtype == torch.int64
        np.testing.assert_array_equal(split.images.numpy(), raw.images[split.indices.numpy()])
        np.testing.assert_array_equal(split.labels.numpy(), raw.labels[split.indices.numpy()])
        seen += split.indices.tolist()
    assert sorted(seen) == list(range(1797))
    assert bundle.class_names == raw.class_names
    assert bundle.train.shape == (1, 8, 8)


def test_the_same_spec_gives_the_same_bundle(bundle):
    again = load.load_data(DataSpec(name="Digits"), None)
    other = load.load_data(DataSpec(name="digits", seed=1), None)
    assert again.train.digest == bundle.train.digest
    assert again.test.digest == bundle.test.digest
    assert other.test.digest != bundle.test.digest


def test_the_same_test_images_for_everyone(bundle):
    few, many = load.test_images(bundle, 20, seed=0), load.test_images(bundle, 200, seed=0)
    assert few.tolist() == many[:20].tolist()
    assert few.tolist() != load.test_images(bundle, 20, seed=1).tolist()
    everything = load.test_images(bundle, 10**6, seed=0)
    assert sorted(everything.tolist()) == list(range(len(bundle.test)))
    with pytest.raises(ValueError, match="at least one image"):
        load.test_images(bundle, 0, seed=0)


def test_files_that_changed_since_planning_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(40) % 2)
    spec = fingerprint(parse_data(f"npz:{path}"), tmp_path)
    assert len(load.load_data(spec, tmp_path).train) == 24
    np.savez(path, images=255 - images, labels=np.arange(40) % 2)
    with pytest.raises(DataError, match="changed since the study was planned"):
        load.load_data(spec, tmp_path)
    load.load_data(parse_data(f"npz:{path}"), tmp_path)  # without a fingerprint there is nothing to compare


def test_download_is_only_on_request(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "torchvision.datasets.utils.download_and_extract_archive", lambda *_, **__: asked.append(1)
    )
    for download in (False, True):
        with pytest.raises(DataError, match="expected train, test, meta in"):
            load.load_data(parse_data("cifar100"), tmp_path, download=download)
        assert len(asked) == download


def test_an_official_test_set_reaches_the_bundle(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 8, 9, 3), dtype=np.uint8)
    path = tmp_path / "a.npz"
    labels = np.arange(50) % 2
    np.savez(path, images=images[:40], labels=labels[:40], test_images=images[40:], test_labels=labels[40:])
    bundle = load.load_data(parse_data(f"npz:{path}"), tmp_path)
    assert bundle.test.indices.tolist() == list(range(40, 50))
    np.testing.assert_array_equal(bundle.test.images.numpy(), images[40:].transpose(0, 3, 1, 2))
    assert bundle.train.shape == (3, 8, 9)


def test_raw_data_checks_itself():
    images = np.zeros((4, 1, 8, 8), np.uint8)
    labels = np.array([0, 1, 0, 1])
    for arguments, match in (
        ((images[0], labels, ("a", "b")), r"got uint8 \[1, 8, 8\]"),
        ((images.astype(float), labels, ("a", "b")), "got float64"),
        ((images[:, [0, 0]], labels, ("a", "b")), r"with 1 or 3 channels, got uint8 \[4, 2, 8, 8\]"),
        ((images[..., :7], labels, ("a", "b")), "at least 8 pixels, got 8x7"),
        ((images, labels[:3], ("a", "b")), "got 3 labels for 4 images"),
        ((images, labels, ("a",)), r"two classes or more, got 1 \(a\)"),
        ((images, labels + 1, ("a", "b")), r"labels in 0\.\.1, got 2 at position 1"),
    ):
        with pytest.raises(DataError, match=match):
            RawData("here", *arguments)
