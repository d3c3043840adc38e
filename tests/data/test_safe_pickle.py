import contextlib
import os
import pickle
import subprocess

import numpy as np
import pytest

from nasaudit.data.loaders import batches
from nasaudit.data.safe_pickle import _STAND_INS, load_batch
from nasaudit.errors import DataError, UnsafeFileError


def written(tmp_path, payload):
    path = tmp_path / "batch"
    path.write_bytes(payload)
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        np.asfortranarray(np.arange(12, dtype=np.int32).reshape(3, 4)),
        np.linspace(0, 1, 5),
        np.array([1, 2, 3], dtype=">i4"),
        np.array([True, False]),
    ],
    ids=["uint8", "fortran", "double", "big-endian", "bool"],
)
def test_arrays_come_back_as_pickle_itself_would_give_them(tmp_path, protocol, array):
    path = written(tmp_path, pickle.dumps({"data": array}, protocol=protocol))
    got = load_batch(path)["data"]
    assert got.dtype == array.dtype
    np.testing.assert_array_equal(got, pickle.loads(path.read_bytes())["data"])


def test_python_2_batches(tmp_path, formats):
    rows = np.arange(300, dtype=np.uint8).reshape(3, 100)
    payload = formats.python2({"labels": [6, 9, 300], "data": rows, "filenames": ["x" * 300]})
    # The hand-written opcodes are a real pickle: Python's own reader agrees.
    assert pickle.loads(payload, encoding="latin1")["labels"] == [6, 9, 300]
    got = load_batch(written(tmp_path, payload))
    assert got["labels"] == [6, 9, 300]
    assert got["filenames"] == [b"x" * 300]
    np.testing.assert_array_equal(got["data"], rows)


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_numbers_are_read_as_plain_ones(tmp_path, protocol):
    labels = list(np.array([1, 2, 999]))
    assert load_batch(written(tmp_path, pickle.dumps({"labels": labels}, protocol)))["labels"] == [1, 2, 999]


