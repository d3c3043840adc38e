"""Fewer classes, drawn by the data seed: the same on every machine."""

import numpy as np

from nasaudit.data.raw import Labels, RawData
from nasaudit.data.splits import random_order
from nasaudit.errors import SpecError


def draw_classes(available: int, wanted: int, seed: int) -> Labels:
    """`wanted` of the classes 0..available-1, ascending; of one seed, fewer classes are among more.

    Args:
        available: classes of the data.
        wanted: how many are drawn.
        seed: the data seed.

    Raises:
        SpecError: there are no so many.
    """
    if wanted > available:
        raise SpecError("data.classes", f"at most {available}", wanted)
    return np.sort(random_order(available, "classes", seed)[:wanted])


def of_classes(raw: RawData, wanted: int, seed: int) -> RawData:
    """The images of the drawn classes, relabelled 0..wanted-1; each keeps its position in the source as its index."""
    drawn = draw_classes(len(raw.class_names), wanted, seed)
    new_label = np.full(len(raw.class_names), -1, dtype=np.int64)
    new_label[drawn] = np.arange(wanted)
    labels = new_label[raw.labels]
    kept = np.flatnonzero(labels >= 0)
    official = raw.official_train
    return RawData(
        where=raw.where,
        images=raw.images[kept],
        labels=labels[kept],
        class_names=tuple(raw.class_names[old] for old in drawn),
        official_train=None if official is None else int(np.searchsorted(kept, official)),
        indices=kept,
    )
