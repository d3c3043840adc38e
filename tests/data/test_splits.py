import hashlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nasaudit.data.raw import RawData
from nasaudit.data.splits import assign_roles, random_order
from nasaudit.data.subset import of_classes
from nasaudit.errors import DataError, SpecError
from nasaudit.spec.data import DataSpec

ROLES = ("train", "validation", "test", "pool")
FROZEN_ORDER = [6, 0, 1, 4, 7, 3, 5, 2]
FROZEN_DIGEST = "014e42a43b2e8302"


def raw_data(labels, official_train=None, classes=None):
    labels = np.asarray(labels, dtype=np.int64)
    names = tuple(f"c{k}" for k in range(classes or labels.max() + 1))
    return RawData("somewhere", np.zeros((len(labels), 1, 8, 8), np.uint8), labels, names, official_train)


fractions = st.tuples(*(st.floats(0, 0.6) for _ in range(3))).filter(lambda f: sum(f) < 0.95 and f[1] > 0)


@example(
    sizes=[20, 2], shares=(0.0, 0.5234375, 0.0), seed=0
)  # rounding gave both images of a class to testing
@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(2, 40), min_size=2, max_size=12),
    shares=fractions,
    seed=st.integers(0, 2**31),
)
def test_roles_are_disjoint_complete_and_spread_by_class(sizes, shares, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    validation, test, pool = shares
    spec = DataSpec(
        name="npz", seed=seed, validation_fraction=validation, test_fraction=test, pool_fraction=pool
    )
    roles = assign_roles(raw_data(labels), spec)
    members = [getattr(roles, role) for role in ROLES]
    np.testing.assert_array_equal(np.sort(np.concatenate(members)), np.arange(len(labels)))
    for positions in members:
        assert (np.diff(positions) > 0).all()
    counts = {role: np.bincount(labels[getattr(roles, role)], minlength=len(sizes)) for role in ROLES}
    assert counts["train"].min() >= 1
    assert counts["test"].min() >= 1
    for role, share in (("validation", validation), ("test", test), ("pool", pool)):
        # Never more than one image above the class's share (or the one that a test set must have) ...
        assert (counts[role] <= np.maximum(np.array(sizes) * share, 0) + 1).all()
        # ... and below only where the class ran out of images.
        short = counts[role] < np.floor(np.array(sizes) * share)
        assert (counts["train"][short] == 1).all()


def test_the_default_fractions_on_balanced_classes():
    roles = assign_roles(raw_data(np.arange(5000) % 10), DataSpec())
    for role, per_class in zip(ROLES, (300, 25, 100, 75), strict=True):
        assert np.bincount(getattr(roles, role) % 10).tolist() == [per_class] * 10


def test_small_shares_survive_small_classes():
    """5 % of 8 images is none of each class, but 40 of 800."""
    roles = assign_roles(raw_data(np.arange(800) % 100), DataSpec())
    assert len(roles.validation) == 40
    assert np.bincount(roles.validation % 100).max() == 1


def test_the_total_is_rounded_not_cut():
    """Three classes of 5 images: a tenth is 1.5 of 15, which rounds to 2."""
    roles = assign_roles(raw_data(np.arange(15) % 3), DataSpec(pool_fraction=0.1))
    assert len(roles.pool) == 2


def test_official_test_images_stay_the_test_set():
    labels = [*(np.arange(60) % 3), *(np.arange(9) % 3)]
    roles = assign_roles(raw_data(labels, official_train=60), DataSpec(pool_fraction=0.2, test_fraction=0.5))
    assert roles.test.tolist() == list(range(60, 69))
    assert (len(roles.train), len(roles.validation), len(roles.pool)) == (45, 3, 12)
    assert max(roles.train.max(), roles.pool.max(), roles.validation.max()) < 60


def test_the_seed_decides_and_nothing_else():
    raw = raw_data(np.arange(200) % 4)
    first, again, other = (assign_roles(raw, DataSpec(seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train, again.train)
    assert first.train.tolist() != other.train.tolist()
    # Another pixel content or another path changes nothing: only labels count.
    np.testing.assert_array_equal(first.test, assign_roles(raw, DataSpec(name="npz", path="x")).test)


def test_splits_are_the_same_in_every_version():
    """Frozen: if this fails, every stored record is about other images than before."""
    assert random_order(8, "split", 0).tolist() == FROZEN_ORDER
    roles = assign_roles(raw_data(np.arange(5000) % 10), DataSpec())
    digest = hashlib.sha256(b"".join(getattr(roles, role).astype("<i8").tobytes() for role in ROLES))
    assert digest.hexdigest()[:16] == FROZEN_DIGEST


def test_random_order_is_a_fair_permutation():
    orders = np.array([random_order(5, "fair", seed) for seed in range(3000)])
    assert (np.sort(orders, axis=1) == np.arange(5)).all()
    counts = np.stack([np.bincount(column, minlength=5) for column in orders.T])
    # Each number is expected 600 times at each place, standard deviation 21.9.
    assert np.abs(counts - 600).max() < 5 * 21.9


@pytest.mark.parametrize(
    ("labels", "official", "spec", "match"),
    [
        ([0, 0, 0, 1], None, DataSpec(), r"somewhere: class 'c1' has 1 image, too few"),
        ([0, 0, 0, 2, 2, 2], None, DataSpec(), r"class 'c1' has 0 images, too few"),
        ([0, 1] * 9, None, DataSpec(test_fraction=0), r"class 'c0' has no test image; raise test_fraction"),
        ([0, 0, 1, 1, 0], 4, DataSpec(), r"class 'c1' has no test image; the official test set has none"),
        ([0, 0, 0, 0, 1], 4, DataSpec(), r"class 'c1' has 1 image"),
    ],
)
def test_classes_that_cannot_be_trained_or_tested(labels, official, spec, match):
    with pytest.raises(DataError, match=match):
        assign_roles(raw_data(labels, official), spec)


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(4, 40), min_size=2, max_size=8),
    share=st.floats(0.05, 1),
    seed=st.integers(0, 2**31),
    official=st.booleans(),
)
def test_fewer_training_images_are_as_many_of_each_class_and_among_more_of_them(sizes, share, seed, official):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    raw = (
        raw_data(np.concatenate([labels, np.arange(len(sizes))]), len(labels))
        if official
        else raw_data(labels)
    )
    spec = DataSpec(name="npz", seed=seed)
    whole = assign_roles(raw, spec)
    wanted = max(len(sizes), round(share * len(whole.train)))
    fewer = assign_roles(raw, spec.model_copy(update={"train_images": wanted}))
    assert len(fewer.train) == wanted
    available, kept = (np.bincount(raw.labels[roles.train], minlength=len(sizes)) for roles in (whole, fewer))
    level = kept[kept < available]  # of the classes that do not give all that they have
    assert level.size == 0 or level.max() - level.min() <= 1
    assert kept.max() - (level.min() if level.size else kept.max()) <= 1
    for role in ("train", "validation", "pool"):
        assert set(getattr(fewer, role)) <= set(getattr(whole, role))
        expected = len(getattr(whole, role)) * wanted / len(whole.train)
        assert abs(len(getattr(fewer, role)) - expected) <= 0.5
    np.testing.assert_array_equal(fewer.test, whole.test)
    if wanted > len(sizes):
        fewest = assign_roles(raw, spec.model_copy(update={"train_images": wanted - 1}))
        assert set(fewest.train) <= set(fewer.train)


@pytest.mark.parametrize("wanted", [4, 30])
def test_training_images_that_are_not_there_are_refused(wanted):
    spec = DataSpec(name="npz", train_images=wanted)
    with pytest.raises(
        SpecError, match=r"data\.train_images: expected at least 5, .* at most the 29 training"
    ):
        assign_roles(raw_data(np.arange(50) % 5), spec)


@pytest.mark.parametrize("official", [None, 30])
def test_drawn_classes_are_relabelled_and_their_images_keep_their_names(official):
    raw = raw_data(np.arange(50) % 5, official)
    drawn = of_classes(raw, 3, seed=7)
    old = [int(name[1:]) for name in drawn.class_names]
    assert old == sorted(old)
    np.testing.assert_array_equal(np.array(old)[drawn.labels], raw.labels[drawn.indices])
    assert len(drawn.labels) == 30
    assert drawn.official_train == (None if official is None else 18)
    assert set(of_classes(raw, 2, seed=7).class_names) <= set(drawn.class_names)
    assert of_classes(raw, 3, seed=8).class_names != drawn.class_names
    with pytest.raises(SpecError, match=r"data\.classes: expected at most 5"):
        of_classes(raw, 6, seed=7)
