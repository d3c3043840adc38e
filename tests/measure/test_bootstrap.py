import numpy as np
import pytest

from nasaudit.measure.bootstrap import bootstrap, mean


def test_bootstrap_of_a_mean_has_the_width_of_the_normal_interval():
    sample = np.random.default_rng(0).normal(3, 2, 400)
    ours = bootstrap([sample], mean, "pixels", draws=4000)
    half = 1.96 * sample.std() / 20
    assert ours.value == pytest.approx(sample.mean())
    assert ours.high - ours.low == pytest.approx(2 * half, rel=0.1)
    assert (ours.n, ours.unit) == (400, "pixels")


def test_bootstrap_over_seeds_knows_that_seeds_differ():
    rng = np.random.default_rng(1)
    alike = [rng.normal(0, 1, 200) for _ in range(4)]
    apart = [rng.normal(shift, 1, 200) for shift in (-3, -1, 1, 3)]

    narrow, wide = bootstrap(alike, mean, "x"), bootstrap(apart, mean, "x")
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_bootstrap_needs_units_and_repeats_itself():
    with pytest.raises(ValueError, match="at least one unit"):
        bootstrap([[]], mean, "x")
    one, two = (bootstrap([[1.0, 2.0, 4.0]], mean, "x", seed=3) for _ in range(2))
    assert one == two
