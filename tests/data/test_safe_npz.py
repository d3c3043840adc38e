import pickle

import numpy as np
import pytest

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
