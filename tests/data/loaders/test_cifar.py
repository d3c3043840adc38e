import pickle

import numpy as np
import pytest

from nasaudit.data import catalogue
from nasaudit.data.catalogue import class_names, describe, fetch, fingerprint, parse_data, read_raw
from nasaudit.errors import DataError, UnsafeFileError
from nasaudit.planning.plan import plan
from nasaudit.planning.studies import parse_study

pytestmark = pytest.mark.filterwarnings("ignore:.*differ from the published files")


@pytest.mark.parametrize("writer", ["python2", "bytes_keys", "protocol2", "protocol4", "protocol5"])
def test_cifar10_from_batches(tmp_path, formats, writer):
    batches, names = formats.cifar10(tmp_path / "cifar-10-batches-py", formats.writers[writer])
    raw = read_raw(parse_data("cifar10"), tmp_path)
    assert raw.images.shape == (120, 3, 32, 32)
    assert raw.official_train == 100
    assert raw.class_names == tuple(names) == class_names(parse_data("cifar10"), tmp_path)
    in_order = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    np.testing.assert_array_equal(raw.labels, np.concatenate([batches[name]["labels"] for name in in_order]))
    # CIFAR's own description: 1024 red values, then green, then blue, each row by row.
    row = batches["data_batch_2"]["data"][3]
    image = raw.images[23]
    assert image[0, 0, 5] == row[5]
    assert image[1, 2, 7] == row[1024 + 2 * 32 + 7]
    assert image[2, 31, 31] == row[3071]


def test_it_agrees_with_torchvision(tmp_path, formats, monkeypatch):
    from torchvision.datasets import CIFAR10

    formats.cifar10(tmp_path / "cifar-10-batches-py", formats.python2)
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    raw = read_raw(parse_data("cifar10"), tmp_path)
    for train, part in ((True, slice(0, 100)), (False, slice(100, None))):
        theirs = CIFAR10(tmp_path, train=train)
        np.testing.assert_array_equal(raw.images[part].transpose(0, 2, 3, 1), theirs.data)
        assert raw.labels[part].tolist() == theirs.targets
        assert list(raw.class_names) == theirs.classes


def test_cifar100_takes_the_fine_labels(tmp_path, formats):
    batches, names = formats.cifar100(tmp_path / "cifar-100-python", formats.python2)
    raw = read_raw(parse_data("cifar100"), tmp_path)
    assert raw.labels.tolist() == batches["train"]["fine_labels"] + batches["test"]["fine_labels"]
    assert raw.class_names == tuple(names)
    assert describe(parse_data("cifar100"), tmp_path) == ((3, 32, 32), 100)


def test_path_may_be_the_folder_or_hold_it(tmp_path, formats):
    folder = tmp_path / "here" / "cifar-10-batches-py"
    formats.cifar10(folder, formats.python2)
    for path in (folder, folder.parent):
        raw = read_raw(parse_data(f"cifar10:{path}"), tmp_path / "downloads")
        assert len(raw.labels) == 120


