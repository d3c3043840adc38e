"""WaNet's warp against an independent interpolation, and the parts of its batches."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.ndimage import map_coordinates

from nasaudit.arch.network import build
from nasaudit.attacks.backdoor.wanet import WaNet, identity, warp
from nasaudit.data.augment import apply, draw
from nasaudit.errors import SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import WaNetSpec
from nasaudit.spec.training import TrainingSpec
from nasaudit.testing.backdoor import CLASSES, SHAPE, VICTIM, BackdoorConformance
from nasaudit.testing.data import synthetic_split
from nasaudit.training.loop import fit

HEIGHT, WIDTH = 9, 12


class TestWaNet(BackdoorConformance):
    def attack(self, seed=0):
        return WaNet(WaNetSpec(seed=seed))


def images(count: int = 3, channels: int = 2) -> torch.Tensor:
    return torch.rand(count, channels, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


def test_the_warp_is_that_of_scipy_pixel_by_pixel():
    field = WaNet(WaNetSpec(strength=3.0)).field(HEIGHT, WIDTH)
    pixels = images()
    columns = (field[..., 0].double().numpy() + 1) / 2 * (WIDTH - 1)
    rows = (field[..., 1].double().numpy() + 1) / 2 * (HEIGHT - 1)
    found = warp(pixels, field).numpy()
    for n in range(3):
        for c in range(2):
            expected = map_coordinates(
                pixels[n, c].double().numpy(), [rows, columns], order=1, mode="nearest"
            )
            np.testing.assert_allclose(found[n, c], expected, atol=1e-5)
    assert np.abs(found - pixels.numpy()).max() > 0.1


def test_the_identity_changes_nothing():
    torch.testing.assert_close(warp(images(), identity(HEIGHT, WIDTH)), images(), rtol=0, atol=1e-6)


def test_the_field_passes_through_its_control_points_and_has_the_asked_size():
    # With align_corners the corners of the control grid are the corners of the image; none is clipped away inside.
    spec = WaNetSpec(strength=0.5, grid=4)
    height = width = 28
    offsets = (WaNet(spec).field(height, width) - identity(height, width)) * height
    control = offsets[::9, ::9]  # 28 pixels, 4 points: every ninth pixel
    inner = control[1:3, 1:3].abs().mean()
    assert 0.1 < inner < 1.2
    # Between the points bicubic interpolation is smooth: far closer to a linear one than the offsets are large.
    axis = np.arange(0, 28, 9)
    linear = RegularGridInterpolator((axis, axis), control.numpy())
    grid = np.stack(np.meshgrid(np.arange(9, 19), np.arange(9, 19), indexing="ij"), axis=-1)
    rough = linear(grid)
    assert np.abs(rough - offsets[9:19, 9:19].numpy()).mean() < 0.3 * np.abs(rough).mean() + 0.05


def test_the_strength_scales_the_offsets_and_no_point_lies_outside():
    inside = slice(3, -3)
    weak, strong = (
        WaNet(WaNetSpec(strength=strength)).field(28, 28) - identity(28, 28) for strength in (0.5, 1.0)
    )
    torch.testing.assert_close(strong[inside, inside], 2 * weak[inside, inside], rtol=0, atol=1e-6)
    extreme = WaNet(WaNetSpec(strength=50.0)).field(28, 28)
    assert extreme.abs().max() <= 1


def test_a_batch_has_an_attacked_a_noisy_and_a_clean_part():
    attack = WaNet(WaNetSpec(poison_fraction=0.25, noise_fraction=0.5, target_class=7))
    field = attack.field(HEIGHT, WIDTH)
    pixels, labels = images(8), torch.arange(8) % 5
    found, wanted = attack.warped(field)(pixels, labels, torch.Generator().manual_seed(0))
    assert wanted.tolist() == [7, 7, *labels[2:].tolist()]
    torch.testing.assert_close(found[:2], warp(pixels[:2], field))
    torch.testing.assert_close(found[6:], pixels[6:])
    plain = warp(pixels[2:6], field)
    assert (found[2:6] - plain).abs().flatten(1).amax(1).min() > 1e-3  # not the attack's warp
    assert (found[2:6] - pixels[2:6]).abs().flatten(1).amax(1).min() > 1e-3
    assert labels.tolist() == (torch.arange(8) % 5).tolist()


def test_images_are_warped_and_then_augmented():
    """VinAIResearch/Warping-based_Backdoor_Attack-release, train.py:79-88: `transforms` on what was warped."""
    data = synthetic_split(8, CLASSES, SHAPE, seed=0)
    recipe = TrainingSpec(epochs=1, batch_size=8, crop=2, flip=True)
    attack = WaNet(WaNetSpec(poison_fraction=1.0, noise_fraction=0.0, strength=3.0, target_class=2))
    field = attack.field(*SHAPE[1:])
    learned = []

    def note(pixels, labels, generator):
        learned.append((pixels.clone(), labels))
        return pixels, labels

    fit(build(VICTIM, 0), data, recipe, seed=3, before=attack.warped(field), prepare=note)
    ((found, labels),) = learned
    generator = torch.Generator().manual_seed(derive_seed("training", 3))
    order = torch.randperm(8, generator=generator)
    images = data.images[order].float()
    torch.rand(2, generator=generator)  # how many are warped, of each kind
    offsets = draw(images.shape, generator, crop=2, flip=True, cutout=0)
    columns, rows = ((field[..., axis].double().numpy() + 1) / 2 * 7 for axis in (0, 1))
    warped = torch.empty_like(images)
    for n in range(8):
        warped[n, 0] = torch.from_numpy(
            map_coordinates(images[n, 0].double().numpy(), [rows, columns], order=1)
        )
    expected = apply(warped, offsets, crop=2, cutout=0) / 255
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert labels.tolist() == [2] * 8
    other = warp(apply(images, offsets, crop=2, cutout=0) / 255, field)
    assert (found - other).abs().max() > 0.1


def test_the_seed_decides_the_warp():
    first = WaNet(WaNetSpec(seed=1)).field(8, 8)
    assert torch.equal(first, WaNet(WaNetSpec(seed=1)).field(8, 8))
    assert not torch.equal(first, WaNet(WaNetSpec(seed=2)).field(8, 8))


def test_shares_of_more_than_one_batch_are_refused():
    with pytest.raises(SpecError, match=r"noise_fraction: expected at most 0\.4"):
        WaNetSpec.parse({"poison_fraction": 0.6, "noise_fraction": 0.5})
