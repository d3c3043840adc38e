import numpy as np
import pytest

from nasaudit.data.catalogue import class_names, describe, fingerprint, parse_data, read_raw
from nasaudit.errors import DataError, UnsafeFileError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 11, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "arrays.npz"

    def save_and_read(**arrays):
        np.savez(path, **arrays)
        return read_raw(parse_data(f"npz:{path}"), tmp_path)

    return save_and_read


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (IMAGES, IMAGES.transpose(0, 3, 1, 2)),
        (IMAGES.transpose(0, 3, 1, 2), IMAGES.transpose(0, 3, 1, 2)),
        (IMAGES[..., 0], IMAGES[:, None, :, :, 0]),
        (IMAGES[..., :1], IMAGES[:, None, :, :, 0]),
        (IMAGES[:, None, :, :, 0], IMAGES[:, None, :, :, 0]),
        (IMAGES / 255, IMAGES.transpose(0, 3, 1, 2)),
        ((IMAGES / 255).astype(np.float32), IMAGES.transpose(0, 3, 1, 2)),
        ((IMAGES / 255).astype(np.float16), IMAGES.transpose(0, 3, 1, 2)),
    ],
    ids=["NHWC", "NCHW", "NHW", "NHW1", "N1HW", "float64", "float32", "float16"],
)
def test_layouts_and_number_types(read, images, expected):
    raw = read(images=images, labels=LABELS)
    np.testing.assert_array_equal(raw.images, expected)
    assert raw.labels.tolist() == LABELS.tolist()
    assert raw.class_names == ("0", "1", "2")
    assert raw.official_train is None


def test_official_test_set_and_names(read, tmp_path):
    raw = read(
        images=IMAGES,
        labels=LABELS.astype(np.uint8),
        test_images=IMAGES[:3] / 255,
        test_labels=LABELS[:3],
        class_names=np.array(["ant", "bee", "cow"]),
    )
    assert raw.official_train == 6
    assert raw.labels.tolist() == [*LABELS, *LABELS[:3]]
    np.testing.assert_array_equal(raw.images[6:], raw.images[:3])
    spec = parse_data(f"npz:{tmp_path / 'arrays.npz'}")
    assert class_names(spec, tmp_path) == ("ant", "bee", "cow")
    assert describe(spec, tmp_path) == ((3, 9, 11), 3)
    assert fingerprint(spec, tmp_path).fingerprint is not None


def with_value(value, at=(4, 3, 2, 1)):
    images = IMAGES / 255
    images[at] = value
    return images


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (
            {"images": with_value(1.5)},
            r"images: expected floats in \[0,1\], got 1.5 in image 4; divide by 255",
        ),
        (
            {"images": with_value(-0.1)},
            r"got -0.1 in image 4; bring the pixels as they are before a normalisation$",
        ),
        ({"images": with_value(np.nan)}, r"got nan in image 4"),
        ({"images": with_value(np.inf)}, r"got inf in image 4"),
        ({"images": IMAGES.astype(np.int64)}, r"expected uint8 \(0..255\) or floats in \[0,1\], got int64"),
        ({"images": IMAGES[0]}, "at least 8 pixels, got 11x3"),
        ({"images": IMAGES[..., :2]}, r"with 1 or 3 channels, got \[6, 9, 11, 2\]"),
        ({"images": IMAGES[:, :7]}, "at least 8 pixels, got 7x11"),
        ({"images": IMAGES[:0]}, "empty array"),
        ({"labels": LABELS[:5]}, "expected as many labels as images, got 5 and 6"),
        ({"labels": LABELS - 1}, "expected labels from 0, got -1 at position 0"),
        ({"labels": LABELS.astype(float)}, "expected whole numbers .*got float64"),
        ({"labels": LABELS[:, None]}, r"expected whole numbers \[N\], got int64 \[6, 1\]"),
        ({"labels": np.array([0, 1, 10**9, 0, 1, 0])}, "got 1000000000 at position 2 but no 2"),
        ({"labels": LABELS * 0}, r"two classes or more, got 1"),
        ({"class_names": np.array(["a", "b"])}, r"labels in 0..1, got 2 at position 2"),
        ({"class_names": np.array([1, 2, 3])}, "class_names as text"),
        ({"test_images": IMAGES}, "test_labels is missing"),
        ({"test_images": IMAGES[:, :8], "test_labels": LABELS}, r"test_images \[C, H, W\] like images"),
    ],
)
def test_what_is_wrong_and_where(read, arrays, match):
    with pytest.raises(DataError, match=match):
        read(**{"images": IMAGES, "labels": LABELS} | arrays)


def test_objects_are_refused(read):
    with pytest.raises(UnsafeFileError, match="'labels'"):
        read(images=IMAGES, labels=np.array([{}] * 6, dtype=object))


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"missing\.npz: expected an \.npz file, no such file"):
        read_raw(parse_data(f"npz:{tmp_path / 'missing.npz'}"), tmp_path)
    with pytest.raises(DataError, match="got a folder"):
        fingerprint(parse_data(f"npz:{tmp_path}"), tmp_path)


def test_names_of_what_is_no_character_are_refused(tmp_path):
    path = tmp_path / "d.npz"
    names = np.frombuffer(np.array([97, 0x7FFF_FFFF], dtype="<u4").tobytes(), dtype="<U1")
    images = np.zeros((4, 8, 8), dtype=np.uint8)
    np.savez(path, images=images, labels=np.array([0, 1, 0, 1]), class_names=names)
    with pytest.raises(DataError, match="no character"):
        read_raw(parse_data(f"npz:{path}"), tmp_path)
    for given, match in ((["a", "\ud800"], "not UTF-8"), (["a", "b" * 300], "at most 200 characters")):
        np.savez(path, images=images, labels=np.array([0, 1, 0, 1]), class_names=np.array(given))
        with pytest.raises(DataError, match=match):
            read_raw(parse_data(f"npz:{path}"), tmp_path)