def test_absent_files_are_named_with_the_way_out(tmp_path, formats):
    with pytest.raises(DataError, match=r"data_batch_1.*cifar-10-batches-py.*--download.*https://"):
        read_raw(parse_data("cifar10"), tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    formats.cifar10(folder, formats.python2)
    (folder / "data_batch_3").unlink()
    for reading in (read_raw, fingerprint, class_names):
        with pytest.raises(DataError, match="expected data_batch_3 in"):
            reading(parse_data("cifar10"), tmp_path)


def test_download_asks_torchvision_for_the_archive_alone(tmp_path, formats, monkeypatch):
    asked = []

    def download(url, root, filename, md5):
        asked.append((url, filename, md5))
        formats.cifar10(tmp_path / "cifar-10-batches-py", formats.python2)

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", download)
    spec = parse_data("cifar10")
    fetch(spec, tmp_path)
    fetch(spec, tmp_path)  # nothing left to do
    from torchvision.datasets import CIFAR10, CIFAR100

    assert asked == [(CIFAR10.url, CIFAR10.filename, CIFAR10.tgz_md5)]
    from nasaudit.data.loaders.cifar import _LAYOUTS

    for name, theirs in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        ours = _LAYOUTS[name]
        assert list(ours.train.items()) == [tuple(pair) for pair in theirs.train_list]
        assert list(ours.test.items()) == [tuple(pair) for pair in theirs.test_list]
        assert (ours.folder, ours.url, ours.archive_md5) == (theirs.base_folder, theirs.url, theirs.tgz_md5)
        assert (ours.meta, ours.names_key) == (theirs.meta["filename"], theirs.meta["key"])


def test_a_failed_download_is_a_data_error(tmp_path, monkeypatch):
    def download(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", download)
    with pytest.raises(DataError, match=r"could not be downloaded.*no route"):
        fetch(parse_data("cifar100"), tmp_path)


@pytest.mark.filterwarnings("default")
def test_files_that_are_not_the_published_ones_are_told(tmp_path, formats):
    formats.cifar10(tmp_path / "cifar-10-batches-py", formats.python2)
    with pytest.warns(UserWarning, match=r"data_batch_1.*test_batch.*differ from the published"):
        read_raw(parse_data("cifar10"), tmp_path)


def test_damaged_and_unsafe_batches_are_named(tmp_path, formats):
    folder = tmp_path / "cifar-10-batches-py"
    formats.cifar10(folder, formats.python2)
    batch = folder / "data_batch_4"
    good = batch.read_bytes()

    def raises(content, error, match):
        batch.write_bytes(content)
        with pytest.raises(error, match=match):
            read_raw(parse_data("cifar10"), tmp_path)

    labels = [0] * 20
    raises(good[: len(good) // 2], DataError, "data_batch_4: truncated")
    raises(b"cposix\nsystem\n(S'true'\ntR.", UnsafeFileError, r"data_batch_4: refused.*posix\.system")
    raises(formats.python2({"labels": labels}), DataError, "data_batch_4: expected 'data' in the batch")
    narrow = np.zeros((20, 3000), dtype=np.uint8)
    raises(pickle.dumps({"data": narrow, "labels": labels}), DataError, r"expected data uint8 \[n, 3072\]")
    rows = np.zeros((20, 3072), dtype=np.uint8)
    raises(pickle.dumps({"data": rows, "labels": labels[1:]}), DataError, "expected 20 whole-numbered labels")
    raises(pickle.dumps({"data": rows, "labels": [0.5] * 20}), DataError, "whole-numbered labels .*got 0.5")
    raises(
        pickle.dumps({"data": rows, "labels": [[1, 2], *labels[1:]]}),
        DataError,
        "data_batch_4: expected whole-numbered labels",
    )
    raises(
        pickle.dumps({"data": rows, "labels": [10] * 20}), DataError, "labels in 0..9, got 10 at position 60"
    )


def test_names_that_are_no_list(tmp_path, formats):
    folder = tmp_path / "cifar-10-batches-py"
    formats.cifar10(folder, formats.python2)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": 3}))
    with pytest.raises(DataError, match=r"batches\.meta: expected a list of names"):
        read_raw(parse_data("cifar10"), tmp_path)


def test_the_fingerprint_follows_the_content(tmp_path, formats):
    folder = tmp_path / "a" / "cifar-10-batches-py"
    formats.cifar10(folder, formats.python2)
    spec = parse_data("cifar10")
    before = fingerprint(spec, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert fingerprint(spec, tmp_path / "b") == before
    assert before.fingerprint is not None
    batch = tmp_path / "b" / "cifar-10-batches-py" / "test_batch"
    batch.write_bytes(batch.read_bytes() + b" ")
    assert fingerprint(spec, tmp_path / "b") != before
    assert catalogue.settle(before) == before


def test_a_damaged_batch_is_found_before_anything_is_trained(tmp_path, formats):
    formats.cifar10(tmp_path / "cifar-10-batches-py", formats.python2)
    study = parse_study("architectures: [resnet]\ndata: cifar10\nattacks: []\nanalyses: []", "s.yaml")
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_4"
    batch.write_bytes(batch.read_bytes()[:-100])
    with pytest.raises(DataError, match="data_batch_4: truncated"):
        plan(study, tmp_path)
