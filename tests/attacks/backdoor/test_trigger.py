"""Triggers against hand-made images, and pictures from files."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from nasaudit.attacks.backdoor.trigger import Trigger, choose, patch, picture, poisoned, stamped
from nasaudit.data.split import Split
from nasaudit.errors import DataError, SpecError
from nasaudit.spec.attacks import BadNetsSpec, BlendedSpec, DataFacts
from nasaudit.spec.attacks.trigger_image import image_digest
from nasaudit.testing.data import synthetic_split

SHAPE = (1, 6, 6)


def drawn(**fields) -> list[str]:
    """The mask as text, so that a reader sees the shape."""
    trigger = patch(BadNetsSpec(**fields), SHAPE)
    return ["".join("#" if value else "." for value in row) for row in trigger.mask[0].tolist()]


def test_shapes_and_positions_are_those_one_would_draw():
    assert drawn(size=2) == ["##....", "##....", *["......"] * 4]
    assert drawn(size=2, position="bottom_right", margin=1) == [*["......"] * 3, "...##.", "...##.", "......"]
    assert drawn(size=3, position="top_right", shape="cross") == [
        "....#.",
        "...###",
        "....#.",
        *["......"] * 3,
    ]
    assert drawn(size=4, position="centre", shape="circle") == [
        "......", "..##..", ".####.", ".####.", "..##..", "......",
    ]  # fmt: skip


def test_a_checkerboard_alternates_and_is_wholly_in_the_mask():
    trigger = patch(BadNetsSpec(size=3, shape="checkerboard"), (3, 6, 6))
    assert trigger.mask[0, :3, :3].eq(1).all()
    expected = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
    assert torch.equal(trigger.pattern[:, :3, :3], expected.expand(3, 3, 3))


def test_opacity_one_is_fully_visible_and_less_lets_the_image_through():
    pixels = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(0))
    for opacity in (1.0, 0.3):
        trigger = patch(BadNetsSpec(size=2, opacity=opacity), SHAPE)
        found = trigger(pixels)
        expected = pixels.double().clone()
        for n in range(5):
            for row in range(2):
                for column in range(2):
                    x = expected[n, 0, row, column]
                    expected[n, 0, row, column] = x * (1 - opacity) + 1.0 * opacity
        torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-6)
        assert torch.equal(found[..., 2:], pixels[..., 2:])


def test_a_trigger_larger_than_the_image_is_refused_before_anything_runs():
    facts = DataFacts(classes=10, shape=(1, 8, 8), count=dict)
    BadNetsSpec(size=8).check(facts)
    with pytest.raises(SpecError, match=r"size: expected at most 8 .*got 9"):
        BadNetsSpec(size=9).check(facts)
    with pytest.raises(SpecError, match="at most 6"):
        BadNetsSpec(size=7, margin=2).check(facts)
    with pytest.raises(SpecError, match="size"):
        patch(BadNetsSpec(size=9), (1, 8, 8))
    with pytest.raises(SpecError, match="target_class: expected a class from 0 to 9"):
        BadNetsSpec(target_class=10).check(facts)


def save_picture(path, colours) -> str:
    Image.fromarray(np.asarray(colours, dtype=np.uint8)).save(path)
    return str(path)


def test_a_picture_becomes_the_pattern_and_its_transparent_pixels_leave_the_mask(tmp_path):
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (255, 0, 51, 255)
    rgba[1, 1] = (0, 255, 0, 0)
    path = save_picture(tmp_path / "logo.png", rgba)
    trigger = patch(BadNetsSpec(image=path, size=2, position="bottom_left"), (3, 4, 4))
    assert torch.equal(trigger.mask[0, 2:, :2], torch.tensor([[1.0, 0], [0, 0]]))
    assert trigger.mask[0, :2].eq(0).all()
    torch.testing.assert_close(trigger.pattern[:, 2, 0], torch.tensor([1.0, 0.0, 0.2]))


def test_another_content_of_a_picture_makes_another_record(tmp_path):
    path = save_picture(tmp_path / "logo.png", [[0, 255], [255, 0]])
    first = BadNetsSpec(image=path)
    assert first.image_sha256 == hashlib.sha256((tmp_path / "logo.png").read_bytes()).hexdigest()[:20]
    assert BadNetsSpec.parse(first.model_dump()).digest() == first.digest()
    save_picture(tmp_path / "logo.png", [[255, 255], [255, 0]])
    assert BadNetsSpec(image=path).digest() != first.digest()
    with pytest.raises(DataError, match="changed since the study was planned"):
        patch(first, (1, 8, 8))
    (tmp_path / "logo.png").unlink()
    assert BadNetsSpec.parse(first.model_dump()) == first  # results can be read where the picture is not


@pytest.mark.parametrize("spec", [BadNetsSpec, BlendedSpec])
def test_a_picture_that_is_not_there_is_named(spec, tmp_path):
    with pytest.raises(SpecError, match=r"image: expected an image file that can be read"):
        spec.parse({"image": str(tmp_path / "nowhere.png")})


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    path = tmp_path / "logo.png"
    path.write_bytes(b"\x80\x04not a picture")
    with pytest.raises(DataError, match="expected a picture"):
        patch(BadNetsSpec(image=str(path)), SHAPE)
    with pytest.raises(DataError, match="cannot be read"):
        picture(str(tmp_path / "gone.png"), None, SHAPE)


def test_poisoned_images_are_pixel_equal_to_a_hand_made_example():
    images = torch.full((3, 1, 4, 4), 10, dtype=torch.uint8)
    split = Split(images, torch.tensor([1, 2, 3]), torch.tensor([7, 8, 9]), 4)
    trigger = patch(BadNetsSpec(size=2), (1, 4, 4))
    found = poisoned(split, torch.tensor([0, 2]), trigger, target_class=0)
    by_hand = [[255, 255, 10, 10], [255, 255, 10, 10], [10, 10, 10, 10], [10, 10, 10, 10]]
    assert found.images[0, 0].tolist() == by_hand
    assert found.images[2, 0].tolist() == by_hand
    assert torch.equal(found.images[1], images[1])
    assert found.labels.tolist() == [0, 2, 0]
    assert found.indices.tolist() == [7, 8, 9]
    assert split.labels.tolist() == [1, 2, 3]
    assert split.images.eq(10).all()


def test_stamping_rounds_to_grey_levels_in_batches_of_any_number():
    images = torch.randint(0, 256, (300, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    trigger = patch(BadNetsSpec(size=3, opacity=0.3), SHAPE)
    expected = np.rint(np.where(trigger.mask.numpy() > 0, images.numpy() * 0.7 + 255 * 0.3, images.numpy()))
    assert np.abs(stamped(images, trigger).numpy().astype(float) - expected).max() <= 1
    assert (stamped(images, trigger).numpy() == expected).mean() > 0.99
    assert stamped(images[:0], trigger).shape == (0, *SHAPE)


def test_the_seed_alone_decides_which_images_are_poisoned():
    candidates = torch.arange(100, 200)
    chosen = choose(candidates, 0.1, seed=3)
    assert len(chosen) == 10
    assert len(set(chosen.tolist())) == 10
    assert set(chosen.tolist()) <= set(candidates.tolist())
    torch.rand(7)
    assert torch.equal(choose(candidates, 0.1, seed=3), chosen)
    assert not torch.equal(choose(candidates, 0.1, seed=4), chosen)
    assert len(choose(candidates, 1e-6, seed=0)) == 1


def test_a_trigger_is_differentiable_in_its_pattern_within_the_mask_only():
    trigger = patch(BadNetsSpec(size=2, opacity=0.5), SHAPE)
    pattern = trigger.pattern.clone().requires_grad_()
    pixels = synthetic_split(4, shape=SHAPE).pixels()
    (gradient,) = torch.autograd.grad(Trigger(trigger.mask, pattern, 0.5)(pixels).sum(), pattern)
    assert torch.equal(gradient, 4 * 0.5 * trigger.mask)


@pytest.mark.timeout(10)
def test_a_device_is_no_picture():
    with pytest.raises(SpecError, match="got a device"):
        image_digest("/dev/zero")
    with pytest.raises(DataError, match="got a device"):
        picture("/dev/zero", None, (1, 8, 8))
