import os
import pickle
import zipfile

import numpy as np
import pytest

from nasaudit.data import raw
from nasaudit.data.safe_npz import load_arrays
from nasaudit.errors import DataError, UnsafeFileError


def test_only_the_asked_arrays_are_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.arange(3), labels=np.arange(2), other=np.array([{}], dtype=object))
    got = load_arrays(path, ("images",), ("labels", "absent"))
    assert sorted(got) == ["images", "labels"]
    np.testing.assert_array_equal(got["images"], [0, 1, 2])


def test_objects_and_pickles_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.array([{}, {}], dtype=object))
    with pytest.raises(UnsafeFileError, match=r"'images'.*pickled objects"):
        load_arrays(path, ("images",))
    path.write_bytes(pickle.dumps({"images": 1}))
    with pytest.raises(UnsafeFileError, match=r"a\.npz"):
        load_arrays(path, ("images",))


def test_damage_is_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match=r"a\.npz: cannot be read"):
        load_arrays(path, ("images",))
    np.savez(path, images=np.arange(1000))
    whole = path.read_bytes()
    for kept in (0, 10, 300, len(whole) - 10):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match=r"a\.npz"):
            load_arrays(path, ("images",))
    damaged = bytearray(whole)
    damaged[400] ^= 0xFF  # inside the content: only the archive's checksum can tell
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"a\.npz"):
        load_arrays(path, ("images",))
    np.savez(path, labels=np.arange(3))
    with pytest.raises(DataError, match="expected an array 'images', found labels"):
        load_arrays(path, ("images",))
    np.save(tmp_path / "single.npy", np.arange(3))
    with pytest.raises(DataError, match="got a single array"):
        load_arrays(tmp_path / "single.npy", ("images",))


def npy(header, content=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def archive(path, member, **options):
    with zipfile.ZipFile(path, "w", **options) as written:
        written.writestr("images.npy", member)
    return path


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "header",
    [
        f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**62}, 3)}}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}",
        "{'descr': [('a', '<f8', (1000000000,))], 'fortran_order': False, 'shape': (9,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)",
        "{'descr': '|u1', 'fortran_order': False, 'shape': " + "(" * 4000,
        "{'descr': '\x00', 'fortran_order': False, 'shape': (3,)}",
        "{1: [" * 50,
    ],
    ids=range(7),
)
def test_a_header_that_the_content_does_not_fill_is_damage(tmp_path, header):
    with pytest.raises(DataError, match=r"a\.npz"):
        load_arrays(archive(tmp_path / "a.npz", npy(header, b"123")), ("images",))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(100_000, dtype=">i4").reshape(10, 100, 100),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.array(7, dtype=np.int16),
        np.empty((0, 3), dtype=np.float32),
        np.array(["ship", "frog"]),
        np.array([True, False]),
        np.frombuffer(os.urandom(3 * 2**20), dtype=np.uint8),
    ],
    ids=["big-endian", "columns-first", "scalar", "empty", "text", "bool", "several-chunks"],
)
def test_an_array_is_read_as_numpy_reads_it(tmp_path, array):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", images=array)
        got = load_arrays(tmp_path / "a.npz", ("images",))["images"]
        with np.load(tmp_path / "a.npz", allow_pickle=False) as theirs:
            np.testing.assert_array_equal(got, theirs["images"], strict=True)
        assert got.flags.f_contiguous == array.flags.f_contiguous
        assert got.flags.writeable


def test_an_array_that_ends_before_its_listed_size_is_damage(tmp_path):
    """The checksum is right, and the archive's list says more bytes than the compressed member gives."""
    content = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (30,)}", b"123")
    path = archive(tmp_path / "a.npz", content, compression=zipfile.ZIP_DEFLATED)
    size, larger = len(content).to_bytes(4, "little"), (len(content) + 27).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, larger))
    with pytest.raises(DataError, match=r"'images'.*ends after"):
        load_arrays(path, ("images",))


def test_an_archive_larger_than_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=np.zeros(20 * 2**20, dtype=np.uint8))
    monkeypatch.setattr(raw, "MAX_BYTES", 10 * 2**20)
    with pytest.raises(DataError, match="GiB of images, a share of this machine's memory"):
        load_arrays(path, ("images",))


@pytest.mark.timeout(60)
def test_every_flipped_byte_is_a_sentence_or_the_same_array(tmp_path):
    path = tmp_path / "a.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, images=np.arange(60, dtype=np.uint8))
        whole = path.read_bytes()
        for position in range(len(whole)):
            for bits in (0x01, 0xFF):
                damaged = bytearray(whole)
                damaged[position] ^= bits
                path.write_bytes(damaged)
                try:
                    np.testing.assert_array_equal(load_arrays(path, ("images",))["images"], np.arange(60))
                except (DataError, UnsafeFileError):
                    continue


@pytest.mark.timeout(10)
def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(DataError, match="got a pipe"):
        load_arrays(tmp_path / "a.npz", ("images",))
