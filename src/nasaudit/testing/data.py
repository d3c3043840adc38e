"""Synthetic data: each class is a pattern of its own under noise, which a small network learns in seconds."""

import torch

from nasaudit.data.split import DataBundle, Split


def synthetic_split(
    images: int = 64,
    classes: int = 4,
    shape: tuple[int, int, int] = (1, 8, 8),
    *,
    seed: int = 0,
    first_index: int = 0,
) -> Split:
    """A Split with balanced classes.

    Args:
        images: how many.
        classes: how many; image k is of class k modulo that.
        shape: (channels, height, width).
        seed: decides the noise; the classes' patterns are the same for all seeds.
        first_index: the source index of the first image.
    """
    patterns = torch.rand(classes, *shape, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(images) % classes
    noise = torch.randn(images, *shape, generator=torch.Generator().manual_seed(seed))
    pixels = (patterns[labels] + 0.15 * noise).clamp(0, 1)
    return Split((pixels * 255).round().to(torch.uint8), labels, first_index + torch.arange(images), classes)


def synthetic_bundle(
    images: int = 64, classes: int = 4, shape: tuple[int, int, int] = (1, 8, 8), *, seed: int = 0
) -> DataBundle:
    """Four disjoint splits of that many images each, with classes named `class 0` and so on."""
    train, validation, test, pool = (
        synthetic_split(images, classes, shape, seed=4 * seed + role, first_index=role * images)
        for role in range(4)
    )
    return DataBundle(train, validation, test, pool, tuple(f"class {k}" for k in range(classes)))