class Runs:
    """Pickles to a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


CALLS = {
    "system": lambda flag: (os.system, f"touch {flag}"),
    "Popen": lambda flag: (subprocess.Popen, ["touch", str(flag)]),
    "eval": lambda flag: (eval, f"open({str(flag)!r}, 'w')"),
    "getattr": lambda flag: (getattr, "text", "format"),
    "open": lambda flag: (open, str(flag), "w"),
    "fromfile": lambda flag: (np.fromfile, str(flag)),
    "array": lambda flag: (np.array, [1]),
}


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("name", CALLS)
def test_code_is_refused_by_name_and_not_run(tmp_path, protocol, name):
    flag = tmp_path / "flag"
    payload = pickle.dumps({"data": np.zeros(3), "x": Runs(*CALLS[name](flag))}, protocol=protocol)
    with pytest.raises(UnsafeFileError, match=rf"batch: refused, it would run \S+\.{name}\b"):
        load_batch(written(tmp_path, payload))
    assert not flag.exists()


NAMES = (
    b"numpy\nndarray",
    b"numpy\ndtype",
    b"_codecs\nencode",
    b"numpy.core.multiarray\n_reconstruct",
    b"numpy.core.multiarray\nscalar",
    b"numpy.core.numeric\n_frombuffer",
)


@pytest.mark.parametrize(
    "payload",
    [
        # numpy.ndarray and numpy.dtype named, then called or set in ways that pickle never writes
        b"\x80\x02}(U\x01xcnumpy\nndarray\n)Ru.",
        b"\x80\x02}(U\x01xcnumpy\ndtype\n(U\x01OtRu.",
        b"\x80\x02}(U\x01xcnumpy\ndtype\n(U\x06V99999tRu.",
        b"\x80\x02}(U\x01xc_codecs\nencode\n(U\x01aU\x06rot_13tRu.",
        b"\x80\x02}(U\x01xcnumpy.core.multiarray\n_reconstruct\n)R(K\x01tbu.",
        *(b"\x80\x02}(U\x01xc" + name + b"\n(N}X\x07\x00\x00\x00planted" + b"K\x01stbu." for name in NAMES),
    ],
)
def test_misused_names_of_numpy_are_damage(tmp_path, payload):
    with pytest.raises(DataError, match="batch"):
        load_batch(written(tmp_path, payload))
    # ... and nothing of the reader itself was changed on the way.
    assert not any(hasattr(stand_in, "planted") for stand_in in _STAND_INS.values())


def test_arrays_of_objects_are_damage(tmp_path):
    payload = pickle.dumps({"data": np.array([{}, []], dtype=object)}, protocol=2)
    with pytest.raises(DataError, match=r"batch: .*type 'O8'"):
        load_batch(written(tmp_path, payload))


def test_an_array_whose_bytes_do_not_fill_its_shape_is_damage(tmp_path, formats):
    payload = formats.python2({"data": np.arange(200, dtype=np.uint8)}).replace(
        b"J\xc8\x00\x00\x00", b"J\xff\xff\xff\x0f"
    )
    with pytest.raises(DataError, match="array in it is damaged"):
        load_batch(written(tmp_path, payload))


@pytest.mark.parametrize("kept", [0, 1, 5, 40, 200, -1])
def test_a_truncated_file_is_named(tmp_path, formats, kept):
    payload = formats.python2({"labels": [1, 2], "data": np.zeros((2, 3072), dtype=np.uint8)})
    with pytest.raises(DataError, match="batch: truncated"):
        load_batch(written(tmp_path, payload[:kept]))


def test_files_that_are_no_dictionary_or_not_there(tmp_path):
    with pytest.raises(DataError, match="expected a pickled dictionary, got list"):
        load_batch(written(tmp_path, pickle.dumps([1])))
    with pytest.raises(DataError, match="nowhere: cannot be read"):
        load_batch(tmp_path / "nowhere")
    with pytest.raises(DataError, match="not a pickled batch"):
        load_batch(written(tmp_path, b"\x89PNG\r\n\x1a\n"))


ARRAY = pickle.dumps({"data": np.zeros((2, 3072), dtype=np.uint8), "labels": [1, 2]}, protocol=2)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x02}" + b")" + b"\x85" * 1_000_000 + b"K\x01s.",  # a key that is nested a million deep
        b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"K\x01s.",  # and one of 2^60 values
        b"\x80\x04}(" + b"\x8f(K\x01\x90" + b"\x91" + b"K\x01s.",  # sets
        b"\x80\x02]r\xff\xff\xff\xff.",  # room for four billion values
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0fxx.",
        b"\x80\x02" + b"N" * 6_000_000 + b".",
        b"\x80\x02}K\x01K\x02s.",
        b"\x80\x02}I" + b"9" * 5000 + b"\nK\x02s.",
        ARRAY.replace(b"M\x00\x0c", b"K\xff"),
        ARRAY.replace(b"K\x02M\x00\x0c", b"\x8a\x14" + b"\x7f" * 20 + b"M\x00\x0c"),
        b"\x80\x02}X\x04\x00\x00\x00data" + b"]" * 100_000 + b"a" * 99_999 + b"s.",
    ],
    ids=range(11),
)
def test_programs_that_never_end_or_fill_the_memory_are_damage(tmp_path, payload):
    path = written(tmp_path, payload)
    with pytest.raises(DataError, match="batch") as caught:
        batches.unpack_rows(path, load_batch(path), "labels", (3, 32, 32))
    assert len(str(caught.value)) < 2000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_every_flipped_byte_is_a_sentence(tmp_path, protocol):
    whole = pickle.dumps({"data": np.zeros((2, 12), dtype=np.uint8), "labels": [1, 2]}, protocol)
    for position in range(len(whole)):
        for bits in (0x01, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= bits
            path = written(tmp_path, bytes(damaged))
            with contextlib.suppress(DataError, UnsafeFileError):
                batches.unpack_rows(path, load_batch(path), "labels", (3, 2, 2))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("labels", [[[1]], [1.5, 2], ["a", "b"], [2**70, 1], [None, 1], {1: 2}])
def test_labels_that_are_none(tmp_path, labels):
    path = written(tmp_path, pickle.dumps({"data": np.zeros((2, 3072), dtype=np.uint8), "labels": labels}))
    with pytest.raises(DataError, match="labels"):
        batches.unpack_rows(path, load_batch(path), "labels", (3, 32, 32))


@pytest.mark.timeout(10)
def test_lists_of_lists_of_lists_are_not_followed_to_the_end(tmp_path):
    labels = [1]
    for _ in range(60):
        labels = [labels, labels]
    test_labels_that_are_none(tmp_path, labels)
