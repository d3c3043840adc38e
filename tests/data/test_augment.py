import time

import numpy as np
import pytest
import torch

from nasaudit.data.augment import Offsets, apply, augment, draw

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def batch(shape=(7, 3, 9, 12), dtype=torch.uint8, layout=torch.contiguous_format):
    images = torch.randint(1, 256, shape, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    images = images if dtype == torch.uint8 else images.to(dtype) / 255
    return images.contiguous(memory_format=layout)


def slow_reference(images, offsets, crop, cutout, fill):
    """One image and one pixel at a time, from the description alone."""
    result = np.empty_like(images)
    count, _, height, width = images.shape
    for n in range(count):
        for i in range(height):
            for j in range(width):
                source = width - 1 - j if offsets.flip is not None and offsets.flip[n] else j
                row, column = i, source
                if offsets.crop is not None:
                    row += int(offsets.crop[0, n]) - crop
                    column += int(offsets.crop[1, n]) - crop
                inside = 0 <= row < height and 0 <= column < width
                result[n, :, i, j] = images[n, :, row, column] if inside else 0
                if offsets.cutout is not None:
                    top = int(offsets.cutout[0, n]) - cutout // 2
                    left = int(offsets.cutout[1, n]) - cutout // 2
                    if top <= i < top + cutout and left <= j < left + cutout:
                        result[n, :, i, j] = fill
    return result


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("crop", "flip", "cutout"),
    [(0, False, 0), (2, False, 0), (0, True, 0), (0, False, 4), (0, False, 5), (3, True, 6), (1, True, 40)],
)
def test_it_equals_the_slow_reference(crop, flip, cutout, channels, dtype, layout):
    images = batch((7, channels, 9, 12), dtype, layout)
    before = images.clone()
    generator = torch.Generator().manual_seed(crop + cutout)
    offsets = draw(images.shape, generator, crop, flip, cutout)
    for fill in (None, torch.arange(1, channels + 1)):
        got = apply(images, offsets, crop, cutout, fill)
        colour = 0 if fill is None else fill.to(dtype).numpy()
        expected = slow_reference(images.numpy(), offsets, crop, cutout, colour)
        np.testing.assert_array_equal(got.numpy(), expected)
        assert got.dtype == images.dtype
        assert got.is_contiguous(memory_format=layout)
        got.fill_(0)  # not a view of the input
        assert torch.equal(images, before)


def test_offsets_by_hand():
    images = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3)
    shifted = apply(images, Offsets(crop=torch.tensor([[0], [2]])), crop=1, cutout=0)
    assert shifted.tolist() == [[[[0, 0, 0], [2, 3, 0], [5, 6, 0]]]]
    mirrored = apply(images, Offsets(flip=torch.tensor([True])), crop=0, cutout=0)
    assert mirrored.tolist() == [[[[3, 2, 1], [6, 5, 4], [9, 8, 7]]]]
    clipped = apply(images, Offsets(cutout=torch.tensor([[0], [2]])), crop=0, cutout=2)
    assert clipped.tolist() == [[[[1, 0, 0], [4, 5, 6], [7, 8, 9]]]]


def test_what_is_drawn_is_uniform_and_in_range():
    offsets = draw((60_000, 1, 10, 6), torch.Generator().manual_seed(0), crop=2, flip=True, cutout=3)
    for drawn, size in (
        (offsets.crop[0], 5),
        (offsets.crop[1], 5),
        (offsets.cutout[0], 10),
        (offsets.cutout[1], 6),
    ):
        counts = drawn.bincount(minlength=size)
        assert len(counts) == size
        deviation = (60_000 / size * (1 - 1 / size)) ** 0.5
        assert (counts - 60_000 / size).abs().max() < 5 * deviation
    assert abs(int(offsets.flip.sum()) - 30_000) < 5 * 122.5
    together = (offsets.crop[0] * 5 + offsets.crop[1]).bincount(minlength=25)  # rows and columns independent
    assert (together - 2400).abs().max() < 5 * 48


def test_the_generator_decides():
    images = batch((32, 1, 10, 10))

    def once(seed):
        return augment(images, torch.Generator().manual_seed(seed), 2, True, 3)

    assert torch.equal(once(0), once(0))
    assert not torch.equal(once(0), once(1))
    generator = torch.Generator().manual_seed(0)
    state = torch.get_rng_state()
    augment(images, generator, 2, True, 3)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone


def test_all_off_is_a_copy():
    images = batch()
    changed = augment(images, torch.Generator(), 0, False, 0)
    assert torch.equal(changed, images)
    assert changed.data_ptr() != images.data_ptr()


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"expected images \[N, C, H, W\], got \[3, 4\]"):
        augment(torch.zeros(3, 4), torch.Generator(), 0, False, 0)
    with pytest.raises(ValueError, match="expected sizes from 0 pixels"):
        augment(batch(), torch.Generator(), -1, False, 0)


def test_the_default_recipes_crop_is_quick():
    images = batch((64, 1, 28, 28))
    generator = torch.Generator().manual_seed(0)
    augment(images, generator, 2, False, 0)
    best = min(_cpu_seconds(lambda: augment(images, generator, 2, False, 0)) for _ in range(50))
    assert best < 1e-3  # about .1 ms on one thread; a loop over the images takes about 1 ms


def _cpu_seconds(call):
    started = time.thread_time()
    call()
    return time.thread_time() - started
