import numpy as np
import pytest

from nasaudit.data.catalogue import class_names, describe, fingerprint, parse_data, read_raw
from nasaudit.data.subset import draw_classes
from nasaudit.errors import DataError, SpecError
from nasaudit.spec.data import DataSpec


def all_classes(number):
    """A hundred classes in each training batch, and all thousand in val_data."""
    return list(range(1, 1001)) if number == 0 else list(range(100 * (number - 1) + 1, 100 * number + 1))


@pytest.mark.parametrize("form", ["pickle", "npz"])
def test_all_batches_in_order(tmp_path, formats, form):
    batches = formats.imagenet32(tmp_path / "imagenet32", form, all_classes)
    raw = read_raw(parse_data("imagenet32"), tmp_path)
    assert raw.images.shape == (2000, 3, 32, 32)
    assert raw.official_train == 1000
    assert raw.labels.tolist() == [*range(1000), *range(1000)]
    rows, _ = batches["train_data_batch_10"]
    np.testing.assert_array_equal(raw.images[907].reshape(-1), rows[7])
    assert raw.class_names[16] == "class 17"


def test_drawn_classes_are_relabelled_and_keep_their_names(tmp_path, formats):
    folder = tmp_path / "imagenet32"
    batches = formats.imagenet32(folder, "npz", all_classes)
    lines = [f"n{number:08d} {number} thing_{number}" for number in range(1, 1001)]
    (folder / "map_clsloc.txt").write_text("\n".join(reversed(lines)) + "\n")
    spec = DataSpec(name="imagenet32", classes=32, seed=5)
    raw = read_raw(spec, tmp_path)
    assert len(raw.class_names) == 32
    assert raw.labels.tolist() == [*range(32), *range(32)]
    assert class_names(spec, tmp_path) == raw.class_names
    rows, labels = batches["val_data"]
    for new, name in enumerate(raw.class_names):
        original = int(name.removeprefix("thing "))
        np.testing.assert_array_equal(raw.images[32 + new].reshape(-1), rows[labels.index(original)])
    assert describe(spec, tmp_path) == ((3, 32, 32), 32)


def test_the_seed_draws_the_classes():
    assert draw_classes(1000, 32, 0).tolist() == draw_classes(1000, 32, 0).tolist()
    assert draw_classes(1000, 32, 0).tolist() != draw_classes(1000, 32, 1).tolist()
    assert len(set(draw_classes(1000, 32, 0).tolist())) == 32
    assert set(draw_classes(1000, 10, 3)) < set(draw_classes(1000, 11, 3))
    assert draw_classes(1000, 1000, 9).tolist() == list(range(1000))
    # Every class is about equally likely to be drawn: 600 draws of 100 expect 60 each, sd 7.3.
    counts = np.bincount(
        np.concatenate([draw_classes(1000, 100, seed) for seed in range(600)]), minlength=1000
    )
    assert counts.min() > 25
    assert counts.max() < 95


def test_wrong_files_are_named(tmp_path, formats):
    with pytest.raises(DataError, match=r"expected train_data_batch_1 or .*image-net\.org"):
        fingerprint(parse_data("imagenet32"), tmp_path)
    folder = tmp_path / "imagenet32"
    formats.imagenet32(folder, "pickle", lambda number: [1, 2, 0] if number == 4 else [1, 2, 3])
    with pytest.raises(
        DataError, match=r"train_data_batch_4: expected labels in 1\.\.1000, got 0 at position 2"
    ):
        read_raw(parse_data("imagenet32"), tmp_path)
    (folder / "train_data_batch_4").unlink()
    with pytest.raises(DataError, match="train_data_batch_4"):
        read_raw(parse_data("imagenet32"), tmp_path)
    (folder / "map_clsloc.txt").write_text("n1 1 a\nn2 2000 b\n")
    with pytest.raises(DataError, match=r"map_clsloc\.txt.*line 2"):
        class_names(parse_data("imagenet32"), tmp_path)


def test_more_classes_than_there_are():
    with pytest.raises(SpecError, match=r"data\.classes: expected at most 1000"):
        describe(DataSpec(name="imagenet32", classes=1001), None)
