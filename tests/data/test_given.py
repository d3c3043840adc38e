"""Whoever trained a model says which images it learned: by index files, or by the data's own test part."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasaudit.data.given import read_index
from nasaudit.data.raw import RawData
from nasaudit.data.splits import assign_roles
from nasaudit.errors import DataError, SpecError
from nasaudit.spec.data import DataSpec

ROLES = ("train", "validation", "test", "pool")


def raw_data(n, official_train=None):
    names = ("a", "b")
    return RawData("here", np.zeros((n, 1, 8, 8), np.uint8), np.arange(n) % 2, names, official_train)


def spec(folder, train=None, test=None, **fields):
    paths = {}
    for name, positions in (("train_index", train), ("test_index", test)):
        if positions is not None:
            path = folder / f"{name}.txt"
            path.write_text("\n".join(map(str, positions)) + "\n")
            paths[name] = str(path)
    return DataSpec(name="npz", division="given", **paths, **fields)


def test_an_official_division_is_taken_whole_and_the_pool_is_of_images_never_seen():
    roles = assign_roles(
        raw_data(100, official_train=60), DataSpec(name="npz", division="given", pool_fraction=0.25)
    )
    np.testing.assert_array_equal(roles.train, np.arange(60))
    assert len(roles.validation) == 0
    np.testing.assert_array_equal(np.sort(np.concatenate([roles.test, roles.pool])), np.arange(60, 100))
    assert len(roles.pool) == 10
    assert np.bincount(roles.pool % 2).tolist() == [5, 5]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_index_files_say_it_and_no_image_has_two_roles(tmp_path_factory, data):
    n = data.draw(st.integers(12, 60))
    order = data.draw(st.permutations(range(n)))
    trained = data.draw(st.integers(2, n - 8))
    tested = data.draw(st.integers(4, n - trained))
    train, test = order[:trained], order[trained : trained + tested]
    folder = tmp_path_factory.mktemp("index")
    roles = assign_roles(raw_data(n), spec(folder, train, test))
    np.testing.assert_array_equal(roles.train, np.sort(train))
    everything = np.concatenate([getattr(roles, role) for role in ROLES])
    np.testing.assert_array_equal(np.sort(everything), np.arange(n))
    if trained + tested < n:
        np.testing.assert_array_equal(roles.test, np.sort(test))
    else:
        np.testing.assert_array_equal(np.sort(np.concatenate([roles.test, roles.pool])), np.sort(test))


def test_one_list_says_it_all(tmp_path):
    by_train = assign_roles(raw_data(40), spec(tmp_path, train=range(10)))
    by_test = assign_roles(raw_data(40), spec(tmp_path, test=range(10, 40)))
    for role in ROLES:
        np.testing.assert_array_equal(getattr(by_train, role), getattr(by_test, role))
    np.testing.assert_array_equal(by_train.train, np.arange(10))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("1\n2\n2\n", "2 stands there twice"),
        ("1\n40\n", "0 to 39, got 40"),
        ("-1\n", "0 to 39, got -1"),
        ("1.5\n", "expected positions, a whole number a line"),
        ("9" * 40, "expected positions, a whole number a line"),
    ],
)
def test_a_list_that_is_none_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "train.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=message) as refused:
        read_index(path, 40)
    assert str(path) in str(refused.value)


def test_arrays_are_read_and_pickles_are_not(tmp_path):
    np.save(tmp_path / "i.npy", np.array([3, 1], dtype=np.uint16))
    assert read_index(tmp_path / "i.npy", 4).tolist() == [1, 3]
    np.save(tmp_path / "f.npy", np.array([0.5]))
    with pytest.raises(DataError, match="expected whole numbers"):
        read_index(tmp_path / "f.npy", 4)
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="expected positions"):
        read_index(tmp_path / "o.npy", 4)


def test_contradictions_are_refused(tmp_path):
    with pytest.raises(DataError, match="not trained on, 3 is in"):
        assign_roles(raw_data(40), spec(tmp_path, range(4), range(3, 9)))
    with pytest.raises(DataError, match="none is left over"):
        assign_roles(raw_data(40), spec(tmp_path, range(40)))
    with pytest.raises(SpecError, match=r"data\.train_images"):
        assign_roles(raw_data(40), spec(tmp_path, range(4), train_images=2))
