"""Who gets which image: disjoint train, validation, test and attacker pool, decided by the data seed alone.

NumPy only, and only through raw bits of PCG64: NumPy promises that those stay the same in every version, so a
split does not change with an upgrade of NumPy or torch.
"""

from dataclasses import dataclass

import numpy as np

from nasaudit.data.given import given_division
from nasaudit.data.raw import Labels, RawData
from nasaudit.errors import DataError, SpecError
from nasaudit.randomness import derive_seed
from nasaudit.spec.data import DataSpec


@dataclass(frozen=True, eq=False)
class Roles:
    """Source positions int64 of each role, ascending; no position is in two of them.

    But where models are judged on the validation images: these are then `test` too.
    """

    train: Labels
    validation: Labels
    test: Labels
    pool: Labels


def random_order(n: int, *seed_parts: object) -> Labels:
    """A permutation of 0..n-1 that depends on `n` and `derive_seed(*seed_parts)` alone."""
    keys = np.random.PCG64(derive_seed(*seed_parts)).random_raw(n)
    return np.argsort(keys, kind="stable").astype(np.int64)


def assign_roles(raw: RawData, spec: DataSpec) -> Roles:
    """Split by class: every role gets the share of each class that it gets of the whole, to within one image.

    With an official test set, that is the test role, and the fractions are of the official training set.
    Where whoever trained a model divided the images, the division is theirs.

    Args:
        raw: the images, of which only labels, names and the official split are read.
        spec: the seed and the fractions.

    Raises:
        DataError: a class that would have no training image, or no test image.
    """
    if spec.division == "given":
        return _as_given(raw, spec)
    official = raw.official_train is not None
    divided = raw.official_train if raw.official_train is not None else len(raw.labels)
    labels = raw.labels[:divided]
    available = np.bincount(labels, minlength=len(raw.class_names))
    counts = _role_counts(available, spec, with_test=not official)
    for label in np.flatnonzero(available - counts.sum(axis=0) < 1):
        n = int((raw.labels == label).sum())
        raise DataError(
            f"{raw.where}: class {raw.class_names[label]!r} has {n} {'image' if n == 1 else 'images'}, "
            "too few for one in training and one in the test set; add images or remove the class"
        )

    # Positions sorted by class and in random order within it, and the rank of each within its class.
    order = random_order(len(labels), "split", spec.seed)
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.cumsum(available) - available
    rank = np.arange(len(labels)) - starts[labels[by_class]]
    # Within each class, the first images are for testing, the next for validation, then the pool.
    role = (rank >= np.cumsum(counts, axis=0)[:, labels[by_class]]).sum(axis=0)
    test, validation, pool, train = (np.sort(by_class[role == number]) for number in range(4))
    if spec.train_images is not None:
        # The first images of each class in its random order: fewer of them are among more.
        train, validation, pool = _fewer(by_class, labels, role, spec.train_images)
    if official:
        test = np.arange(divided, len(raw.labels))
    for label in np.flatnonzero(np.bincount(raw.labels[test], minlength=len(raw.class_names)) == 0):
        advice = "the official test set has none" if official else "raise test_fraction"
        raise DataError(f"{raw.where}: class {raw.class_names[label]!r} has no test image; {advice}")
    if spec.judged_on == "validation":
        if not len(validation):
            raise DataError(f"{raw.where}: no image is left for validation; raise validation_fraction")
        test = validation
    return Roles(train=train, validation=validation, test=test, pool=pool)


def _as_given(raw: RawData, spec: DataSpec) -> Roles:
    """All that a model was trained on is training; the pool is of what is in neither part, or else of the unseen."""
    train, unseen, neither = given_division(raw, spec)
    none = np.empty(0, dtype=np.int64)
    if len(neither):
        return Roles(train=train, validation=none, test=unseen, pool=neither)
    order = random_order(len(raw.labels), "split", spec.seed)
    order = order[np.isin(order, unseen)]
    by_class = order[np.argsort(raw.labels[order], kind="stable")]
    available = np.bincount(raw.labels[unseen], minlength=len(raw.class_names))
    rank = np.arange(len(by_class)) - (np.cumsum(available) - available)[raw.labels[by_class]]
    # Testing comes first: a class of one image has none in the pool.
    pool = rank < np.minimum(_shares(available, spec.pool_fraction), available - 1)[raw.labels[by_class]]
    return Roles(train=train, validation=none, test=np.sort(by_class[~pool]), pool=np.sort(by_class[pool]))


def _fewer(by_class: Labels, labels: Labels, role: Labels, train_images: int) -> list[Labels]:
    """Training, validation and pool with fewer images of each class.

    Args:
        by_class: positions, sorted by class.
        labels: of all positions.
        role: of each of `by_class`: 1 is validation, 2 the pool, 3 training.
        train_images: how many to train on; validation and pool keep the same share of their images.

    Raises:
        SpecError: there are fewer, or fewer are wanted than there are classes.
    """
    members = {number: by_class[role == number] for number in (3, 1, 2)}
    classes = labels.max() + 1
    most = len(members[3])
    if not classes <= train_images <= most:
        expected = f"at least {classes}, one of each class, and at most the {most} training images"
        raise SpecError("data.train_images", expected, train_images)
    chosen = []
    for positions in members.values():
        total = round(len(positions) * train_images / most)
        sizes = np.bincount(labels[positions], minlength=classes)
        rank = np.arange(len(positions)) - (np.cumsum(sizes) - sizes)[labels[positions]]
        chosen.append(np.sort(positions[rank < balanced(sizes, total)[labels[positions]]]))
    return chosen


def balanced(available: Labels, total: int) -> Labels:
    """How many images of each class to keep, so that they are `total` and as even as the classes' sizes allow.

    Small classes give all that they have; the others share the rest, to within one image.

    Args:
        available: int64 [classes], images that there are.
        total: at most their sum.
    """
    kept = np.zeros_like(available)
    for turn, label in enumerate(np.argsort(available, kind="stable")):
        kept[label] = min(available[label], (total - kept.sum()) // (len(available) - turn))
    return kept


def _role_counts(available: Labels, spec: DataSpec, with_test: bool) -> Labels:
    """How many images of each class go to test, validation and pool: [3, classes]."""
    test = np.zeros_like(available)
    if with_test and spec.test_fraction > 0:
        # At least one, and never the last image, which is needed for training.
        test = np.maximum(np.minimum(_shares(available, spec.test_fraction), available - 1), 1)
    # In small classes, testing and training come first; validation and pool take what is left.
    spare = np.maximum(available - test - 1, 0)
    validation = np.minimum(_shares(available, spec.validation_fraction), spare)
    pool = np.minimum(_shares(available, spec.pool_fraction), spare - validation)
    return np.stack([test, validation, pool])


def _shares(available: Labels, fraction: float) -> Labels:
    """How many images of each class a role gets: each within one of its share, the total rounded once.

    Rounding the running total, not each class, keeps a share of .05 alive when every class has 8 images.
    """
    running = np.floor(np.cumsum(available) * fraction + 0.5).astype(np.int64)
    shares: Labels = np.diff(running, prepend=0)
    return shares
