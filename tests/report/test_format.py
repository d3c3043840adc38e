import doctest

import pytest

from nasaudit.measure.estimate import Bound, Estimate
from nasaudit.report import format
from nasaudit.results.schema import Row
from nasaudit.testing.rows import make_row


def row(
    metric: str = "asr",
    value: float = 0.4149,
    low: float = 0.37,
    high: float = 0.4507,
    n: int = 1500,
    unit: str = "fraction",
    bound: Bound | None = None,
    **setting: str,
) -> Row:
    return make_row("darts", metric, Estimate(value, low, high, n, unit, bound), attack="pgd", **setting)


def plain(text: str) -> str:
    return text.replace(format.NBSP, " ")


def test_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(format)
    assert found.attempted >= 8
    assert found.failed == 0


def test_a_share_is_shown_with_interval_and_n() -> None:
    assert plain(format.estimate(row())) == "41.5 % [37.0, 45.1; n = 1,500]"
    assert plain(format.interval_and_n(row())) == "[37.0, 45.1] · n = 1,500"
    assert plain(format.estimate(row(), "of all images")) == "41.5 % of all images [37.0, 45.1; n = 1,500]"


def test_an_exact_quantity_has_neither_interval_nor_n() -> None:
    parameters = row("parameters", 3_169_414, 3_169_414, 3_169_414, n=1, unit="parameters")
    assert format.estimate(parameters) == "3,169,414"
    assert format.interval_and_n(parameters) == ""


def test_a_share_of_zero_keeps_its_interval() -> None:
    # 0 of n: low equals the value, yet the upper end is what the reader must know.
    assert plain(format.estimate(row(value=0, low=0, high=0.037, n=100))) == "0.0 % [0.0, 3.7; n = 100]"


@pytest.mark.parametrize(
    ("norm", "value", "expected"),
    [("linf", 8.6 / 255, "8.6/255 [8.3, 9.0; n = 10]"), ("l2", 0.53, "0.53 [0.0325, 0.0353; n = 10]")],
)
def test_median_epsilon_is_in_the_units_of_its_norm(norm: str, value: float, expected: str) -> None:
    median = row(
        "median_minimal_epsilon",
        value,
        8.3 / 255,
        9 / 255,
        n=10,
        unit="pixel fraction",
        norm=norm,
    )
    assert plain(format.estimate(median)) == expected


def test_a_lower_bound_says_that_it_is_one() -> None:
    end = 16 / 255
    median = row("median_minimal_epsilon", end, end, end, n=10, norm="linf", bound="lower")
    assert plain(format.estimate(median)) == "more than 16.0/255 [n = 10]"
    assert plain(format.value(median, format.SIGNS)) == "> 16.0/255"
    before = median.model_copy(update={"value": 1 / 4080, "bound": "upper"})
    assert plain(format.value(before)) == "less than 0.06/255"
    assert plain(format.value(before, format.SIGNS)) == "< 0.06/255"
    steps = row("steps_to_accuracy", 564, 564, 564, n=1, unit="steps", bound="lower")
    assert plain(format.estimate(steps)) == "more than 564"


def test_area_is_a_number_and_not_a_percentage() -> None:
    assert (
        plain(format.estimate(row("curve_area", 0.4242, 0.404, 0.444))) == "0.424 [0.404, 0.444; n = 1,500]"
    )


@pytest.mark.parametrize(("words", "said"), [([], "none"), (["a"], "a"), (["a", "b"], "a and b")])
def test_listing(words: list[str], said: str) -> None:
    assert format.listing(words) == said
