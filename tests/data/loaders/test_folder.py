import os

import numpy as np
import pytest
from PIL import Image

from nasaudit.data import raw
from nasaudit.data.catalogue import class_names, describe, fingerprint, parse_data, read_raw
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec


def grey(seed, height=10, width=12):
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def colour(seed, height=10, width=12):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def read(folder, **options):
    return read_raw(DataSpec(name="folder", path=str(folder), **options), folder)


def test_lossless_pictures_are_read_pixel_by_pixel(pictures):
    arrays = {"dog/b.png": colour(1), "dog/a.png": colour(2), "cat/x.bmp": colour(3), "cat/.hidden": None}
    folder = pictures({name: array for name, array in arrays.items() if array is not None})
    (folder / "cat" / ".hidden").write_text("left out")
    (folder / "README.txt").write_text("loose files beside the classes are left out")
    raw = read(folder)
    assert raw.class_names == ("cat", "dog") == class_names(parse_data(f"folder:{folder}"), folder)
    assert raw.labels.tolist() == [0, 1, 1]
    assert raw.official_train is None
    for image, name in zip(raw.images, ("cat/x.bmp", "dog/a.png", "dog/b.png"), strict=True):
        np.testing.assert_array_equal(image.transpose(1, 2, 0), arrays[name])
    assert describe(parse_data(f"folder:{folder}"), folder) == ((3, 10, 12), 2)


def test_jpegs_are_read_as_pillow_reads_them(pictures):
    folder = pictures({"a/1.jpg": colour(1), "b/1.jpg": colour(2)})
    with Image.open(folder / "a" / "1.jpg") as picture:
        theirs = np.asarray(picture)
    np.testing.assert_array_equal(read(folder).images[0].transpose(1, 2, 0), theirs)


def test_grey_stays_grey_unless_one_is_coloured(pictures):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    assert read(folder).shape == (1, 10, 12)
    np.testing.assert_array_equal(read(folder).images[1, 0], grey(2))
    mixed = pictures({"a/1.png": grey(1), "b/1.png": colour(2)}, root="mixed")
    raw = read(mixed)
    assert raw.shape == (3, 10, 12)
    np.testing.assert_array_equal(raw.images[0], np.stack([grey(1)] * 3))


def test_official_split(pictures):
    folder = pictures(
        {
            **{f"train/{name}/{k}.png": grey(k) for name in "ab" for k in range(3)},
            **{f"test/{name}/9.png": grey(9) for name in "ab"},
        }
    )
    raw = read(folder)
    assert raw.official_train == 6
    assert raw.labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]
    np.testing.assert_array_equal(raw.images[6, 0], grey(9))
    pictures({"val/a/1.png": grey(1)})
    with pytest.raises(DataError, match="nothing beside the folders train and test, got val"):
        read(folder)


def test_official_parts_must_hold_the_same_classes(pictures):
    folder = pictures({"train/a/1.png": grey(1), "train/b/1.png": grey(2), "test/a/1.png": grey(1)})
    pictures({"test/c/1.png": grey(1)})
    with pytest.raises(DataError, match="same classes in train and test, b is in one only"):
        read(folder)


def test_train_and_test_may_be_class_names(pictures):
    assert read(pictures({"train/1.png": grey(1), "test/1.png": grey(2)})).class_names == ("test", "train")


def test_sizes_must_agree_or_be_resized(pictures):
    folder = pictures({"a/1.png": grey(1), "a/2.png": grey(2), "b/1.png": grey(3, 20, 16)})
    with pytest.raises(
        DataError, match=r"b/1\.png: expected 12x10 .* as in 1\.png, got 16x20; set image_size"
    ):
        read(folder)
    raw = read(folder, image_size=8)
    assert raw.shape == (1, 8, 8)
    flat = pictures(
        {"a/1.png": np.full((40, 40), 77, np.uint8), "b/1.png": np.full((9, 9), 12, np.uint8)}, "flat"
    )
    assert [set(np.unique(image)) for image in read(flat, image_size=16).images] == [{77}, {12}]


