"""Against scipy, every flip written out, and simulation."""

import doctest
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasaudit.stats import pairs as paired
from nasaudit.stats.pairs import detectable_mean, mean_of_pairs, sign_flip_test, smallest_p

few = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=8)


def test_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(paired)
    assert (found.attempted, found.failed) == (4, 0)


@given(few)
@settings(max_examples=150, deadline=None)
def test_p_is_that_of_every_flip_looked_at_by_hand(differences: list[float]) -> None:
    """Small whole numbers, so that most flips tie; also all zero."""
    observed = np.mean(differences)
    found = np.array(
        [np.mean(np.multiply(signs, differences)) for signs in product((-1, 1), repeat=len(differences))]
    )
    tails = np.mean(found >= observed - 1e-12), np.mean(found <= observed + 1e-12)
    test = sign_flip_test(differences)
    assert test.exact
    assert test.p == pytest.approx(min(1, 2 * min(tails)), abs=1e-12)
    assert test.p >= test.smallest_p


def test_p_agrees_with_scipy() -> None:
    for seed in range(5):
        differences = np.random.default_rng(seed).normal(size=10) + 0.5
        theirs = stats.permutation_test(
            (differences,), lambda d, axis: d.mean(axis), permutation_type="samples", vectorized=True,
            n_resamples=np.inf,
        )  # fmt: skip
        assert sign_flip_test(differences).p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_many_pairs_are_flipped_at_random_and_p_is_never_zero() -> None:
    apart = sign_flip_test(np.arange(1.0, 31), draws=999)
    assert not apart.exact
    assert apart.p == apart.smallest_p == smallest_p(30, draws=999) == 2 / 1000
    differences = np.random.default_rng(1).normal(size=30) + 0.2
    assert sign_flip_test(differences).p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.02)
    assert sign_flip_test(-differences, seed=1) == sign_flip_test(-differences, seed=1)


def test_the_interval_is_that_of_scipy() -> None:
    differences = np.random.default_rng(2).normal(size=10)
    theirs = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    ours = mean_of_pairs(differences, "nats")
    assert (ours.low, ours.high) == (pytest.approx(theirs.low), pytest.approx(theirs.high))
    assert (ours.n, ours.unit) == (10, "nats")


def test_pairs_without_numbers_are_refused() -> None:
    for bad in ([], [float("nan"), 1.0]):
        with pytest.raises(ValueError, match="expected at least 1 finite difference,"):
            sign_flip_test(bad)
    with pytest.raises(ValueError, match="expected at least 2 finite differences"):
        mean_of_pairs([1.0], "nats")


@pytest.mark.parametrize(
    ("pairs", "alpha"), [(10, 0.05), (10, 0.05 / 6), (10, 0.05 / 9), (10, 0.05 / 15), (6, 0.05), (30, 0.05)]
)
def test_the_detectable_mean_is_found_four_times_in_five(pairs: int, alpha: float) -> None:
    """2,000 studies: standard error .009, and as much for the simulated power of ten pairs."""
    delta = detectable_mean(1.0, pairs, alpha=alpha)
    assert delta is not None
    studies = np.random.default_rng(3).normal(size=(2000 if pairs < 20 else 300, pairs)) + delta
    found = np.mean([sign_flip_test(study).p <= alpha + 1e-12 for study in studies])
    assert found == pytest.approx(0.8, abs=0.04 if pairs < 20 else 0.07)


def test_one_flip_asks_for_differences_of_one_sign() -> None:
    closed = stats.norm.ppf(0.8 ** (1 / 10))
    assert detectable_mean(2.0, 10, alpha=2 / 1024) == pytest.approx(2 * closed, rel=0.02)


def test_what_no_test_can_find_is_not_promised() -> None:
    assert detectable_mean(1.0, 5) is None
    assert detectable_mean(1.0, 10, alpha=0.001) is None
    assert detectable_mean(1.0, 1) is None


def test_the_level_holds() -> None:
    studies = np.random.default_rng(4).normal(size=(2000, 10))
    assert np.mean([sign_flip_test(study).p <= 0.05 for study in studies]) < 0.063
