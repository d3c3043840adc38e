"""Differences paired by image and seed: against Student's test, plain sums, and simulated studies."""

import numpy as np
import pytest
from scipy import stats

from nasaudit.stats.crossed import crossed_mean


def crossed(differences):
    found = crossed_mean(differences, "fraction")
    assert found is not None
    return found


@pytest.mark.parametrize("shape", [(1, 40), (5, 1)])
def test_one_seed_or_one_image_is_students_paired_test(shape):
    values = np.random.default_rng(1).normal(0.3, 1.0, shape)
    found = crossed(values)
    expected = stats.ttest_1samp(values.ravel(), 0.0)
    interval = expected.confidence_interval(0.95)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.estimate.n == values.size


def test_the_interval_is_that_of_the_formula_written_out():
    table = np.random.default_rng(2).normal(0.1, 1.0, (3, 5)) + np.arange(5) + 3 * np.arange(3)[:, None]
    seeds, images = table.shape
    mean = sum(table[s, i] for s in range(seeds) for i in range(images)) / 15
    row = [sum(table[s]) / images for s in range(seeds)]
    column = [sum(table[:, i]) / seeds for i in range(images)]
    m_s = images * sum((r - mean) ** 2 for r in row) / (seeds - 1)
    m_i = seeds * sum((c - mean) ** 2 for c in column) / (images - 1)
    m_e = sum((table[s, i] - row[s] - column[i] + mean) ** 2 for s in range(seeds) for i in range(images)) / (
        (seeds - 1) * (images - 1)
    )
    assert m_s > m_e  # or the first part is not looked at
    assert m_i > m_e
    half = np.sqrt(stats.t.ppf(0.975, 2) ** 2 * (m_s - m_e) / 15 + stats.t.ppf(0.975, 4) ** 2 * m_i / 15)
    found = crossed(table)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((mean - half, mean + half))


def test_seeds_that_agree_leave_the_luck_of_the_images():
    images = np.random.default_rng(3).normal(0.2, 1.0, 50)
    found, alone = crossed(np.tile(images, (4, 1))), crossed(images[None])
    assert (found.estimate.low, found.estimate.high) == pytest.approx(
        (alone.estimate.low, alone.estimate.high)
    )
    assert found.p == pytest.approx(alone.p)


@pytest.mark.parametrize(
    ("seeds", "of_seeds", "of_images", "rest"),
    [
        (3, 0.02, 0.3, 0.5),
        (3, 0.1, 0.3, 0.3),
        (3, 0.3, 0.3, 0.3),
        (3, 0.0, 0.3, 0.3),
        (3, 0.03, 0.0, 0.4),
        (5, 0.02, 0.0, 0.4),
    ],
)
def test_intervals_cover_and_p_is_below_its_level_no_more_often_than_it_says(
    seeds, of_seeds, of_images, rest
):
    rng, studies, images = np.random.default_rng(4), 600, 150
    low = tiny = 0
    for _ in range(studies):
        table = (
            rng.normal(0, of_seeds, (seeds, 1))
            + rng.normal(0, of_images, (1, images))
            + rng.normal(0, rest, (seeds, images))
        )
        found = crossed(table)
        misses = not found.estimate.low <= 0 <= found.estimate.high
        assert misses or found.p >= 0.05  # p is the stricter one
        low += misses
        tiny += found.p < 0.01
    # As the module says: no more than 7 % of the intervals miss, and what 600 studies may add to that.
    assert low / studies < 0.07 + 3 * np.sqrt(0.07 * 0.93 / studies)
    assert low > 0
    # Holm's correction over many tests looks at the far tail.
    assert tiny / studies < 0.01 + 3 * np.sqrt(0.01 * 0.99 / studies)


def test_an_effect_is_found_where_it_is_large_against_the_luck():
    rng = np.random.default_rng(5)
    table = 0.2 + rng.normal(0, 0.02, (3, 1)) + rng.normal(0, 0.3, (1, 200))
    found = crossed(table)
    assert found.estimate.low > 0
    assert found.p < 0.05


def test_seeds_whose_means_happen_to_agree_still_differ_by_image():
    found = crossed([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    assert found.estimate.low < 0 < found.estimate.high


def test_differences_without_spread_are_no_certainty():
    assert crossed_mean(np.full((3, 7), 0.1), "fraction") is None
    assert crossed_mean([[0.3]], "fraction") is None


@pytest.mark.parametrize("wrong", [[], [[]], [1.0, 2.0], [[1.0, float("nan")]]])
def test_what_is_no_table_of_numbers_is_refused(wrong):
    with pytest.raises(ValueError, match="finite differences"):
        crossed_mean(wrong, "fraction")