def test_an_image_of_exactly_the_size_is_untouched(pictures):
    folder = pictures({"a/1.png": grey(1, 16, 16), "b/1.png": grey(2, 32, 32)})
    np.testing.assert_array_equal(read(folder, image_size=16).images[0, 0], grey(1, 16, 16))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"not a picture", r"a/2\.png: not a readable picture"),
        (b"", r"a/2\.png: not a readable picture"),
        ("truncated", r"a/2\.png: not a readable picture"),
        ("16 bits", r"a/2\.png: expected 8 bits a channel"),
        ("folder", r"a/2\.png: expected a picture, got a folder"),
    ],
)
def test_what_is_no_picture_is_named(pictures, content, match):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    bad = folder / "a" / "2.png"
    if content == "truncated":
        whole = (folder / "a" / "1.png").read_bytes()
        bad.write_bytes(whole[: len(whole) // 2])
    elif content == "16 bits":
        Image.fromarray(grey(1).astype(np.uint16) * 256).save(bad)
    elif content == "folder":
        bad.mkdir()
    else:
        bad.write_bytes(content)
    with pytest.raises(DataError, match=match):
        read(folder)


def test_too_few_or_empty_classes(pictures, tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read(tmp_path / "nowhere")
    folder = pictures({"only/1.png": grey(1)})
    with pytest.raises(DataError, match="two classes or more, got only only"):
        read(folder)
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match="empty: expected pictures, the folder is empty"):
        read(folder)
    with pytest.raises(DataError, match="got a file"):
        read(folder / "only" / "1.png")
    tiny = pictures({"a/1.png": grey(1, 6, 30), "b/1.png": grey(2, 6, 30)}, "tiny")
    with pytest.raises(DataError, match="sides of at least 8 pixels, got 6x30"):
        read(tiny)


def test_the_fingerprint_sees_content_and_class(pictures):
    folder = pictures({"a/1.png": grey(1), "a/2.png": grey(2), "b/1.png": grey(3), "b/3.png": grey(4)})

    def now():
        return fingerprint(parse_data(f"folder:{folder}"), folder).fingerprint

    first = now()
    assert first == now()
    (folder / "a" / "2.png").rename(folder / "b" / "2.png")
    moved = now()
    assert moved != first
    (folder / "b" / "2.png").rename(folder / "a" / "2.png")
    assert now() == first
    pictures({"a/1.png": grey(5)})
    assert now() != first


@pytest.mark.timeout(60)
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif"])
def test_a_picture_that_ends_early_is_never_taken_as_whole(pictures, suffix):
    folder = pictures({f"a/1.{suffix}": colour(1), f"b/1.{suffix}": colour(2)})
    path = folder / "a" / f"1.{suffix}"
    whole = path.read_bytes()
    known = read(folder).images[0]
    for kept in range(0, len(whole), 1 if suffix == "png" else 7):
        path.write_bytes(whole[:kept])
        read_or_refuse(folder, path, known)


def read_or_refuse(folder, path, known):
    """Only where no pixel is touched, as by an end mark that is missing, may a damaged file be read."""
    try:
        image = read(folder).images[0]
    except DataError as error:
        if str(path) not in str(error):
            raise
    else:
        np.testing.assert_array_equal(image, known)


def test_a_flipped_bit_of_a_png_never_changes_a_pixel(pictures):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    path = folder / "a" / "1.png"
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        read_or_refuse(folder, path, grey(1)[None])


@pytest.mark.timeout(10)
def test_what_is_no_file_of_the_folder_is_refused(pictures, tmp_path):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    Image.fromarray(grey(3)).save(tmp_path / "secret.png")
    spec = parse_data(f"folder:{folder}")
    odd = folder / "a" / "2.png"
    for make, match in (
        (lambda: os.mkfifo(odd), "got a pipe"),
        (lambda: odd.symlink_to(odd), "symbolic links"),
        (lambda: odd.symlink_to("/dev/zero"), "leads out of"),
        (lambda: odd.symlink_to(tmp_path / "secret.png"), "leads out of"),
    ):
        make()
        for ask in (read_raw, fingerprint):
            with pytest.raises(DataError, match=match):
                ask(spec, folder)
        odd.unlink()
    odd.symlink_to(folder / "b" / "1.png")
    assert len(read(folder).images) == 3
    odd.unlink()
    (folder / "c").symlink_to(tmp_path)
    with pytest.raises(DataError, match="leads out of"):
        read(folder)


def test_names_that_are_no_utf_8(pictures):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    (folder / "a" / "1.png").rename(folder / "a" / os.fsdecode(b"caf\xe9.png"))
    assert fingerprint(parse_data(f"folder:{folder}"), folder).fingerprint
    (folder / "a").rename(folder / os.fsdecode(b"caf\xe9"))
    with pytest.raises(DataError, match="not UTF-8"):
        read(folder)


def test_programs_are_not_started_for_a_picture(pictures):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    (folder / "a" / "2.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    with pytest.raises(DataError, match=r"2\.eps: not a readable picture"):
        read(folder)


def test_a_picture_of_absurd_size_and_too_many_are_refused(pictures, monkeypatch):
    folder = pictures({"a/1.png": grey(1), "b/1.png": grey(2)})
    monkeypatch.setattr(raw, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="share of this machine's memory"):
        read(folder)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"1\.png: not a readable picture"):
        read(folder)
