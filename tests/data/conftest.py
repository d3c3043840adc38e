"""Writers of the true on-disk formats, small."""

import pickle
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest


class Python2Pickle:
    """Writes what Python 2's cPickle wrote for CIFAR: protocol 2, 8-bit strings, numpy.core's old names.

    Python 3 cannot write 8-bit strings, so the opcodes are put down by hand.
    """

    def dumps(self, value):
        return b"\x80\x02" + self._emit(value) + b"."

    def _emit(self, value):
        if isinstance(value, dict):
            items = b"".join(self._emit(key) + self._emit(item) for key, item in value.items())
            return b"}(" + items + b"u"
        if isinstance(value, list):
            return b"](" + b"".join(self._emit(item) for item in value) + b"e"
        if isinstance(value, str | bytes):
            raw = value.encode() if isinstance(value, str) else value
            return (
                b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw
            )
        if isinstance(value, np.ndarray):
            return self._emit_array(value)
        if isinstance(value, int):
            return b"J" + struct.pack("<i", value)
        raise TypeError(type(value))

    def _emit_array(self, array):
        order = "<" if array.dtype.itemsize > 1 else "|"
        code = array.dtype.str[1:]
        shape = b"(" + b"".join(self._emit(side) for side in array.shape) + b"t"
        kind = b"cnumpy\ndtype\n(" + self._emit(code) + b"K\x00K\x01tR"
        kind += b"(K\x03" + self._emit(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        blank = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + self._emit("b") + b"tR"
        return blank + b"(K\x01" + shape + kind + b"\x89" + self._emit(array.tobytes()) + b"tb"


def _rows(rng, n):
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8)


def _write(path, content, writer):
    path.write_bytes(writer(content))
    return path


def _cifar10(folder, writer, per_batch=20):
    rng = np.random.default_rng(1)
    folder.mkdir(parents=True)
    batches = {}
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        labels = [int(label) for label in np.arange(per_batch) % 10]
        content = {
            "batch_label": name,
            "labels": labels,
            "data": _rows(rng, per_batch),
            "filenames": ["a.png"],
        }
        batches[name] = content
        _write(folder / name, content, writer)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    meta = {"num_cases_per_batch": per_batch, "label_names": names, "num_vis": 3072}
    _write(folder / "batches.meta", meta, writer)
    return batches, names


def _cifar100(folder, writer, n=200):
    rng = np.random.default_rng(2)
    folder.mkdir(parents=True)
    batches = {}
    for name in ("train", "test"):
        fine = [int(label) for label in np.arange(n) % 100]
        coarse = [label // 5 for label in fine]
        batches[name] = {"fine_labels": fine, "coarse_labels": coarse, "data": _rows(rng, n)}
        _write(folder / name, batches[name], writer)
    names = [f"fine{k}" for k in range(100)]
    _write(folder / "meta", {"fine_label_names": names, "coarse_label_names": ["c"] * 20}, writer)
    return batches, names


def _imagenet32(folder, form, labels_of):
    """Eleven batches; `labels_of(k)` gives the published labels (1..1000) of batch k, 0 being val_data."""
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True)
    batches = {}
    for number in range(11):
        name = f"train_data_batch_{number}" if number else "val_data"
        labels = labels_of(number)
        rows = _rows(rng, len(labels))
        batches[name] = (rows, labels)
        mean = rows.mean(axis=0)
        if form == "npz":
            np.savez(folder / f"{name}.npz", data=rows, labels=np.array(labels), mean=mean)
        else:
            (folder / name).write_bytes(
                pickle.dumps({"data": rows, "labels": labels, "mean": mean}, protocol=2)
            )
    return batches


WRITERS = {
    "python2": Python2Pickle().dumps,
    **{
        f"protocol{number}": (lambda content, number=number: pickle.dumps(content, protocol=number))
        for number in (0, 2, 4, 5)
    },
    "bytes_keys": lambda content: pickle.dumps(
        {key.encode(): value for key, value in content.items()}, protocol=2
    ),
}


@pytest.fixture
def formats():
    return SimpleNamespace(
        writers=WRITERS,
        python2=Python2Pickle().dumps,
        cifar10=_cifar10,
        cifar100=_cifar100,
        imagenet32=_imagenet32,
    )


@pytest.fixture
def pictures(tmp_path):
    """Write `{relative path: array [H, W] or [H, W, 3]}` as pictures below a fresh folder."""
    from PIL import Image

    def write(arrays, root="photos"):
        folder: Path = tmp_path / root
        for name, array in arrays.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"quality": 95} if path.suffix == ".jpg" else {}
            Image.fromarray(array).save(path, **options)
        return folder

    return write
