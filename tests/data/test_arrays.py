"""Images in memory: one file for the same content, and an error that says what was expected."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

from nasaudit.data.arrays import write_images
from nasaudit.data.catalogue import read_raw
from nasaudit.errors import DataError

LABELS = np.arange(12) % 3
GREY = np.random.default_rng(0).random((12, 8, 8)).astype(np.float32)
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 8, 9, 3), dtype=np.uint8)


def raw(images, folder):
    return read_raw(write_images(images, folder), folder)


@pytest.mark.parametrize(
    "images",
    [
        (GREY, LABELS),
        (GREY[:, None], LABELS.tolist()),
        (GREY[..., None], LABELS.astype(np.uint8)),
        (torch.from_numpy(GREY)[:, None].requires_grad_(), torch.from_numpy(LABELS)),
        [GREY.astype(np.float64), torch.from_numpy(LABELS)],
        TensorDataset(torch.from_numpy(GREY)[:, None], torch.from_numpy(LABELS)),
    ],
)
def test_every_form_is_the_same_images(images, tmp_path):
    read = raw(images, tmp_path)
    np.testing.assert_array_equal(read.images, np.rint(GREY * 255).astype(np.uint8)[:, None])
    np.testing.assert_array_equal(read.labels, LABELS)
    assert read.official_train is None


def test_the_same_content_is_one_file_and_another_is_another(tmp_path):
    first = write_images((GREY, LABELS), tmp_path)
    assert write_images((torch.from_numpy(GREY), LABELS), tmp_path) == first
    written = (tmp_path / first.label).stat().st_mtime_ns
    write_images((GREY, LABELS), tmp_path)
    assert (tmp_path / first.label).stat().st_mtime_ns == written
    assert write_images((GREY[::-1], LABELS), tmp_path) != first
    assert write_images((GREY, LABELS[::-1]), tmp_path) != first


def test_train_and_test_keep_apart(tmp_path):
    read = raw(((COLOUR[:7], LABELS[:7]), (COLOUR[7:], LABELS[7:])), tmp_path)
    assert read.official_train == 7
    np.testing.assert_array_equal(read.images, COLOUR.transpose(0, 3, 1, 2))


class Pictures(Dataset):
    classes = ("cat", "dog", "emu")

    def __init__(self, first=0.0):
        self.first, self.reads = first, 0

    def __len__(self):
        return 12

    def __getitem__(self, position):
        from PIL import Image

        self.reads += 1
        picture = COLOUR[position].copy()
        if self.first:
            picture[0, 0] = self.reads
        return Image.fromarray(picture), int(LABELS[position])


def test_a_dataset_is_read_with_progress_and_its_names(tmp_path):
    told = []
    spec = write_images((Pictures(), Pictures()), tmp_path, lambda done, text="": told.append((done, text)))
    read = read_raw(spec, tmp_path)
    assert read.class_names == ("cat", "dog", "emu")
    assert read.official_train == 12
    np.testing.assert_array_equal(read.images[:12], COLOUR.transpose(0, 3, 1, 2))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == 1.0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ((GREY * 16, LABELS), r"data: x: expected floats in \[0,1\].*divide by 255, or store uint8"),
        ((GREY - 0.5, LABELS), "bring the pixels as they are before a normalisation"),
        ((GREY[:, None, None], LABELS), r"expected \[N, H, W\], \[N, H, W, C\] or \[N, C, H, W\]"),
        ((GREY, np.eye(3)[LABELS]), r"data: y: expected whole numbers \[N\].*argmax\(1\)"),
        ((GREY, LABELS[:5]), "expected as many y as x, got 5 and 12"),
        (((GREY, LABELS), (GREY[:, :, :4], LABELS)), r"data \(test\): x: expected sides of at least 8"),
        (GREY, "got .*ndarray"),
        ((GREY,), "got tuple of 1"),
        (TensorDataset(torch.zeros(0, 1, 8, 8), torch.zeros(0)), "an empty Dataset"),
        (TensorDataset(torch.from_numpy(GREY)), "expected pairs of an image and its class"),
        (Pictures(first=1.0), "take its augmentation off"),
        (DataLoader(TensorDataset(torch.from_numpy(GREY))), "bring its `.dataset`"),
    ],
)
def test_what_is_wrong_is_said(images, message, tmp_path):
    with pytest.raises(DataError, match=message):
        write_images(images, tmp_path)
    assert not list(tmp_path.iterdir())
