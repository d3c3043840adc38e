"""The counter-based generator: a reference in plain integers, uniformity, independence of the batch."""

import numpy as np
import torch
from scipy import stats

from nasaudit.attacks.evasion.noise import normal, uniform
from nasaudit.randomness import derive_seed

MASK = 2**64 - 1


def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_it_is_splitmix64():
    stream = mix(mix(17) ^ derive_seed("pgd", 3))
    expected = [(mix((stream + k * 0x9E3779B97F4A7C15) & MASK) >> 40) / 2**24 for k in range(1, 6)]
    assert uniform(torch.tensor([17]), 5, "pgd", 3)[0].tolist() == expected


def test_splitmix64_gives_the_published_sequence():
    # First outputs of the reference implementation for the seed 1234567.
    got = [mix((1234567 + k * 0x9E3779B97F4A7C15) & MASK) for k in (1, 2, 3)]
    assert got == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_rows_belong_to_their_index():
    whole = uniform(torch.arange(20), 30, 1)
    assert torch.equal(uniform(torch.tensor([7, 3]), 30, 1), whole[[7, 3]])
    assert not torch.equal(uniform(torch.arange(20), 30, 2), whole)


def test_uniform_and_normal_have_their_distributions():
    draws = uniform(torch.arange(200), 500, "u").numpy()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(draws)[np.triu_indices(200, 1)]).max() < 0.25
    assert stats.kstest(normal(torch.arange(200), 500, "n").numpy().ravel(), "norm").pvalue > 1e-3
