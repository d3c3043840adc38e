"""Holm's correction: by hand, and against the steps that it is made of."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasaudit.stats import holm as module
from nasaudit.stats.holm import ALPHA, holm


def test_the_example_in_the_docstring_holds() -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted >= 1
    assert outcome.failed == 0


def test_holm_by_hand() -> None:
    """Holm's steps on five p-values: 5 x .003, 4 x .011, 3 x .02, then 2 x .025 and 1 x .3 stay below or above."""
    assert holm([0.3, 0.011, 0.02, 0.003, 0.025]) == pytest.approx([0.3, 0.044, 0.06, 0.015, 0.06])
    assert holm([0.04, 0.04]) == pytest.approx([0.08, 0.08])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_rejects_what_its_steps_reject(ps: list[float]) -> None:
    """The procedure as published: from the smallest p on, stop at the first that exceeds alpha / (m - i + 1)."""
    rejected = set()
    for rank, k in enumerate(sorted(range(len(ps)), key=lambda k: ps[k])):
        if ps[k] > ALPHA / (len(ps) - rank):
            break
        rejected.add(k)
    for k, p in enumerate(holm(ps)):
        if abs(p - ALPHA) > 1e-12:
            assert (p <= ALPHA) == (k in rejected)
