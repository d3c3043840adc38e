"""Batched prediction: every image once, in order, and never more than a batch at a time."""

import pytest
import torch

from nasaudit.testing.data import synthetic_split
from nasaudit.victim.batches import BATCH, in_batches


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH + 1, 2 * BATCH + 7])
def test_every_image_is_shown_once_in_order_and_no_batch_is_larger(count):
    sizes, shares = [], []
    split = synthetic_split(count, 4, (1, 4, 4), seed=1)

    def model(pixels):
        sizes.append(len(pixels))
        return pixels.flatten(1).sum(1, keepdim=True)

    found = in_batches(model, split, "cpu", lambda done, text="": shares.append(done))
    assert torch.equal(found, split.pixels().flatten(1).sum(1, keepdim=True))
    assert sum(sizes) == count
    assert max(sizes) <= BATCH
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert torch.equal(in_batches(model, split.pixels(), "cpu"), found)


def test_no_gradient_is_kept():
    weight = torch.ones(1, requires_grad=True)
    assert not in_batches(
        lambda pixels: pixels.flatten(1) * weight, torch.rand(3, 1, 2, 2), "cpu"
    ).requires_grad
