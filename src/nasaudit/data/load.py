"""From a DataSpec to the four splits in memory."""

from pathlib import Path

import torch
from torch import Tensor

from nasaudit.data.catalogue import fetch, fingerprint, read_raw, settle
from nasaudit.data.raw import Labels, RawData
from nasaudit.data.split import DataBundle, Split
from nasaudit.data.splits import assign_roles, random_order
from nasaudit.errors import DataError
from nasaudit.spec.data import DataSpec


def load_data(spec: DataSpec, downloads: Path, download: bool = False) -> DataBundle:
    """Read a data set and split it; the same spec gives the same splits on every machine.

    Args:
        spec: which images and how they are split. A `fingerprint` in it must match the files.
        downloads: the folder of downloaded data sets.
        download: fetch what is not there and can be had.

    Raises:
        UnknownNameError, SpecError: the spec names nothing that exists.
        DataError: files that are missing, damaged, or changed since the fingerprint was taken.
        UnsafeFileError: a file that would run code when read.
    """
    spec = settle(spec)
    if download:
        fetch(spec, downloads)
    if spec.fingerprint is not None:
        now = fingerprint(spec, downloads).fingerprint
        if now != spec.fingerprint:
            raise DataError(
                f"{spec.path or spec.name}: the files changed since the study was planned "
                f"(digest {spec.fingerprint} then, {now} now); plan it again, or restore them"
            )
    raw = read_raw(spec, downloads)
    roles = assign_roles(raw, spec)
    return DataBundle(
        train=_take(raw, roles.train),
        validation=_take(raw, roles.validation),
        test=_take(raw, roles.test),
        pool=_take(raw, roles.pool),
        class_names=raw.class_names,
    )


def test_images(bundle: DataBundle, n: int, seed: int) -> Tensor:
    """Positions int64 [min(n, tests)] in `bundle.test`: the same images for every architecture and attack.

    They are the first `n` of one random order, so 100 images are among the 1,000 of the same seed. When the
    test split holds fewer than `n`, all of it is returned: the length says how many there are.

    Args:
        bundle: the data.
        n: how many images are wanted, at least 1.
        seed: the data seed.
    """
    if n < 1:
        raise ValueError(f"expected at least one image, got {n}")
    return torch.from_numpy(random_order(len(bundle.test), "test images", seed)[:n])


def chosen(split: Split, count: int | None, *seed_parts: object) -> Split:
    """The first images of a random order that is the same for every architecture; None, or too many: all of them."""
    return split.take(torch.from_numpy(random_order(len(split), *seed_parts)[:count]))


def _take(raw: RawData, positions: Labels) -> Split:
    return Split(
        images=torch.from_numpy(raw.images[positions]),
        labels=torch.from_numpy(raw.labels[positions]),
        indices=torch.from_numpy(positions.copy() if raw.indices is None else raw.indices[positions]),
        classes=len(raw.class_names),
    )
