"""What stands beside each effect of a remedy: its rank among the others, and what the talk expects of it."""

import pytest
from tests.report.hardened import effect, remedied

from nasaudit.verdicts.advice import advise
from nasaudit.verdicts.headlines import Sign
from nasaudit.verdicts.remedies import expect


def test_the_remedies_of_an_original_are_ranked_by_what_they_gain_in_each_family() -> None:
    gains = {"deepen": (-0.02, 0.03), "both": (-0.05, 0.01), "drop_skips": (-0.02, 0.02)}
    tried = [
        remedied(name, name, effects=[effect("extraction", 0.9, stolen, 0.01), effect("evasion", 0.5, evaded, 0.01)])
        for name, (stolen, evaded) in gains.items()
    ]  # fmt: skip
    other = remedied(original="enas", effects=[effect("extraction", 0.9, 0.2, 0.01)])
    ranks = [[effect.rank for effect in judged.effects] for judged in advise([*tried, other])]
    assert ranks == [[1, 2], [0, 0], [2, 1], [0]]


@pytest.mark.parametrize(
    ("sign", "difference", "expected", "agrees"),
    [
        ("higher", -0.05, "better", True),
        ("higher", 0.05, "better", False),
        ("higher", 0.001, "better", None),
        ("lower", 0.05, "worse", True),
        (None, 0.05, None, None),
    ],
)
def test_a_rewiring_in_full_is_expected_to_undo_what_was_published(
    sign: Sign | None, difference: float, expected: str | None, agrees: bool | None
) -> None:
    made = effect("poisoning", 0.2, difference, 0.01)
    for changes, told in (
        ({}, (expected, agrees)),
        ({"dose": 1}, (None, None)),
        ({"kind": "training"}, (None, None)),
    ):
        plain = remedied(**changes).model_copy(update={"effects": [made]})
        (judged,) = expect(plain, {"poisoning": sign}).effects
        assert (judged.expected, judged.agrees) == told
