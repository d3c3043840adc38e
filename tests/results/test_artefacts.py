"""An artefact of another shape, truncated or pickled, in a stranger's store, ends in a sentence that names it."""

import pickle

import numpy as np
import pytest

from nasaudit.errors import StoreError
from nasaudit.results.artefacts import attacked, outcomes, read_json

GOOD = {"index": np.arange(4), "correct": np.ones(4, dtype=bool)}


def saved(path, **arrays):
    np.savez(path, **{**GOOD, **arrays})
    return path


def test_what_a_task_left_is_read(tmp_path):
    found = outcomes(saved(tmp_path / "outcomes.npz"))
    assert found["index"].tolist() == [0, 1, 2, 3]
    assert found["correct"].all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"correct": np.ones(3, dtype=bool)},
        {"correct": np.ones(4)},
        {"index": np.arange(4.0)},
        {"index": np.array(["a", "b", "c", "d"])},
        {"index": np.zeros((4, 2), dtype=int)},
        {"index": np.array(3)},
    ],
)
def test_arrays_of_another_shape_or_kind_are_refused(tmp_path, wrong):
    with pytest.raises(StoreError, match=r"outcomes\.npz: damaged, or not what such a task leaves"):
        outcomes(saved(tmp_path / "outcomes.npz", **wrong))


def test_objects_pickles_stumps_and_absent_arrays_are_refused(tmp_path):
    path = tmp_path / "evasion.npz"
    np.savez(path, index=np.array([{}], dtype=object))
    with pytest.raises(StoreError, match=r"evasion\.npz"):
        attacked(path)
    path.write_bytes(pickle.dumps(GOOD))
    with pytest.raises(StoreError, match=r"evasion\.npz"):
        attacked(path)
    saved(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"evasion\.npz"):
        attacked(path)
    with pytest.raises(StoreError, match=r"minimal_epsilon"):
        attacked(saved(path))


@pytest.mark.parametrize("text", ["", "{", "\xff", "[" * 100_000])
def test_json_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "history.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(StoreError, match=r"history\.json"):
        read_json(path)
